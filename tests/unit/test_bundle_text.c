// The bundle as text: every combination of flags against texts made by Python, round trips, and
// every way of being refused.
#include <criterion/criterion.h>
#include <signal.h>
#include <sodium.h>

#include "sealcrypto.h"
#include "vectors.h"

#define PREFIX_BYTES 9u
#define PACKED_BYTES_MAX 9996u
#define TEXT_BYTES_MAX 16003u // version 1 with all that may be in it
#define CHECKSUM_BYTES 4u

// Where fields stand when all are there.
#define SIGNED_PREKEY_ID 34u
#define ONE_TIME_PREKEY_ID 134u
#define KEM_PREKEY_ID 170u

static struct sp_kem_prekey kem_prekey;
static struct sp_ml_dsa_bundle ml_dsa;
static struct sp_bundle_storage decoded;
static char text[SP_BUNDLE_TEXT_BYTES];

static struct sp_bundle make_bundle(unsigned flags)
{
    struct sp_bundle bundle = {
        .signed_prekey_id = 1,
        .has_one_time_prekey = (flags & 1) != 0,
        .one_time_prekey_id = (flags & 1) != 0 ? 0x01020304 : 0,
        .kem_prekey = (flags & 2) != 0 ? &kem_prekey : NULL,
        .ml_dsa = (flags & 8) != 0 ? &ml_dsa : NULL,
    };
    memset(bundle.identity_key, 0x11, 32);
    memset(bundle.signed_prekey, 0x22, 32);
    memset(bundle.signed_prekey_signature, 0x33, 64);
    if (bundle.has_one_time_prekey)
        memset(bundle.one_time_prekey, 0x44, 32);
    kem_prekey.id = UINT32_MAX;
    kem_prekey.is_one_time = (flags & 4) != 0;
    memset(kem_prekey.key, 0x55, sizeof(kem_prekey.key));
    memset(kem_prekey.signature, 0x66, sizeof(kem_prekey.signature));
    memset(ml_dsa.key, 0x77, sizeof(ml_dsa.key));
    memset(ml_dsa.signed_prekey_signature, 0x88, sizeof(ml_dsa.signed_prekey_signature));
    memset(ml_dsa.kem_prekey_signature, (flags & 2) != 0 ? 0x99 : 0,
           sizeof(ml_dsa.kem_prekey_signature));
    return bundle;
}

static size_t make_text(unsigned flags)
{
    const struct sp_bundle bundle = make_bundle(flags);
    return sp_bundle_encode_text(text, &bundle);
}

static void expect_refused(const char *in, size_t len, int error)
{
    memset(&decoded, 0xAA, sizeof(decoded));
    cr_assert_eq(sp_bundle_decode_text(&decoded, in, len), error);
    cr_assert(vector_is_zero(&decoded, sizeof(decoded)));
}

// ---- another base32, bit by bit, for texts the library would not make ---------------------------

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

// The text of `len` bytes, their last four being overwritten by a right checksum. Returns its
// length.
static size_t make_text_of(uint8_t *packed, size_t len)
{
    uint8_t hash[32];
    size_t text_len = PREFIX_BYTES;
    if (len >= CHECKSUM_BYTES) {
        crypto_hash_sha256(hash, packed, len - CHECKSUM_BYTES);
        memcpy(packed + len - CHECKSUM_BYTES, hash, CHECKSUM_BYTES);
    }
    memcpy(text, "SEALPOST:", PREFIX_BYTES);
    for (size_t bit = 0; bit < 8 * len; bit += 5) {
        unsigned value = 0;
        for (size_t i = bit; i < bit + 5; i++)
            value = value << 1 | (i < 8 * len ? packed[i / 8] >> (7 - i % 8) & 1u : 0);
        text[text_len++] = alphabet[value];
    }
    return text_len;
}

// The bytes under a text of the library. Returns how many.
static size_t unmake_text(uint8_t *packed, size_t text_len)
{
    const size_t len = (text_len - PREFIX_BYTES) * 5 / 8;
    memset(packed, 0, len);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        const char *at = strchr(alphabet, text[PREFIX_BYTES + bit / 5]);
        packed[bit / 8] |= (uint8_t)(((at - alphabet) >> (4 - bit % 5) & 1) << (7 - bit % 8));
    }
    return len;
}

// ---- encode and decode --------------------------------------------------------------------------

// SHA-256 (its first bytes) of what Python's base64 and hashlib make of the same bundles.
static const struct known_text {
    unsigned flags;
    size_t len;
    uint8_t sha256[8];
} known_texts[] = {
    {0x00, 230, {0xe5, 0xb4, 0xeb, 0x31, 0xd9, 0xbf, 0x27, 0x5b}},
    {0x01, 288, {0x83, 0x20, 0x64, 0x96, 0x40, 0xbf, 0x1b, 0x1f}},
    {0x02, 2233, {0x0e, 0xb6, 0x81, 0x4e, 0xab, 0xea, 0xbc, 0xf4}},
    {0x03, 2291, {0x18, 0xc2, 0x50, 0x8a, 0x7f, 0x06, 0x1b, 0x1e}},
    {0x06, 2233, {0xc6, 0xfd, 0xe9, 0x48, 0x00, 0x77, 0x81, 0x1e}},
    {0x07, 2291, {0xf9, 0xbe, 0x79, 0x70, 0x5d, 0x67, 0x88, 0x6d}},
    {0x08, 8648, {0xe5, 0x8c, 0xda, 0x67, 0x2f, 0xd6, 0x49, 0x8b}},
    {0x09, 8705, {0xd7, 0x76, 0xff, 0x33, 0xf5, 0x8d, 0xa1, 0x19}},
    {0x0a, 15945, {0xa7, 0xcd, 0xc0, 0x05, 0x87, 0x55, 0xe7, 0xe4}},
    {0x0b, 16003, {0x7c, 0xf2, 0xb6, 0x2a, 0x44, 0x41, 0x16, 0x45}},
    {0x0e, 15945, {0x05, 0x98, 0xa6, 0x42, 0xd6, 0x09, 0x01, 0x69}},
    {0x0f, 16003, {0x1a, 0xf4, 0x23, 0xd0, 0x3a, 0x89, 0x01, 0xfe}},
};
#define KNOWN_TEXTS (sizeof(known_texts) / sizeof(known_texts[0]))

static const char shortest_text[] =
    "SEALPOST:AEABCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIAAAAACIRCEIRCEIRCEIRCEIRCEIR"
    "CEIRCEIRCEIRCEIRCEIRCEIRCEIRCGMZTGMZTGMZTGMZTGMZTGMZTGMZTGMZTGMZTGMZTGMZTGMZTGMZTGMZTGMZTGMZ"
    "TGMZTGMZTGMZTGMZTGMZTGMZTGMZTGMZTGMZTGM24LEQA4";

Test(sp_bundle_encode_text, agrees_with_python)
{
    uint8_t hash[32];
    for (size_t i = 0; i < KNOWN_TEXTS; i++) {
        const struct known_text *known = &known_texts[i];
        memset(text, 0x7F, sizeof(text));
        cr_assert_eq(make_text(known->flags), known->len);
        cr_assert_eq(strlen(text), known->len);
        cr_assert_eq(text[known->len + 1], 0x7F);
        crypto_hash_sha256(hash, (const uint8_t *)text, known->len);
        cr_assert_arr_eq(hash, known->sha256, sizeof(known->sha256), "flags %x", known->flags);
    }
    make_text(0);
    cr_assert_str_eq(text, shortest_text);
}

Test(sp_bundle_encode_text, asserts_the_id_of_the_signed_prekey, .signal = SIGABRT)
{
    struct sp_bundle bundle = make_bundle(0);
    bundle.signed_prekey_id = 0;
    sp_bundle_encode_text(text, &bundle);
}

Test(sp_bundle_encode_text, asserts_the_id_of_the_one_time_prekey, .signal = SIGABRT)
{
    struct sp_bundle bundle = make_bundle(1);
    bundle.one_time_prekey_id = 0;
    sp_bundle_encode_text(text, &bundle);
}

Test(sp_bundle_encode_text, asserts_the_id_of_the_kem_prekey, .signal = SIGABRT)
{
    const struct sp_bundle bundle = make_bundle(2);
    kem_prekey.id = 0;
    sp_bundle_encode_text(text, &bundle);
}

static void expect_equal(const struct sp_bundle *a, const struct sp_bundle *b)
{
    cr_assert_arr_eq(a->identity_key, b->identity_key, 32);
    cr_assert_eq(a->signed_prekey_id, b->signed_prekey_id);
    cr_assert_arr_eq(a->signed_prekey, b->signed_prekey, 32);
    cr_assert_arr_eq(a->signed_prekey_signature, b->signed_prekey_signature, 64);
    cr_assert_eq(a->has_one_time_prekey, b->has_one_time_prekey);
    cr_assert_eq(a->one_time_prekey_id, b->one_time_prekey_id);
    cr_assert_arr_eq(a->one_time_prekey, b->one_time_prekey, 32);
    cr_assert_eq(a->kem_prekey == NULL, b->kem_prekey == NULL);
    cr_assert_eq(a->ml_dsa == NULL, b->ml_dsa == NULL);
    if (a->kem_prekey != NULL) {
        cr_assert_eq(a->kem_prekey->id, b->kem_prekey->id);
        cr_assert_eq(a->kem_prekey->is_one_time, b->kem_prekey->is_one_time);
        cr_assert_arr_eq(a->kem_prekey->key, b->kem_prekey->key, SP_ML_KEM_PUBLIC_BYTES);
        cr_assert_arr_eq(a->kem_prekey->signature, b->kem_prekey->signature, 64);
    }
    if (a->ml_dsa != NULL)
        cr_assert_arr_eq(a->ml_dsa, b->ml_dsa, sizeof(*a->ml_dsa));
}

Test(sp_bundle_decode_text, gives_back_what_was_encoded)
{
    for (size_t i = 0; i < KNOWN_TEXTS; i++) {
        const struct sp_bundle bundle = make_bundle(known_texts[i].flags);
        static char again[SP_BUNDLE_TEXT_BYTES];
        const size_t len = sp_bundle_encode_text(text, &bundle);
        memset(&decoded, 0xAA, sizeof(decoded));
        cr_assert_eq(sp_bundle_decode_text(&decoded, text, len), 0);
        expect_equal(&decoded.bundle, &bundle);
        cr_assert(bundle.kem_prekey == NULL || decoded.bundle.kem_prekey == &decoded.kem_prekey);
        cr_assert(bundle.ml_dsa == NULL || decoded.bundle.ml_dsa == &decoded.ml_dsa);
        cr_assert_eq(sp_bundle_encode_text(again, &decoded.bundle), len);
        cr_assert_str_eq(again, text);
    }
}

Test(sp_bundle_decode_text, takes_random_keys)
{
    for (int round = 0; round < 200; round++) {
        struct sp_bundle bundle = make_bundle(0x0F);
        cr_assert_eq(sp_random((uint8_t *)&ml_dsa, sizeof(ml_dsa)), 0);
        cr_assert_eq(sp_random(kem_prekey.key, sizeof(kem_prekey.key)), 0);
        cr_assert_eq(sp_random(bundle.identity_key, sizeof(bundle.identity_key)), 0);
        const size_t len = sp_bundle_encode_text(text, &bundle);
        cr_assert_eq(sp_bundle_decode_text(&decoded, text, len), 0);
        expect_equal(&decoded.bundle, &bundle);
    }
}

// ---- refusals -----------------------------------------------------------------------------------

Test(sp_bundle_decode_text, refuses_every_truncation)
{
    static const unsigned all_flags[] = {0x00, 0x07, 0x0F};
    for (size_t i = 0; i < 3; i++) {
        const size_t len = make_text(all_flags[i]);
        for (size_t cut = 0; cut < len; cut++) {
            const int error = sp_bundle_decode_text(&decoded, text, cut);
            cr_assert(error == SP_BUNDLE_TEXT || error == SP_BUNDLE_LENGTH, "%zu: %d", cut, error);
        }
        expect_refused(text, 0, SP_BUNDLE_TEXT);
        expect_refused(text, 8, SP_BUNDLE_TEXT);
        expect_refused(text, PREFIX_BYTES, SP_BUNDLE_LENGTH);   // nothing in it
        expect_refused(text, PREFIX_BYTES + 1, SP_BUNDLE_TEXT); // half a byte
    }
}

// What a text is refused for when the character at `at` is another one of the alphabet.
static bool is_expected(size_t at, size_t len, int error)
{
    if (at < PREFIX_BYTES)
        return error == SP_BUNDLE_TEXT;
    if (at <= PREFIX_BYTES + 3) // version and flags
        return error == SP_BUNDLE_VERSION || error == SP_BUNDLE_FIELD ||
               error == SP_BUNDLE_LENGTH || error == SP_BUNDLE_CHECKSUM;
    return error == SP_BUNDLE_CHECKSUM || (at == len - 1 && error == SP_BUNDLE_TEXT);
}

Test(sp_bundle_decode_text, refuses_every_character_changed)
{
    const size_t len = make_text(0);
    for (size_t at = 0; at < len; at++) {
        const char was = text[at];
        for (int c = 0; c < 256; c++) {
            text[at] = (char)c;
            if (text[at] == was)
                continue;
            const int error = sp_bundle_decode_text(&decoded, text, len);
            if (c != 0 && strchr(alphabet, c) != NULL)
                cr_assert(is_expected(at, len, error), "%zu, %d: %d", at, c, error);
            else
                cr_assert_eq(error, SP_BUNDLE_TEXT, "%zu, %d: %d", at, c, error);
        }
        text[at] = was;
    }
    cr_assert_eq(sp_bundle_decode_text(&decoded, text, len), 0);
}

Test(sp_bundle_decode_text, refuses_a_character_changed_anywhere_in_the_longest)
{
    const size_t len = make_text(0x0F);
    for (size_t at = 0; at < len; at++) {
        const char was = text[at];
        text[at] = was == 'A' ? 'B' : 'A';
        const int error = sp_bundle_decode_text(&decoded, text, len);
        cr_assert(is_expected(at, len, error), "%zu: %d", at, error);
        text[at] = was;
    }
}

Test(sp_bundle_decode_text, refuses_what_is_no_such_text)
{
    const size_t len = make_text(0);
    text[len] = 'A'; // six bits left over
    expect_refused(text, len + 1, SP_BUNDLE_TEXT);
    text[len + 1] = '=';
    expect_refused(text, len + 2, SP_BUNDLE_TEXT);
    text[20] = '\0';
    expect_refused(text, len, SP_BUNDLE_TEXT);

    make_text(0);
    for (size_t i = PREFIX_BYTES; i < len; i++)
        text[i] = (char)(text[i] | (text[i] >= 'A' ? 0x20 : 0)); // lower case
    expect_refused(text, len, SP_BUNDLE_TEXT);
    make_text(0);
    text[3] = 'l';
    expect_refused(text, len, SP_BUNDLE_TEXT);
}

Test(sp_bundle_decode_text, refuses_bits_left_over)
{
    // 138 bytes are 220 characters and four bits more: the last character's lowest bit is none.
    const size_t len = make_text(0);
    text[len - 1] = alphabet[strchr(alphabet, text[len - 1]) - alphabet + 1];
    expect_refused(text, len, SP_BUNDLE_TEXT);
}

Test(sp_bundle_decode_text, refuses_another_version)
{
    static uint8_t packed[PACKED_BYTES_MAX];
    for (unsigned version = 0; version < 256; version++) {
        const size_t len = unmake_text(packed, make_text(0));
        packed[0] = (uint8_t)version;
        const size_t text_len = make_text_of(packed, len);
        if (version == 1)
            cr_assert_eq(sp_bundle_decode_text(&decoded, text, text_len), 0);
        else
            expect_refused(text, text_len, SP_BUNDLE_VERSION);
    }
}

Test(sp_bundle_decode_text, refuses_another_length)
{
    static uint8_t packed[PACKED_BYTES_MAX + 8];
    for (size_t i = 0; i < KNOWN_TEXTS; i++) {
        const size_t len = unmake_text(packed, make_text(known_texts[i].flags));
        expect_refused(text, make_text_of(packed, len - 1), SP_BUNDLE_LENGTH);
        expect_refused(text, make_text_of(packed, len + 1), SP_BUNDLE_LENGTH);
    }
    // So short that there is no room for flags, or for a checksum.
    packed[0] = 1;
    packed[1] = 0;
    for (size_t len = 0; len < 4; len++)
        expect_refused(text, make_text_of(packed, len), SP_BUNDLE_LENGTH);
}

Test(sp_bundle_decode_text, refuses_what_is_too_long_unread)
{
    const size_t len = make_text(0x0F);
    cr_assert_eq(len, TEXT_BYTES_MAX);
    text[len] = 'A';
    expect_refused(text, len + 1, SP_BUNDLE_LENGTH);
    char *prefix = strndup(text, PREFIX_BYTES); // what reads on is out of bounds
    expect_refused(prefix, SIZE_MAX, SP_BUNDLE_LENGTH);
    free(prefix);
}

Test(sp_bundle_decode_text, refuses_a_wrong_checksum)
{
    const size_t len = make_text(0);
    text[100] = text[100] == 'A' ? 'B' : 'A';
    expect_refused(text, len, SP_BUNDLE_CHECKSUM);
    make_text(0);
    text[len - 4] = text[len - 4] == 'A' ? 'B' : 'A';
    expect_refused(text, len, SP_BUNDLE_CHECKSUM);
}

Test(sp_bundle_decode_text, refuses_an_unknown_flag)
{
    static uint8_t packed[PACKED_BYTES_MAX];
    for (size_t i = 0; i < KNOWN_TEXTS; i++) {
        for (unsigned flag = 0x10; flag <= 0x80; flag <<= 1) {
            const size_t len = unmake_text(packed, make_text(known_texts[i].flags));
            packed[1] |= (uint8_t)flag;
            expect_refused(text, make_text_of(packed, len), SP_BUNDLE_FIELD);
        }
    }
    // A KEM prekey that is one-time and not there.
    for (unsigned flags = 0; flags < 0x10; flags++) {
        if ((flags & 6) != 0)
            continue;
        const size_t len = unmake_text(packed, make_text(flags));
        packed[1] |= 4;
        expect_refused(text, make_text_of(packed, len), SP_BUNDLE_FIELD);
    }
}

Test(sp_bundle_decode_text, refuses_an_id_of_0)
{
    static const size_t offsets[] = {SIGNED_PREKEY_ID, ONE_TIME_PREKEY_ID, KEM_PREKEY_ID};
    static uint8_t packed[PACKED_BYTES_MAX];
    for (size_t i = 0; i < 3; i++) {
        const size_t len = unmake_text(packed, make_text(0x0F));
        memset(packed + offsets[i], 0, 3);
        packed[offsets[i] + 3] = 1; // the smallest there is
        cr_assert_eq(sp_bundle_decode_text(&decoded, text, make_text_of(packed, len)), 0);
        packed[offsets[i] + 3] = 0;
        expect_refused(text, make_text_of(packed, len), SP_BUNDLE_FIELD);
    }
}
