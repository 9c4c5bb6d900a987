// WebSocket masking (RFC 6455 section 5.3): the portable kernel, the table of kernels and the
// choice between them. Any thread; never allocates, never logs.
#include <stdatomic.h>
#include <stdlib.h>

#include "ws.h"
#include "ws_mask_impl.h"

// The reference the other kernels are tested against: eight bytes at a time.
void ws_mask_portable(uint8_t *out, const uint8_t *in, size_t len, uint32_t key)
{
    uint64_t wide_key;
    uint8_t key_bytes[sizeof key];
    size_t at = 0;

    memcpy(key_bytes, &key, sizeof key);
    memcpy(&wide_key, &key, sizeof key);
    memcpy((uint8_t *)&wide_key + sizeof key, &key, sizeof key);
    for (; len - at >= sizeof wide_key; at += sizeof wide_key) {
        uint64_t word;
        memcpy(&word, in + at, sizeof word);
        word ^= wide_key;
        memcpy(out + at, &word, sizeof word);
    }
    for (; at < len; at++)
        out[at] = in[at] ^ key_bytes[at & 3];
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

static bool has_all(void)
{
    return true;
}

const struct ws_mask_tier ws_mask_tiers[WS_MASK_TIER_COUNT] = {
    {"avx512", ws_mask_avx512, has_avx512},
    {"avx2", ws_mask_avx2, has_avx2},
    {"portable", ws_mask_portable, has_all},
};

const struct ws_mask_tier *ws_mask_choose_tier(const char *wish)
{
    size_t i = 0;

    if (wish != NULL) {
        while (i < WS_MASK_TIER_COUNT && strcmp(wish, ws_mask_tiers[i].name) != 0)
            i++;
        if (i == WS_MASK_TIER_COUNT)
            i = 0;
    }
    while (!ws_mask_tiers[i].is_supported())
        i++;
    return &ws_mask_tiers[i];
}

// Chosen at the first call. Threads that race choose the same, and it points to constant data, so
// relaxed is enough.
static const struct ws_mask_tier *active_tier(void)
{
    static const struct ws_mask_tier *_Atomic active;
    const struct ws_mask_tier *tier = atomic_load_explicit(&active, memory_order_relaxed);

    if (__builtin_expect(tier == NULL, 0)) {
        tier = ws_mask_choose_tier(getenv("SEALPOST_WS_TIER"));
        atomic_store_explicit(&active, tier, memory_order_relaxed);
    }
    return tier;
}

void ws_mask_to(uint8_t *out, const uint8_t *in, size_t len, const uint8_t mask[4])
{
    uint32_t key;

    memcpy(&key, mask, sizeof key);
    active_tier()->mask(out, in, len, key);
}

void ws_mask(uint8_t *bytes, size_t len, const uint8_t mask[4])
{
    ws_mask_to(bytes, bytes, len, mask);
}

const char *ws_mask_tier(void)
{
    return active_tier()->name;
}
