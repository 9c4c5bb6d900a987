// The record layer: RFC 8448 and recomputed vectors, every length, every flipped byte, padding at
// its limits, key updates, and a provider that fails.
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <signal.h>

#include "tls_record.h"
#include "vectors.h"

static const uint8_t some_secret[TLS_SECRET_MAX_BYTES] =
    "a traffic secret of forty-eight bytes, all used";
static uint8_t content[TLS_RECORD_PLAINTEXT_MAX + 1], plain[TLS_RECORD_CIPHERTEXT_MAX];
static uint8_t record[TLS_RECORD_MAX_BYTES + TLS_RECORD_OVERHEAD_BYTES];

// Fetched once and kept to the end of the process.
static const struct tls_suite *suite_of(unsigned number)
{
    static struct tls_suite suites[3] = {
        {NULL, "SHA256", 16, 32},
        {NULL, "SHA384", 32, 48},
        {NULL, "SHA256", 32, 32},
    };
    static const char *const names[3] = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"};
    unsigned i = number - 0x1301;

    cr_assert_lt(i, 3);
    if (!suites[i].cipher)
        suites[i].cipher = EVP_CIPHER_fetch(NULL, names[i], NULL);
    cr_assert_not_null(suites[i].cipher);
    return &suites[i];
}

static void init_pair(struct tls_direction *writing, struct tls_direction *reading, unsigned number)
{
    cr_assert_eq(tls_direction_init(writing, suite_of(number), some_secret, 1), 0);
    cr_assert_eq(tls_direction_init(reading, suite_of(number), some_secret, 0), 0);
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 7 + 1);
}

static void free_pair(struct tls_direction *writing, struct tls_direction *reading)
{
    tls_direction_free(writing);
    tls_direction_free(reading);
    cr_assert_eq(ERR_peek_error(), 0);
}

// A record of any inner plaintext, also one that tls_record_seal would not make.
static size_t protect(struct tls_direction *d, const uint8_t *inner, size_t inner_len)
{
    uint8_t nonce[12];
    size_t len = inner_len + TLS_RECORD_TAG_BYTES;
    int n;

    memcpy(record, (uint8_t[]){23, 3, 3, (uint8_t)(len >> 8), (uint8_t)len}, 5);
    memcpy(nonce, d->iv, sizeof nonce);
    for (int i = 0; i < 8; i++)
        nonce[11 - i] ^= (uint8_t)(d->sequence >> (8 * i));
    d->sequence++;
    cr_assert(EVP_EncryptInit_ex2(d->context, NULL, NULL, nonce, NULL));
    cr_assert(EVP_EncryptUpdate(d->context, NULL, &n, record, 5));
    cr_assert(EVP_EncryptUpdate(d->context, record + 5, &n, inner, (int)inner_len));
    cr_assert(EVP_EncryptFinal_ex(d->context, record + 5 + inner_len, &n));
    cr_assert(EVP_CIPHER_CTX_ctrl(d->context, EVP_CTRL_AEAD_GET_TAG, 16, record + 5 + inner_len));
    return 5 + len;
}

static void init_at(struct tls_direction *d, struct vector_record *v, int sealing)
{
    const uint8_t *suite = vector_bytes(v, "suite");

    cr_assert_eq(tls_direction_init(d, suite_of(suite[0] * 256u + suite[1]),
                                    vector_bytes(v, "secret"), sealing),
                 0);
    for (int i = 0; i < vector_bytes(v, "generation")[0]; i++)
        cr_assert_eq(tls_direction_update(d), 0);
    cr_assert_eq(d->sequence, 0);
    d->sequence = load_be64(vector_bytes(v, "sequence"));
}

static void agree_with(struct vector_record *v)
{
    struct vector_field *sealed = vector_get(v, "record"), *inside = vector_get(v, "content");
    enum tls_record_type type = 0, expected = vector_bytes(v, "type")[0];
    struct tls_direction d;

    init_at(&d, v, 0);
    cr_assert_arr_eq(d.iv, vector_bytes(v, "iv"), sizeof d.iv);
    cr_assert_eq(tls_record_length(sealed->bytes), sealed->len);
    cr_assert_eq(tls_record_open(&d, sealed->bytes, sealed->len, plain, &type), inside->len);
    cr_assert_eq(type, expected);
    cr_assert_arr_eq(plain, inside->bytes, inside->len);
    tls_direction_free(&d);
    if (vector_bytes(v, "padding")[0] != 0)
        return; // we send none
    init_at(&d, v, 1);
    cr_assert_eq(tls_record_seal(&d, expected, inside->bytes, inside->len, record), sealed->len);
    cr_assert_arr_eq(record, sealed->bytes, sealed->len);
    tls_direction_free(&d);
}

static void agree_with_file(const char *file, int expected)
{
    static struct vector_record v;
    FILE *in = vector_open(file);
    int count = 0;

    for (; vector_next(in, &v); count++)
        agree_with(&v);
    fclose(in);
    cr_assert_eq(count, expected);
}

Test(tls_record, agrees_with_rfc_8448)
{
    agree_with_file("rfc8448.txt", 4);
}

Test(tls_record, agrees_with_another_implementation)
{
    agree_with_file("tls_record.txt", 24);
}

Test(tls_record_seal, opens_again_at_every_length)
{
    for (unsigned number = 0x1301; number <= 0x1303; number++) {
        struct tls_direction writing, reading;
        enum tls_record_type type;

        init_pair(&writing, &reading, number);
        for (size_t len = 0; len <= TLS_RECORD_PLAINTEXT_MAX; len += len < 300 ? 1 : 1487) {
            ssize_t n = tls_record_seal(&writing, TLS_TYPE_HANDSHAKE, content, len, record);

            cr_assert_eq(n, len + TLS_RECORD_OVERHEAD_BYTES);
            cr_assert_eq(tls_record_length(record), n);
            cr_assert_eq(tls_record_open(&reading, record, (size_t)n, plain, &type), len);
            cr_assert_eq(type, TLS_TYPE_HANDSHAKE);
            cr_assert_arr_eq(plain, content, len);
        }
        cr_assert_eq(writing.sequence, reading.sequence);
        free_pair(&writing, &reading);
    }
}

Test(tls_record_seal, the_largest_record)
{
    struct tls_direction writing, reading;
    enum tls_record_type type;
    ssize_t n;

    init_pair(&writing, &reading, 0x1302);
    n = tls_record_seal(&writing, TLS_TYPE_DATA, content, TLS_RECORD_PLAINTEXT_MAX, record);
    cr_assert_eq(n, TLS_RECORD_PLAINTEXT_MAX + TLS_RECORD_OVERHEAD_BYTES);
    cr_assert_eq(tls_record_open(&reading, record, (size_t)n, plain, &type),
                 TLS_RECORD_PLAINTEXT_MAX);
    cr_assert_arr_eq(plain, content, TLS_RECORD_PLAINTEXT_MAX);
    free_pair(&writing, &reading);
}

Test(tls_record_seal, asserts_its_limit, .signal = SIGABRT)
{
    struct tls_direction writing, reading;

    init_pair(&writing, &reading, 0x1302);
    cr_assert_lt(
        tls_record_seal(&writing, TLS_TYPE_DATA, content, TLS_RECORD_PLAINTEXT_MAX + 1, record), 0);
}

Test(tls_record_seal, without_a_key)
{
    struct tls_direction writing, reading;

    init_pair(&writing, &reading, 0x1302);
    EVP_CIPHER_CTX_reset(writing.context);
    memset(record, 0xAA, sizeof record);
    cr_assert_eq(tls_record_seal(&writing, TLS_TYPE_DATA, content, 50, record), -EIO);
    cr_assert(vector_is_zero(record, 50 + TLS_RECORD_OVERHEAD_BYTES)); // no plaintext stays behind
    ERR_clear_error();
    free_pair(&writing, &reading);
}

Test(tls_record_length, headers)
{
    static const struct {
        uint8_t header[5];
        ssize_t expected;
    } cases[] = {
        {{23, 3, 3, 0, 17}, 22},
        {{23, 3, 3, 0x41, 0x00}, TLS_RECORD_MAX_BYTES},
        {{23, 3, 1, 0, 17}, 22}, // the version is to be ignored (section 5.1)
        {{23, 0, 0, 0, 17}, 22},
        {{23, 3, 3, 0x41, 0x01}, TLS_RECORD_OVERFLOW},
        {{23, 3, 3, 0xFF, 0xFF}, TLS_RECORD_OVERFLOW},
        {{23, 3, 3, 0, 16}, TLS_RECORD_FORGED},
        {{23, 3, 3, 0, 0}, TLS_RECORD_FORGED},
        {{20, 3, 3, 0, 1}, TLS_RECORD_UNEXPECTED}, // ChangeCipherSpec, after the handshake
        {{21, 3, 3, 0, 2}, TLS_RECORD_UNEXPECTED},
        {{22, 3, 3, 0, 17}, TLS_RECORD_UNEXPECTED},
        {{24, 3, 3, 0, 17}, TLS_RECORD_UNEXPECTED},
        {{0, 3, 3, 0xFF, 0xFF}, TLS_RECORD_UNEXPECTED},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        cr_assert_eq(tls_record_length(cases[i].header), cases[i].expected, "case %zu", i);
}

Test(tls_record_open, refuses_every_flipped_bit)
{
    for (unsigned number = 0x1301; number <= 0x1303; number++) {
        struct tls_direction writing, reading;
        enum tls_record_type type;
        ssize_t n;

        init_pair(&writing, &reading, number);
        n = tls_record_seal(&writing, TLS_TYPE_DATA, content, 40, record);
        for (ssize_t bit = 0; bit < 8 * n; bit++) {
            record[bit / 8] ^= (uint8_t)(1 << bit % 8);
            reading.sequence = 0;
            memset(plain, 0xAA, sizeof plain);
            cr_assert_eq(tls_record_open(&reading, record, (size_t)n, plain, &type),
                         TLS_RECORD_FORGED);
            cr_assert(vector_is_zero(plain, 41));
            cr_assert_eq(plain[41], 0xAA);
            record[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        reading.sequence = 0;
        cr_assert_eq(tls_record_open(&reading, record, (size_t)n, plain, &type), 40);
        ERR_clear_error();
        free_pair(&writing, &reading);
    }
}

Test(tls_record_open, refuses_replay_reorder_and_truncation)
{
    struct tls_direction writing, reading;
    enum tls_record_type type;
    uint8_t second[100];
    ssize_t n, m;

    init_pair(&writing, &reading, 0x1303);
    n = tls_record_seal(&writing, TLS_TYPE_DATA, content, 40, record);
    m = tls_record_seal(&writing, TLS_TYPE_DATA, content, 30, second);
    cr_assert_eq(tls_record_open(&reading, second, (size_t)m, plain, &type), TLS_RECORD_FORGED);
    reading.sequence = 0;
    cr_assert_eq(tls_record_open(&reading, record, (size_t)n, plain, &type), 40);
    cr_assert_eq(tls_record_open(&reading, record, (size_t)n, plain, &type), TLS_RECORD_FORGED);
    reading.sequence = 1;
    second[4]--;
    cr_assert_eq(tls_record_open(&reading, second, (size_t)m - 1, plain, &type), TLS_RECORD_FORGED);
    ERR_clear_error();
    free_pair(&writing, &reading);
}

Test(tls_record_open, padding)
{
    static uint8_t inner[TLS_RECORD_CIPHERTEXT_MAX];
    // Content, type and zeros: how much, and what comes of it.
    static const struct {
        size_t content_len, inner_len;
        ssize_t expected;
    } cases[] = {
        {0, 1, 0},
        {0, 16385, 0},
        {5, 6, 5},
        {5, 16385, 5},
        {16384, 16385, 16384},
        {16384, 16386, TLS_RECORD_OVERFLOW},
        {5, 16386, TLS_RECORD_OVERFLOW},
        {5, 16624, TLS_RECORD_OVERFLOW},
        {16385, 16386, TLS_RECORD_OVERFLOW},
        {16623, 16624, TLS_RECORD_OVERFLOW},
    };
    struct tls_direction writing, reading;

    init_pair(&writing, &reading, 0x1301);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum tls_record_type type = 0;
        size_t len;

        memset(inner, 0, sizeof inner);
        memset(inner, 1, cases[i].content_len);
        inner[cases[i].content_len] = TLS_TYPE_ALERT;
        len = protect(&writing, inner, cases[i].inner_len);
        cr_assert_eq(tls_record_length(record), len);
        memset(plain, 0xAA, sizeof plain);
        cr_assert_eq(tls_record_open(&reading, record, len, plain, &type), cases[i].expected,
                     "case %zu", i);
        if (cases[i].expected < 0)
            cr_assert(vector_is_zero(plain, cases[i].inner_len));
        else
            cr_assert(type == TLS_TYPE_ALERT && memcmp(plain, inner, cases[i].content_len) == 0);
    }
    free_pair(&writing, &reading);
}

Test(tls_record_open, no_type_at_all)
{
    static const uint8_t zeros[TLS_RECORD_PLAINTEXT_MAX + 1];
    struct tls_direction writing, reading;
    enum tls_record_type type;

    init_pair(&writing, &reading, 0x1302);
    for (size_t len = 1; len <= sizeof zeros; len += 1024) {
        size_t total = protect(&writing, zeros, len);

        cr_assert_eq(tls_record_open(&reading, record, total, plain, &type), TLS_RECORD_UNEXPECTED);
    }
    free_pair(&writing, &reading);
}

Test(tls_direction_update, both_ends_go_on)
{
    for (unsigned number = 0x1301; number <= 0x1303; number++) {
        struct tls_direction writing, reading;
        enum tls_record_type type;

        init_pair(&writing, &reading, number);
        for (int generation = 0; generation < 5; generation++) {
            for (int i = 0; i < 3; i++) {
                ssize_t n = tls_record_seal(&writing, TLS_TYPE_DATA, content, 100, record);

                cr_assert_eq(tls_record_open(&reading, record, (size_t)n, plain, &type), 100);
            }
            cr_assert_eq(tls_direction_update(&writing), 0);
            cr_assert_eq(tls_direction_update(&reading), 0);
            cr_assert_eq(writing.sequence, 0);
        }
        // A generation apart, nothing opens.
        cr_assert_eq(tls_direction_update(&writing), 0);
        ssize_t n = tls_record_seal(&writing, TLS_TYPE_DATA, content, 100, record);
        cr_assert_eq(tls_record_open(&reading, record, (size_t)n, plain, &type), TLS_RECORD_FORGED);
        ERR_clear_error();
        free_pair(&writing, &reading);
    }
}

Test(tls_direction_init, no_such_digest)
{
    struct tls_suite broken = *suite_of(0x1302);
    struct tls_direction d;

    broken.digest = "NO-SUCH";
    cr_assert_eq(tls_direction_init(&d, &broken, some_secret, 1), -EIO);
    tls_direction_free(&d);
    cr_assert_eq(tls_direction_init(&d, suite_of(0x1302), some_secret, 1), 0);
    d.suite = &broken;
    cr_assert_eq(tls_direction_update(&d), -EIO);
    cr_assert_arr_eq(d.secret, some_secret, 48);
    tls_direction_free(&d);
    ERR_clear_error();
}

Test(tls_direction_free, wipes)
{
    struct tls_direction d;

    cr_assert_eq(tls_direction_init(&d, suite_of(0x1302), some_secret, 1), 0);
    tls_direction_free(&d);
    cr_assert(vector_is_zero(&d, sizeof d));
    tls_direction_free(&d); // harmless again
}
