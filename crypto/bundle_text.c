// A prekey bundle as text of QR's alphanumeric mode (docs/PROTOCOL.md section 7). Pure, any thread,
// no allocation. All of it is public: nothing here needs constant time.
//
//      0  version   1  flags   2  Ed25519 key
//     34  signed prekey: id, key, signature
//    134  [one-time prekey: id, key]
//      …  [KEM prekey: id, key, signature]
//      …  [ML-DSA-65 key, its signature of the signed prekey [and of the KEM prekey]]
//      …  the first 4 bytes of SHA-256(all before)
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "internal.h"

#define PREFIX "SEALPOST:"
#define PREFIX_BYTES (sizeof(PREFIX) - 1)
#define VERSION 1u
#define CHECKSUM_BYTES 4u

#define HAS_ONE_TIME_PREKEY 0x01u
#define HAS_KEM_PREKEY 0x02u
#define KEM_IS_ONE_TIME 0x04u
#define IS_HYBRID 0x08u
#define KNOWN_FLAGS 0x0Fu

#define BASE_BYTES (2u + 32u + 4u + 32u + 64u)
#define ONE_TIME_PREKEY_BYTES (4u + 32u)
#define KEM_PREKEY_BYTES (4u + SP_ML_KEM_PUBLIC_BYTES + 64u)
#define HYBRID_BYTES (SP_ML_DSA_PUBLIC_BYTES + SP_ML_DSA_SIGNATURE_BYTES)
#define PACKED_BYTES_MAX                                                                           \
    (BASE_BYTES + ONE_TIME_PREKEY_BYTES + KEM_PREKEY_BYTES + HYBRID_BYTES +                        \
     SP_ML_DSA_SIGNATURE_BYTES + CHECKSUM_BYTES)
#define TEXT_BYTES_MAX (PREFIX_BYTES + (PACKED_BYTES_MAX * 8u + 4u) / 5u)
_Static_assert(TEXT_BYTES_MAX < SP_BUNDLE_TEXT_BYTES, "room for any, and its NUL");

// ---- base32 (RFC 4648 section 6, without padding) -----------------------------------------------

static char digit(uint32_t value)
{
    return (char)(value < 26 ? 'A' + value : '2' + (value - 26));
}

// -1 for a character outside of the alphabet.
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

// Returns the number of characters.
static size_t encode_base32(char *out, const uint8_t *in, size_t len)
{
    char *to = out;
    uint32_t bits = 0; // the lowest `held` ones are not written yet
    unsigned held = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | in[i];
        held += 8;
        while (held >= 5) {
            held -= 5;
            *to++ = digit(bits >> held & 31);
        }
    }
    if (held > 0)
        *to++ = digit(bits << (5 - held) & 31);
    return (size_t)(to - out);
}

// Writes len × 5 / 8 bytes. False unless exactly these have this text: what is left over must be
// zero, and less than a character.
static bool decode_base32(uint8_t *out, const char *in, size_t len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < len; i++) {
        const int value = value_of(in[i]);
        if (value < 0)
            return false;
        bits = bits << 5 | (uint32_t)value;
        held += 5;
        if (held >= 8) {
            held -= 8;
            *out++ = (uint8_t)(bits >> held);
        }
    }
    return held < 5 && (bits & ((1u << held) - 1)) == 0;
}

// ---- the bytes underneath -----------------------------------------------------------------------

static uint8_t *put(uint8_t *to, const void *bytes, size_t len)
{
    memcpy(to, bytes, len);
    return to + len;
}

static uint8_t *put_id(uint8_t *to, uint32_t id)
{
    assert(id != 0);
    const uint8_t bytes[] = {(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
                             (uint8_t)id};
    return put(to, bytes, sizeof(bytes));
}

static const uint8_t *take(void *out, const uint8_t *from, size_t len)
{
    memcpy(out, from, len);
    return from + len;
}

static const uint8_t *take_id(uint32_t *id, const uint8_t *from)
{
    *id = (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
    return from + 4;
}

static void checksum(uint8_t out[CHECKSUM_BYTES], const uint8_t *in, size_t len)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, in, len);
    memcpy(out, hash, CHECKSUM_BYTES);
}

// The checksum included.
static size_t packed_bytes(unsigned flags)
{
    size_t len = BASE_BYTES + CHECKSUM_BYTES;
    if (flags & HAS_ONE_TIME_PREKEY)
        len += ONE_TIME_PREKEY_BYTES;
    if (flags & HAS_KEM_PREKEY)
        len += KEM_PREKEY_BYTES;
    if (flags & IS_HYBRID)
        len += HYBRID_BYTES;
    if ((flags & IS_HYBRID) && (flags & HAS_KEM_PREKEY))
        len += SP_ML_DSA_SIGNATURE_BYTES;
    return len;
}

static uint8_t flags_of(const struct sp_bundle *bundle)
{
    unsigned flags = 0;
    if (bundle->has_one_time_prekey)
        flags |= HAS_ONE_TIME_PREKEY;
    if (bundle->kem_prekey != NULL)
        flags |= HAS_KEM_PREKEY;
    if (bundle->kem_prekey != NULL && bundle->kem_prekey->is_one_time)
        flags |= KEM_IS_ONE_TIME;
    if (bundle->ml_dsa != NULL)
        flags |= IS_HYBRID;
    return (uint8_t)flags;
}

static bool has_known_flags(unsigned flags)
{
    return (flags & ~KNOWN_FLAGS) == 0 && !((flags & KEM_IS_ONE_TIME) && !(flags & HAS_KEM_PREKEY));
}

static size_t pack(uint8_t *out, const struct sp_bundle *bundle)
{
    const struct sp_kem_prekey *kem = bundle->kem_prekey;
    const struct sp_ml_dsa_bundle *ml_dsa = bundle->ml_dsa;
    const uint8_t head[] = {VERSION, flags_of(bundle)};

    uint8_t *to = put(out, head, sizeof(head));
    to = put(to, bundle->identity_key, 32);
    to = put_id(to, bundle->signed_prekey_id);
    to = put(to, bundle->signed_prekey, 32);
    to = put(to, bundle->signed_prekey_signature, 64);
    if (bundle->has_one_time_prekey) {
        to = put_id(to, bundle->one_time_prekey_id);
        to = put(to, bundle->one_time_prekey, 32);
    }
    if (kem != NULL) {
        to = put_id(to, kem->id);
        to = put(to, kem->key, sizeof(kem->key));
        to = put(to, kem->signature, sizeof(kem->signature));
    }
    if (ml_dsa != NULL) {
        to = put(to, ml_dsa->key, sizeof(ml_dsa->key));
        to = put(to, ml_dsa->signed_prekey_signature, SP_ML_DSA_SIGNATURE_BYTES);
    }
    if (ml_dsa != NULL && kem != NULL)
        to = put(to, ml_dsa->kem_prekey_signature, SP_ML_DSA_SIGNATURE_BYTES);
    checksum(to, out, (size_t)(to - out));
    return (size_t)(to - out) + CHECKSUM_BYTES;
}

// From after the flags on; the length is right. False for an id of 0.
static bool unpack(struct sp_bundle_storage *out, const uint8_t *in, unsigned flags)
{
    struct sp_bundle *bundle = &out->bundle;
    struct sp_kem_prekey *kem = &out->kem_prekey;
    struct sp_ml_dsa_bundle *ml_dsa = &out->ml_dsa;
    bool has_ids;

    in = take(bundle->identity_key, in, 32);
    in = take_id(&bundle->signed_prekey_id, in);
    in = take(bundle->signed_prekey, in, 32);
    in = take(bundle->signed_prekey_signature, in, 64);
    has_ids = bundle->signed_prekey_id != 0;
    if (flags & HAS_ONE_TIME_PREKEY) {
        bundle->has_one_time_prekey = true;
        in = take_id(&bundle->one_time_prekey_id, in);
        in = take(bundle->one_time_prekey, in, 32);
        has_ids = has_ids && bundle->one_time_prekey_id != 0;
    }
    if (flags & HAS_KEM_PREKEY) {
        bundle->kem_prekey = kem;
        kem->is_one_time = (flags & KEM_IS_ONE_TIME) != 0;
        in = take_id(&kem->id, in);
        in = take(kem->key, in, sizeof(kem->key));
        in = take(kem->signature, in, sizeof(kem->signature));
        has_ids = has_ids && kem->id != 0;
    }
    if (flags & IS_HYBRID) {
        bundle->ml_dsa = ml_dsa;
        in = take(ml_dsa->key, in, sizeof(ml_dsa->key));
        in = take(ml_dsa->signed_prekey_signature, in, SP_ML_DSA_SIGNATURE_BYTES);
    }
    if ((flags & IS_HYBRID) && (flags & HAS_KEM_PREKEY))
        take(ml_dsa->kem_prekey_signature, in, SP_ML_DSA_SIGNATURE_BYTES);
    return has_ids;
}

// ---- exported -----------------------------------------------------------------------------------

size_t sp_bundle_encode_text(char out[SP_BUNDLE_TEXT_BYTES], const struct sp_bundle *bundle)
{
    uint8_t packed[PACKED_BYTES_MAX];
    const size_t packed_len = pack(packed, bundle);
    memcpy(out, PREFIX, PREFIX_BYTES);
    const size_t len = PREFIX_BYTES + encode_base32(out + PREFIX_BYTES, packed, packed_len);
    out[len] = '\0';
    return len;
}

// The order of the checks is that of what a reader can be told: no bundle at all, another version,
// cut off, misread.
static int decode(struct sp_bundle_storage *out, const char *text, size_t len)
{
    uint8_t packed[PACKED_BYTES_MAX], expected[CHECKSUM_BYTES];
    if (len < PREFIX_BYTES || memcmp(text, PREFIX, PREFIX_BYTES) != 0)
        return SP_BUNDLE_TEXT;
    if (len > TEXT_BYTES_MAX)
        return SP_BUNDLE_LENGTH;
    if (!decode_base32(packed, text + PREFIX_BYTES, len - PREFIX_BYTES))
        return SP_BUNDLE_TEXT;

    const size_t packed_len = (len - PREFIX_BYTES) * 5 / 8;
    if (packed_len < 2)
        return SP_BUNDLE_LENGTH;
    if (packed[0] != VERSION)
        return SP_BUNDLE_VERSION;
    if (!has_known_flags(packed[1]))
        return SP_BUNDLE_FIELD;
    if (packed_len != packed_bytes(packed[1]))
        return SP_BUNDLE_LENGTH;
    checksum(expected, packed, packed_len - CHECKSUM_BYTES);
    if (memcmp(expected, packed + packed_len - CHECKSUM_BYTES, CHECKSUM_BYTES) != 0)
        return SP_BUNDLE_CHECKSUM;
    return unpack(out, packed + 2, packed[1]) ? 0 : SP_BUNDLE_FIELD;
}

int sp_bundle_decode_text(struct sp_bundle_storage *out, const char *text, size_t len)
{
    memset(out, 0, sizeof(*out));
    const int error = decode(out, text, len);
    if (error != 0)
        memset(out, 0, sizeof(*out));
    return error;
}
