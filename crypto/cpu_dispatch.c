// What this CPU can run, for the table of tiers. Any thread. Compiled for every CPU.
#include <cpuid.h>

#include "internal.h"

// CPUID leaf 7, ECX. Asked directly: not every compiler's __builtin_cpu_supports knows the two.
// That the system saves the wide registers is what it says of avx2 and avx512f.
#define CPUID_VAES (1u << 9)
#define CPUID_VPCLMULQDQ (1u << 10)
// CPUID leaf 7, EBX.
#define CPUID_SHA (1u << 29)

struct leaf_7 {
    unsigned ebx, ecx;
};

static struct leaf_7 read_leaf_7(void)
{
    struct leaf_7 leaf = {0, 0};
    unsigned eax, edx;
    if (__get_cpuid_count(7, 0, &eax, &leaf.ebx, &leaf.ecx, &edx) == 0)
        leaf = (struct leaf_7){0, 0};
    return leaf;
}

bool sp_cpu_has_aesni(void)
{
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
           __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3");
}

bool sp_cpu_has_avx2(void)
{
    const unsigned wanted = CPUID_VAES | CPUID_VPCLMULQDQ;
    return sp_cpu_has_aesni() && __builtin_cpu_supports("avx2") &&
           (read_leaf_7().ecx & wanted) == wanted;
}

bool sp_cpu_has_avx512(void)
{
    return sp_cpu_has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi") &&
           (read_leaf_7().ebx & CPUID_SHA) != 0;
}
