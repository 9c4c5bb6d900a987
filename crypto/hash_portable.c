// HKDF-SHA-256 (RFC 5869) and the ratchet's chain, portable tier: libsodium's HMAC, which allocates
// nothing and cannot fail. Any thread.
#include <sodium.h>
#include <string.h>

#include "internal.h"

#define HASH_BYTES crypto_auth_hmacsha256_BYTES

// Section 2.2: PRK = HMAC(salt, IKM).
static void extract(uint8_t prk[HASH_BYTES], const struct sp_hkdf_job *job)
{
    static const uint8_t nothing[1];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, job->salt_len == 0 ? nothing : job->salt, job->salt_len);
    crypto_auth_hmacsha256_update(&state, job->ikm, job->ikm_len);
    crypto_auth_hmacsha256_final(&state, prk);
    sp_wipe(&state, sizeof(state));
}

// Section 2.3: T(n) = HMAC(PRK, T(n-1) ‖ info ‖ n), the first T without a predecessor.
static void expand(const struct sp_hkdf_job *job, const uint8_t prk[HASH_BYTES])
{
    crypto_auth_hmacsha256_state state;
    uint8_t block[HASH_BYTES];
    size_t done = 0;
    for (uint8_t number = 1; done < job->out_len; number++) {
        crypto_auth_hmacsha256_init(&state, prk, HASH_BYTES);
        if (number > 1)
            crypto_auth_hmacsha256_update(&state, block, HASH_BYTES);
        crypto_auth_hmacsha256_update(&state, job->info, job->info_len);
        crypto_auth_hmacsha256_update(&state, &number, 1);
        crypto_auth_hmacsha256_final(&state, block);
        size_t part = job->out_len - done < HASH_BYTES ? job->out_len - done : HASH_BYTES;
        memcpy(job->out + done, block, part);
        done += part;
    }
    sp_wipe(&state, sizeof(state));
    sp_wipe(block, sizeof(block));
}

static void hkdf(const struct sp_hkdf_job *jobs, size_t count)
{
    uint8_t prk[HASH_BYTES];
    for (size_t i = 0; i < count; i++) {
        extract(prk, &jobs[i]);
        expand(&jobs[i], prk);
    }
    sp_wipe(prk, sizeof(prk));
}

static void chain_step(uint8_t (*chain)[32], uint8_t (*message_key)[32], size_t count)
{
    static const uint8_t one[1] = {0x01}, two[1] = {0x02};
    for (size_t i = 0; i < count; i++) {
        crypto_auth_hmacsha256(message_key[i], one, sizeof(one), chain[i]);
        crypto_auth_hmacsha256(chain[i], two, sizeof(two), chain[i]);
    }
}

const struct sp_hash_tier sp_hash_portable = {
    .hkdf = hkdf,
    .chain_step = chain_step,
};
