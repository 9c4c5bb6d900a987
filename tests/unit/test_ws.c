// WebSocket headers against a table of RFC 6455's rules, and every masking kernel against a byte
// loop between guard pages.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ws.h"
#include "ws_mask_impl.h"

#define NO_LIMIT UINT64_MAX

static const uint8_t no_key[4];

static ssize_t decode(const uint8_t *bytes, size_t len, enum ws_role from, uint64_t max_bytes)
{
    struct ws_frame frame;
    // A copy of exactly this size, so that the address sanitizer sees a read past it.
    uint8_t *copy = malloc(len > 0 ? len : 1);

    cr_assert_not_null(copy);
    memcpy(copy, bytes, len);
    ssize_t used = ws_decode_header(&frame, copy, len, from, max_bytes);
    free(copy);
    return used;
}

Test(ws_decode_header, rfc_examples)
{
    // RFC 6455 section 5.7.
    static const uint8_t masked_hello[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d,
                                           0x7f, 0x9f, 0x4d, 0x51, 0x58};
    static const uint8_t binary_256[] = {0x82, 0x7E, 0x01, 0x00};
    static const uint8_t binary_64_kib[] = {0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0};
    struct ws_frame frame;
    uint8_t payload[5];

    cr_assert_eq(
        ws_decode_header(&frame, masked_hello, sizeof masked_hello, WS_FROM_CLIENT, NO_LIMIT), 6);
    cr_assert(frame.fin);
    cr_assert_eq(frame.opcode, WS_TEXT);
    cr_assert_eq(frame.header_len, 6);
    cr_assert_eq(frame.payload_len, 5);
    memcpy(payload, masked_hello + 6, sizeof payload);
    ws_mask(payload, sizeof payload, frame.mask);
    cr_assert_arr_eq(payload, "Hello", 5);

    cr_assert_eq(ws_decode_header(&frame, binary_256, sizeof binary_256, WS_FROM_SERVER, NO_LIMIT),
                 4);
    cr_assert_eq(frame.payload_len, 256);
    cr_assert_arr_eq(frame.mask, no_key, 4);
    cr_assert_eq(
        ws_decode_header(&frame, binary_64_kib, sizeof binary_64_kib, WS_FROM_SERVER, NO_LIMIT),
        10);
    cr_assert_eq(frame.payload_len, 65536);
}

Test(ws_decode_header, every_length_class_and_cut)
{
    static const uint64_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 1ull << 32, INT64_MAX};
    static const uint8_t key[4] = {0xA1, 0xB2, 0xC3, 0xD4};

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        for (int masked = 0; masked < 2; masked++) {
            enum ws_role from = masked ? WS_FROM_CLIENT : WS_FROM_SERVER;
            uint8_t bytes[WS_HEADER_MAX_BYTES];
            struct ws_frame frame;
            size_t len = ws_encode_header(bytes, WS_BINARY, lengths[i], masked ? key : NULL);

            cr_assert_eq(len, ws_header_len(lengths[i], masked));
            for (size_t cut = 0; cut < len; cut++)
                cr_assert_eq(decode(bytes, cut, from, NO_LIMIT), 0);
            cr_assert_eq(decode(bytes, len, from, NO_LIMIT), (ssize_t)len);
            cr_assert_eq(ws_decode_header(&frame, bytes, len, from, NO_LIMIT), (ssize_t)len);
            cr_assert(frame.fin);
            cr_assert_eq(frame.opcode, WS_BINARY);
            cr_assert_eq(frame.header_len, len);
            cr_assert_eq(frame.payload_len, lengths[i]);
            cr_assert_arr_eq(frame.mask, masked ? key : no_key, 4);
        }
    }
}

Test(ws_decode_header, every_first_byte)
{
    for (uint32_t first = 0; first < 256; first++) {
        uint8_t bytes[6] = {(uint8_t)first, 0x80, 1, 2, 3, 4};
        uint32_t opcode = first & 0x0F;
        bool control = opcode >= 8;
        bool defined = opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
        ssize_t error = (first & 0x70) != 0        ? WS_BAD_RESERVED_BITS
                        : !defined                 ? WS_BAD_OPCODE
                        : control && !(first >> 7) ? WS_BAD_CONTROL
                                                   : 0;

        // An error shows with the first byte alone, and stays the same when more comes.
        cr_assert_eq(decode(bytes, 1, WS_FROM_CLIENT, NO_LIMIT), error, "%02x", first);
        cr_assert_eq(decode(bytes, 6, WS_FROM_CLIENT, NO_LIMIT), error != 0 ? error : 6, "%02x",
                     first);
    }
}

Test(ws_decode_header, fragments)
{
    struct ws_frame frame;

    cr_assert_eq(ws_decode_header(&frame, (uint8_t[]){0x01, 0x03}, 2, WS_FROM_SERVER, 3), 2);
    cr_assert_not(frame.fin);
    cr_assert_eq(frame.opcode, WS_TEXT);
    cr_assert_eq(ws_decode_header(&frame, (uint8_t[]){0x80, 0x02}, 2, WS_FROM_SERVER, 3), 2);
    cr_assert(frame.fin);
    cr_assert_eq(frame.opcode, WS_CONTINUATION);
}

Test(ws_decode_header, mask_by_role)
{
    cr_assert_eq(decode((uint8_t[]){0x82, 0x05}, 2, WS_FROM_CLIENT, NO_LIMIT), WS_NOT_MASKED);
    cr_assert_eq(decode((uint8_t[]){0x82, 0x85}, 2, WS_FROM_SERVER, NO_LIMIT), WS_MASKED);
}

Test(ws_decode_header, control_lengths)
{
    cr_assert_eq(decode((uint8_t[]){0x89, 125}, 2, WS_FROM_SERVER, NO_LIMIT), 2);
    cr_assert_eq(decode((uint8_t[]){0x89, 126}, 2, WS_FROM_SERVER, NO_LIMIT), WS_BAD_CONTROL);
    cr_assert_eq(decode((uint8_t[]){0x88, 127}, 2, WS_FROM_SERVER, NO_LIMIT), WS_BAD_CONTROL);
    cr_assert_eq(decode((uint8_t[]){0x8A, 0xFE}, 2, WS_FROM_CLIENT, NO_LIMIT), WS_BAD_CONTROL);
}

Test(ws_decode_header, length_not_shortest)
{
    static const uint8_t short_16[] = {0x82, 126, 0, 125};
    static const uint8_t short_64[] = {0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    static const uint8_t top_bit[] = {0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0};

    cr_assert_eq(decode(short_16, 3, WS_FROM_SERVER, NO_LIMIT), 0);
    cr_assert_eq(decode(short_16, 4, WS_FROM_SERVER, NO_LIMIT), WS_BAD_LENGTH);
    cr_assert_eq(decode(short_64, 9, WS_FROM_SERVER, NO_LIMIT), 0);
    cr_assert_eq(decode(short_64, 10, WS_FROM_SERVER, NO_LIMIT), WS_BAD_LENGTH);
    cr_assert_eq(decode(top_bit, 10, WS_FROM_SERVER, NO_LIMIT), WS_BAD_LENGTH);
}

Test(ws_decode_header, over_the_limit)
{
    static const uint8_t key[4] = {1, 2, 3, 4};
    static const uint64_t limits[] = {0, 100, 125, 126, 300, 65535, 65536, 1ull << 40};

    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        uint8_t bytes[WS_HEADER_MAX_BYTES];
        size_t len = ws_encode_header(bytes, WS_BINARY, limits[i], key);
        cr_assert_eq(decode(bytes, len, WS_FROM_CLIENT, limits[i]), (ssize_t)len);
        len = ws_encode_header(bytes, WS_BINARY, limits[i] + 1, key);
        // Known when the length is, before the key.
        cr_assert_eq(decode(bytes, len - 4, WS_FROM_CLIENT, limits[i]), WS_TOO_LARGE);
        cr_assert_eq(decode(bytes, len, WS_FROM_CLIENT, limits[i]), WS_TOO_LARGE);
    }
}

Test(ws_decode_header, leaves_out_alone_unless_complete)
{
    struct ws_frame frame, before;

    memset(&frame, 0xAB, sizeof frame);
    memcpy(&before, &frame, sizeof before);
    cr_assert_eq(ws_decode_header(&frame, (uint8_t[]){0x82, 0x81, 1, 2, 3}, 5, WS_FROM_CLIENT, 9),
                 0);
    cr_assert_eq(ws_decode_header(&frame, (uint8_t[]){0xF2, 0x81}, 2, WS_FROM_CLIENT, 9),
                 WS_BAD_RESERVED_BITS);
    cr_assert_arr_eq((uint8_t *)&frame, (uint8_t *)&before, sizeof before);
}

Test(ws_error_name, every_error)
{
    cr_assert_str_eq(ws_error_name(WS_BAD_RESERVED_BITS), "bad_reserved_bits");
    cr_assert_str_eq(ws_error_name(WS_BAD_OPCODE), "bad_opcode");
    cr_assert_str_eq(ws_error_name(WS_BAD_CONTROL), "bad_control");
    cr_assert_str_eq(ws_error_name(WS_BAD_LENGTH), "bad_length");
    cr_assert_str_eq(ws_error_name(WS_NOT_MASKED), "not_masked");
    cr_assert_str_eq(ws_error_name(WS_MASKED), "masked");
    cr_assert_str_eq(ws_error_name(WS_TOO_LARGE), "too_large");
}

Test(ws_error_close_code, every_error)
{
    for (int error = WS_TOO_LARGE; error < 0; error++)
        cr_assert_eq(ws_error_close_code((enum ws_error)error),
                     error == WS_TOO_LARGE ? 1009 : 1002);
}

// `pages` readable pages with an unreadable one on each side.
static uint8_t *map_guarded(size_t size_bytes, size_t page_bytes)
{
    uint8_t *base =
        mmap(NULL, size_bytes + 2 * page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert_neq(base, MAP_FAILED);
    cr_assert_eq(mprotect(base + page_bytes, size_bytes, PROT_READ | PROT_WRITE), 0);
    return base + page_bytes;
}

// Mask the `len` bytes at `at` to `back` bytes before and compare all of the area with a byte
// loop's result.
static void check_mask_to(const struct ws_mask_tier *tier, uint8_t *area, size_t area_bytes,
                          uint8_t *at, size_t back, size_t len)
{
    static const uint8_t key_bytes[4] = {0x37, 0xFA, 0x21, 0x3D};
    static uint8_t expected[256 * 1024];
    size_t from = (size_t)(at - area);
    uint32_t key;

    for (size_t i = 0; i < area_bytes; i++)
        expected[i] = area[i] = (uint8_t)(i * 7 + len);
    for (size_t i = 0; i < len; i++)
        expected[from - back + i] = area[from + i] ^ key_bytes[i % 4];
    memcpy(&key, key_bytes, sizeof key);
    tier->mask(at - back, at, len, key);
    cr_assert_eq(memcmp(area, expected, area_bytes), 0, "%s, %zu bytes at offset %zu, %zu back",
                 tier->name, len, from, back);
}

static void check_mask(const struct ws_mask_tier *tier, uint8_t *area, size_t area_bytes,
                       uint8_t *at, size_t len)
{
    check_mask_to(tier, area, area_bytes, at, 0, len);
}

static void check_tier(const char *name)
{
    const struct ws_mask_tier *tier = ws_mask_choose_tier(name);
    static const size_t large[] = {4095, 4096, 4097, 65536, 131072 - 129, 131072};
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t large_bytes = 131072 + page_bytes;

    if (strcmp(tier->name, name) != 0)
        cr_skip_test("this CPU has no %s", name);
    uint8_t *area = map_guarded(page_bytes, page_bytes);
    for (size_t len = 0; len <= 300; len++) {
        // At both guard pages and at every offset from a cache line's start.
        check_mask(tier, area, page_bytes, area, len);
        check_mask(tier, area, page_bytes, area + page_bytes - len, len);
        for (size_t offset = 0; offset < 64; offset++)
            check_mask(tier, area, page_bytes, area + 1024 + offset, len);
        // Moved down by little, by more than a vector, and without overlap.
        for (size_t back = 1; back <= 200; back += back < 70 ? 1 : 37) {
            check_mask_to(tier, area, page_bytes, area + back, back, len);
            check_mask_to(tier, area, page_bytes, area + page_bytes - len, back, len);
        }
        check_mask_to(tier, area, page_bytes, area + 2048 + 5, 1000, len);
    }
    area = map_guarded(large_bytes, page_bytes);
    for (size_t i = 0; i < COUNT_OF(large); i++) {
        check_mask(tier, area, large_bytes, area, large[i]);
        check_mask(tier, area, large_bytes, area + large_bytes - large[i], large[i]);
        check_mask(tier, area, large_bytes, area + 13, large[i]);
        check_mask_to(tier, area, large_bytes, area + large_bytes - large[i], 4, large[i]);
        check_mask_to(tier, area, large_bytes, area + 1000, 999, large[i]);
    }
}

Test(ws_mask, portable_is_the_byte_loop)
{
    check_tier("portable");
}

Test(ws_mask, avx2_is_the_byte_loop)
{
    check_tier("avx2");
}

Test(ws_mask, avx512_is_the_byte_loop)
{
    check_tier("avx512");
}

Test(ws_mask, every_key_byte_at_every_phase)
{
    for (size_t t = 0; t < WS_MASK_TIER_COUNT; t++) {
        if (!ws_mask_tiers[t].is_supported())
            continue;
        for (size_t len = 0; len < 200; len++) {
            uint8_t bytes[200] = {0};
            uint32_t key;

            memcpy(&key, (uint8_t[]){1, 2, 3, 4}, sizeof key);
            ws_mask_tiers[t].mask(bytes, bytes, len, key);
            for (size_t i = 0; i < sizeof bytes; i++)
                cr_assert_eq(bytes[i], i < len ? i % 4 + 1 : 0);
        }
    }
}

// What ws_mask_tier says in a process with this SEALPOST_WS_TIER; `wish` NULL unsets it.
// The choice is made at the first call, and this process has made none.
static bool child_runs(const char *wish, const char *expected)
{
    pid_t child = fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        uint8_t bytes[4] = {1, 2, 3, 4};
        if (wish != NULL)
            setenv("SEALPOST_WS_TIER", wish, 1);
        else
            unsetenv("SEALPOST_WS_TIER");
        ws_mask(bytes, sizeof bytes, (uint8_t[]){1, 2, 3, 4});
        _exit(strcmp(ws_mask_tier(), expected) == 0 && bytes[3] == 0 ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Test(ws_mask_tier, follows_the_environment)
{
    const char *best = "portable";

    for (size_t t = WS_MASK_TIER_COUNT; t-- > 0;) {
        if (ws_mask_tiers[t].is_supported())
            best = ws_mask_tiers[t].name;
        // A tier the CPU lacks falls back to the next below, which is the best so far.
        cr_assert(child_runs(ws_mask_tiers[t].name, best), "%s", ws_mask_tiers[t].name);
    }
    cr_assert(child_runs(NULL, best));
    cr_assert(child_runs("", best));
    cr_assert(child_runs("sse9", best));
    // Two tiers must have run for the above to mean something; portable always does.
    cr_assert(child_runs("portable", "portable"));
    cr_assert_not(child_runs("portable", "avx2"));
}
