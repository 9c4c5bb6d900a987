// AES-256-GCM (NIST SP 800-38D): the calls that lead to the tier that runs. Any thread; a key
// belongs to one at a time. Computes nothing itself.
#include <assert.h>

#include "internal.h"

int sp_aead_key_init(struct sp_aead_key *key, const uint8_t raw[SP_KEY_BYTES])
{
    assert(sp_active != NULL);
    key->state = NULL;
    return sp_active->aead->init_key(key, raw);
}

void sp_aead_key_free(struct sp_aead_key *key)
{
    if (key->state != NULL)
        sp_active->aead->free_key(key);
    key->state = NULL;
}

int sp_aead_seal_batch(const struct sp_aead_job *jobs, size_t count)
{
    return count == 0 ? 0 : sp_active->aead->seal_batch(jobs, count);
}

bool sp_aead_open_batch(const struct sp_aead_job *jobs, size_t count, bool *ok)
{
    return count == 0 || sp_active->aead->open_batch(jobs, count, ok);
}
