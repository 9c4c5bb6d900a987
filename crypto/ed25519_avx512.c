// Ed25519 public keys and signatures (RFC 8032 sections 5.1.5 and 5.1.6), eight in lanes. Any
// thread. Never allocates, neither branches on a secret nor indexes by one.
//
// Groups of eight go through each step together: hashes are of all of them, and one inversion,
// which costs a third of a multiple of the base point, serves them all.
#include "ed25519_avx512.h"

#include <sodium.h>
#include <string.h>

#include "ge25519_avx512.h"
#include "internal.h"
#include "sc25519.h"
#include "sha512_avx512.h"

#define GROUPS_MAX 8u
#define JOBS_MAX (GROUPS_MAX * FE_LANES)

// More than any of the functions below uses: secrets are there wherever the compiler put them.
#define STACK_BYTES (16u << 10)
#define NOINLINE __attribute__((noinline)) // so that its frame lies in the stack that gets wiped

// What a call has in memory, most of it secret: 24 KiB.
struct batch {
    struct sp_sha512_message message[JOBS_MAX];
    uint8_t hash[JOBS_MAX][SP_SHA512_BYTES];
    uint8_t secret[JOBS_MAX][32], prefix[JOBS_MAX][32]; // halves of the hash of the seed
    uint8_t nonce[JOBS_MAX][32];
    uint8_t point[JOBS_MAX][32]; // encoded: a public key, or R
    struct fe x[GROUPS_MAX], y[GROUPS_MAX], z[GROUPS_MAX], scratch[GROUPS_MAX];
};

static struct sp_sha512_message join(const uint8_t *first, size_t first_len, const uint8_t *second,
                                     size_t second_len, const uint8_t *third, size_t third_len)
{
    return (struct sp_sha512_message){{first, second, third}, {first_len, second_len, third_len}};
}

// The secret scalar and the prefix of one key. Source: RFC 8032 section 5.1.5, steps 1 and 2.
static void expand(struct batch *b, size_t i)
{
    memcpy(b->secret[i], b->hash[i], 32);
    memcpy(b->prefix[i], b->hash[i] + 32, 32);
    b->secret[i][0] &= 0xF8;
    b->secret[i][31] &= 0x7F;
    b->secret[i][31] |= 0x40;
}

// point[i] = scalar[i] · B, encoded. Source: RFC 8032 section 5.1.2.
static void multiply_base(struct batch *b, const uint8_t (*scalar)[32], size_t count)
{
    const size_t groups = (count + FE_LANES - 1) / FE_LANES;
    for (size_t i = 0; i < groups; i++) {
        struct ge multiple;
        sp_ge_mul_base(&multiple, scalar + i * FE_LANES);
        b->x[i] = multiple.x;
        b->y[i] = multiple.y;
        b->z[i] = multiple.z;
    }
    sp_fe_invert_batch(b->z, b->scratch, groups);
    for (size_t i = 0; i < groups; i++) {
        uint8_t(*encoded)[32] = b->point + i * FE_LANES;
        const struct fe x = fe_mul(&b->x[i], &b->z[i]), y = fe_mul(&b->y[i], &b->z[i]);
        const __mmask8 odd = sp_fe_is_negative(&x);
        sp_fe_store(encoded, &y);
        for (size_t lane = 0; lane < FE_LANES; lane++)
            encoded[lane][31] |= (uint8_t)((odd >> lane & 1) << 7);
    }
}

static NOINLINE void make_public(struct batch *b, uint8_t (*public_key)[32],
                                 const uint8_t (*seed)[32], size_t count)
{
    for (size_t i = 0; i < count; i++)
        b->message[i] = join(seed[i], 32, NULL, 0, NULL, 0);
    sp_sha512_avx512(b->hash, b->message, count);
    for (size_t i = 0; i < count; i++)
        expand(b, i);
    multiply_base(b, (const uint8_t(*)[32])b->secret, count);
    memcpy(public_key, b->point, 32 * count);
}

void sp_ed25519_public_avx512(uint8_t (*public_key)[32], const uint8_t (*seed)[32], size_t count)
{
    struct batch batch = {0}; // lanes without a job multiply zero, or what is left
    for (size_t done = 0; done < count;) {
        const size_t now = count - done < JOBS_MAX ? count - done : JOBS_MAX;
        make_public(&batch, public_key + done, seed + done, now);
        done += now;
    }
    sp_wipe(&batch, sizeof(batch));
    sodium_stackzero(STACK_BYTES);
}

// Source: RFC 8032 section 5.1.6.
static NOINLINE void sign(struct batch *b, const struct sp_ed25519_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        b->message[i] = join(jobs[i].seed, 32, NULL, 0, NULL, 0);
    sp_sha512_avx512(b->hash, b->message, count);
    for (size_t i = 0; i < count; i++) {
        expand(b, i);
        b->message[i] = join(b->prefix[i], 32, jobs[i].message, jobs[i].message_len, NULL, 0);
    }
    sp_sha512_avx512(b->hash, b->message, count);
    for (size_t i = 0; i < count; i++)
        sp_sc25519_reduce(b->nonce[i], b->hash[i]);
    multiply_base(b, (const uint8_t(*)[32])b->nonce, count);
    for (size_t i = 0; i < count; i++)
        b->message[i] =
            join(b->point[i], 32, jobs[i].public_key, 32, jobs[i].message, jobs[i].message_len);
    sp_sha512_avx512(b->hash, b->message, count);
    for (size_t i = 0; i < count; i++) {
        uint8_t challenge[32];
        sp_sc25519_reduce(challenge, b->hash[i]);
        memcpy(jobs[i].signature, b->point[i], 32);
        sp_sc25519_multiply_add(jobs[i].signature + 32, challenge, b->secret[i], b->nonce[i]);
    }
}

void sp_ed25519_sign_avx512(const struct sp_ed25519_job *jobs, size_t count)
{
    struct batch batch = {0}; // lanes without a job multiply zero, or what is left
    for (size_t done = 0; done < count;) {
        const size_t now = count - done < JOBS_MAX ? count - done : JOBS_MAX;
        sign(&batch, jobs + done, now);
        done += now;
    }
    sp_wipe(&batch, sizeof(batch));
    sodium_stackzero(STACK_BYTES);
}
