// AES-256-GCM (NIST SP 800-38D): which implementation runs, and the calls that lead to it. Any
// thread; a key belongs to one at a time. Computes nothing itself.
#include <assert.h>
#include <cpuid.h>

#include "internal.h"

// CPUID leaf 7, ECX. Asked directly: not every compiler's __builtin_cpu_supports knows the two.
// That the system saves the wide registers is what it says of avx512f.
#define CPUID_VAES (1u << 9)
#define CPUID_VPCLMULQDQ (1u << 10)

// Set once by sp_aead_init, before every other call.
static const struct sp_aead_tier *active;

static bool has_leaf_7_ecx(unsigned wanted)
{
    unsigned eax, ebx, ecx, edx;

    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ecx & wanted) == wanted;
}

// Stands here, in a file compiled for every CPU.
bool sp_aead_has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
           has_leaf_7_ecx(CPUID_VAES | CPUID_VPCLMULQDQ);
}

int sp_aead_init(const struct sp_aead_tier *tier)
{
    const int error = tier->init();
    if (error == 0)
        active = tier;
    return error;
}

int sp_aead_key_init(struct sp_aead_key *key, const uint8_t raw[SP_KEY_BYTES])
{
    assert(active != NULL);
    key->state = NULL;
    return active->init_key(key, raw);
}

void sp_aead_key_free(struct sp_aead_key *key)
{
    if (key->state != NULL)
        active->free_key(key);
    key->state = NULL;
}

int sp_aead_seal_batch(const struct sp_aead_job *jobs, size_t count)
{
    return count == 0 ? 0 : active->seal_batch(jobs, count);
}

bool sp_aead_open_batch(const struct sp_aead_job *jobs, size_t count, bool *ok)
{
    return count == 0 || active->open_batch(jobs, count, ok);
}
