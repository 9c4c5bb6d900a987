// Start of the library: choose a tier, randomness, wiping. Any thread; sp_init locks, nothing else
// here does.
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "internal.h"

static bool has_all(void)
{
    return true;
}

// Best first: of those this machine supports the first one runs, or the one that
// SEALPOST_CRYPTO_TIER names.
static const struct sp_tier tiers[] = {
    {"avx512", sp_cpu_has_avx512, &sp_aead_avx512, &sp_curve_avx512, &sp_hash_avx512},
    {"avx2", sp_cpu_has_avx2, &sp_aead_avx2, &sp_curve_portable, &sp_hash_portable},
    {"aesni", sp_cpu_has_aesni, &sp_aead_aesni, &sp_curve_portable, &sp_hash_portable},
    {"portable", has_all, &sp_aead_portable, &sp_curve_portable, &sp_hash_portable},
};

static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;
const struct sp_tier *sp_active;

static const struct sp_tier *choose_tier(void)
{
    const char *forced = getenv("SEALPOST_CRYPTO_TIER");
    const bool any = forced == NULL || forced[0] == '\0';
    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if ((any || strcmp(forced, tiers[i].name) == 0) && tiers[i].is_supported())
            return &tiers[i];
    }
    return NULL;
}

static int start(void)
{
    const struct sp_tier *tier = choose_tier();
    if (tier == NULL)
        return -ENOTSUP;
    if (sodium_init() < 0)
        return -EIO;
    if (tier->curve->init != NULL)
        tier->curve->init();
    int error = tier->aead->init();
    if (error == 0)
        error = sp_ml_kem_init();
    if (error == 0)
        error = sp_ml_dsa_init();
    if (error == 0)
        __atomic_store_n(&sp_active, tier, __ATOMIC_RELEASE);
    return error;
}

int sp_init(void)
{
    int error = 0;
    pthread_mutex_lock(&init_lock);
    if (sp_active == NULL)
        error = start();
    pthread_mutex_unlock(&init_lock);
    return error;
}

const char *sp_tier(void)
{
    const struct sp_tier *tier = __atomic_load_n(&sp_active, __ATOMIC_ACQUIRE);
    return tier == NULL ? "none" : tier->name;
}

void sp_wipe(void *secret, size_t len)
{
    sodium_memzero(secret, len);
}

int sp_random(uint8_t *out, size_t len)
{
    size_t have = 0;
    while (have < len) {
        ssize_t n = getrandom(out + have, len - have, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int error = -errno;
            sp_wipe(out, len);
            return error;
        }
        have += (size_t)n;
    }
    return 0;
}
