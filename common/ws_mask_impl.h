// The masking kernels behind ws_mask, one for each instruction set. For ws_mask*.c and their test.
#ifndef SEALPOST_WS_MASK_IMPL_H
#define SEALPOST_WS_MASK_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "units.h"

// XOR `len` bytes with the key's four bytes, in memory order, starting at the first. out ≤ in, the
// ranges may overlap: a kernel goes upwards and stores nothing before it has loaded what stands
// there.
typedef void ws_mask_kernel(uint8_t *out, const uint8_t *in, size_t len, uint32_t key);

ws_mask_kernel ws_mask_portable, ws_mask_avx2, ws_mask_avx512;

struct ws_mask_tier {
    const char *name;
    ws_mask_kernel *mask;
    bool (*is_supported)(void); // by this CPU and kernel
};

#define WS_MASK_TIER_COUNT 3

// Best first; the last one runs everywhere.
extern const struct ws_mask_tier ws_mask_tiers[WS_MASK_TIER_COUNT];

// The tier for a wish: NULL or an unknown name wish for the best. A tier this CPU lacks falls back
// to the next below it that the CPU has.
const struct ws_mask_tier *ws_mask_choose_tier(const char *wish);

// The key as seen from byte `phase` on: byte 0 of the result is byte phase mod 4 of the key.
// For the x86 kernels, so little-endian.
static inline uint32_t ws_mask_rotate_key(uint32_t key, size_t phase)
{
    uint32_t bits = (uint32_t)(phase & 3) * 8;

    return key >> bits | key << (-bits & 31);
}

#endif
