// SHA-512 in lanes against libsodium: every length in every lane, parts, counts, page ends.
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"
#include "sha512_avx512.h"
#include "vectors.h"

#define LEN_MAX 600u
#define COUNT_MAX 40u
#define LANES 8u

static void start(void)
{
    cr_assert_eq(sp_init(), 0);
    if (!sp_cpu_has_avx512())
        cr_skip_test("this CPU has no avx512");
}

TestSuite(sp_sha512_avx512, .init = start);

// ---- messages and their judge -------------------------------------------------------------------

struct batch {
    uint8_t text[COUNT_MAX][LEN_MAX + LANES];
    struct sp_sha512_message messages[COUNT_MAX];
    uint8_t out[COUNT_MAX + 1][SP_SHA512_BYTES];
};

static struct batch batch;

static size_t draw(size_t below)
{
    return randombytes_uniform((uint32_t)below);
}

// A text in three parts, any of which may be empty and then NULL.
static struct sp_sha512_message split(const uint8_t *text, size_t len)
{
    const size_t first = draw(len + 1), second = draw(len - first + 1);
    return (struct sp_sha512_message){
        .part = {first == 0 ? NULL : text, text + first,
                 first + second == len ? NULL : text + first + second},
        .len = {first, second, len - first - second},
    };
}

static void expect_digest(const struct sp_sha512_message *m, const uint8_t digest[SP_SHA512_BYTES])
{
    uint8_t expected[SP_SHA512_BYTES];
    crypto_hash_sha512_state state;
    crypto_hash_sha512_init(&state);
    for (size_t i = 0; i < SP_SHA512_PARTS; i++)
        crypto_hash_sha512_update(&state, m->part[i], m->len[i]);
    crypto_hash_sha512_final(&state, expected);
    cr_assert_arr_eq(digest, expected, sizeof(expected), "%zu + %zu + %zu B", m->len[0], m->len[1],
                     m->len[2]);
}

static void expect_digests(size_t count)
{
    memset(batch.out, 0xAA, sizeof(batch.out));
    sp_sha512_avx512(batch.out, batch.messages, count);
    for (size_t i = 0; i < count; i++)
        expect_digest(&batch.messages[i], batch.out[i]);
    for (size_t i = 0; i < SP_SHA512_BYTES; i++)
        cr_assert_eq(batch.out[count][i], 0xAA); // nothing is written past the last
}

// `size` bytes between two pages that cannot be touched.
static uint8_t *map_guarded(size_t size)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *area =
        mmap(NULL, size + 2 * page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(area, MAP_FAILED);
    cr_assert_eq(mprotect(area + page_bytes, size, PROT_READ | PROT_WRITE), 0);
    return area + page_bytes;
}

// ---- cases --------------------------------------------------------------------------------------

// FIPS 180-4's own example.
Test(sp_sha512_avx512, hashes_abc)
{
    static const uint8_t expected[] = {
        0xdd, 0xaf, 0x35, 0xa1, 0x93, 0x61, 0x7a, 0xba, 0xcc, 0x41, 0x73, 0x49, 0xae,
        0x20, 0x41, 0x31, 0x12, 0xe6, 0xfa, 0x4e, 0x89, 0xa9, 0x7e, 0xa2, 0x0a, 0x9e,
        0xee, 0xe6, 0x4b, 0x55, 0xd3, 0x9a, 0x21, 0x92, 0x99, 0x2a, 0x27, 0x4f, 0xc1,
        0xa8, 0x36, 0xba, 0x3c, 0x23, 0xa3, 0xfe, 0xeb, 0xbd, 0x45, 0x4d, 0x44, 0x23,
        0x64, 0x3c, 0xe8, 0x0e, 0x2a, 0x9a, 0xc9, 0x4f, 0xa5, 0x4c, 0xa4, 0x9f};
    const struct sp_sha512_message message = {
        .part = {(const uint8_t *)"a", (const uint8_t *)"b", (const uint8_t *)"c"},
        .len = {1, 1, 1},
    };
    sp_sha512_avx512(batch.out, &message, 1);
    cr_assert_arr_eq(batch.out[0], expected, sizeof(expected));
}

Test(sp_sha512_avx512, agrees_at_every_length_in_every_lane)
{
    randombytes_buf(batch.text, sizeof(batch.text));
    for (size_t len = 0; len <= LEN_MAX; len++) {
        for (size_t lane = 0; lane < LANES; lane++) {
            for (size_t i = 0; i < LANES; i++)
                batch.messages[i] = split(batch.text[i], i == lane ? len : draw(LEN_MAX + 1));
            expect_digests(LANES);
        }
    }
}

Test(sp_sha512_avx512, agrees_at_every_count)
{
    randombytes_buf(batch.text, sizeof(batch.text));
    for (size_t count = 0; count <= COUNT_MAX; count++) {
        for (size_t i = 0; i < count; i++)
            batch.messages[i] = split(batch.text[i], draw(LEN_MAX + 1));
        expect_digests(count);
    }
}

// R ‖ A ‖ M, prefix ‖ M and a seed, as Ed25519 has them.
Test(sp_sha512_avx512, agrees_for_every_split_of_a_message)
{
    randombytes_buf(batch.text, sizeof(batch.text));
    for (size_t first = 0; first <= 140; first++) {
        for (size_t i = 0; i < LANES; i++) {
            const size_t second = i * 19;
            batch.messages[i] = (struct sp_sha512_message){
                .part = {batch.text[i], batch.text[i + LANES], batch.text[i + 2 * LANES]},
                .len = {first, second, (first * 7 + i) % 140},
            };
        }
        expect_digests(LANES);
    }
}

Test(sp_sha512_avx512, takes_any_alignment)
{
    randombytes_buf(batch.text, sizeof(batch.text));
    static uint8_t area[64 + LANES * SP_SHA512_BYTES];
    for (size_t from = 0; from < 64; from++) {
        uint8_t(*out)[SP_SHA512_BYTES] = (uint8_t(*)[SP_SHA512_BYTES])(area + from);
        for (size_t i = 0; i < LANES; i++)
            batch.messages[i] = split(batch.text[i] + (from + i) % 64, 256);
        sp_sha512_avx512(out, batch.messages, LANES);
        for (size_t i = 0; i < LANES; i++)
            expect_digest(&batch.messages[i], out[i]);
    }
}

Test(sp_sha512_avx512, agrees_for_a_long_message_beside_short_ones)
{
    const size_t len = 1000003;
    uint8_t *text = malloc(len);
    cr_assert_not_null(text);
    randombytes_buf(text, len);
    for (size_t i = 0; i < LANES; i++)
        batch.messages[i] = split(text, i == 5 ? len : i);
    expect_digests(LANES);
    free(text);
}

Test(sp_sha512_avx512, reads_nothing_outside)
{
    const size_t bytes = 4096;
    uint8_t *area[SP_SHA512_PARTS];
    for (size_t i = 0; i < SP_SHA512_PARTS; i++) {
        area[i] = map_guarded(bytes);
        randombytes_buf(area[i], bytes);
    }
    for (size_t len = 0; len <= 300; len++) {
        for (size_t i = 0; i < LANES; i++) {
            for (size_t p = 0; p < SP_SHA512_PARTS; p++) {
                const size_t part = (len + i * p * 5) % 301;
                batch.messages[i].part[p] = area[p] + (i % 2 == 0 ? 0 : bytes - part);
                batch.messages[i].len[p] = part;
            }
        }
        expect_digests(LANES);
    }
}
