// Keys of simulated users. Runs during set-up and between handshakes, on the user's thread; never
// on the message path.
#include "persona.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int persona_init(struct persona *p, uint64_t run_id, uint32_t number)
{
    int err;

    *p = (struct persona){0};
    snprintf(p->name, sizeof p->name, "u%016" PRIx64 "-%" PRIu32, run_id, number);
    err = sp_random(p->seed, sizeof p->seed);
    if (err < 0)
        return err;
    sp_ed25519_public(p->key, p->seed);
    sp_mailbox_id(p->mailbox, p->key);
    return 0;
}

void persona_free(struct persona *p)
{
    if (p->one_time)
        sp_wipe(p->one_time, (p->one_time_mask + 1) * sizeof *p->one_time);
    free(p->one_time);
    sp_wipe(p, sizeof *p);
}

int persona_make_signed_prekey(struct persona *p, uint32_t one_time_max)
{
    uint8_t encoded[SP_ENCODED_KEY_BYTES];
    struct sp_ed25519_job job = {.public_key = p->key,
                                 .seed = p->seed,
                                 .message = encoded,
                                 .message_len = sizeof encoded,
                                 .signature = p->signed_prekey_signature};
    int err;

    assert(one_time_max <= PERSONA_ONE_TIME_MAX && (one_time_max & (one_time_max - 1)) == 0);
    p->one_time = calloc(one_time_max, sizeof *p->one_time);
    if (!p->one_time)
        return -ENOMEM;
    p->one_time_mask = one_time_max - 1;
    err = sp_random(p->signed_prekey_secret, sizeof p->signed_prekey_secret);
    if (err < 0)
        return err;
    sp_x25519_base_batch(&p->signed_prekey, (const uint8_t(*)[32]) & p->signed_prekey_secret, 1);
    sp_encode_x25519(encoded, p->signed_prekey);
    sp_ed25519_sign_batch(&job, 1);
    return 0;
}

int persona_make_one_time(struct persona *p, uint8_t (*keys)[32], uint32_t count,
                          uint32_t *first_id)
{
    uint8_t secrets[PERSONA_BATCH_MAX][32];
    int err;

    assert(count > 0 && count <= PERSONA_BATCH_MAX && count <= p->one_time_mask + 1);
    err = sp_random(secrets[0], count * sizeof secrets[0]);
    if (err < 0)
        return err;
    sp_x25519_base_batch(keys, (const uint8_t(*)[32])secrets, count);
    *first_id = p->one_time_last_id + 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = ++p->one_time_last_id;
        struct persona_one_time *slot = &p->one_time[id & p->one_time_mask];

        slot->id = id;
        memcpy(slot->secret, secrets[i], sizeof slot->secret);
    }
    p->one_time_stock += count;
    sp_wipe(secrets, sizeof secrets);
    return 0;
}

const uint8_t *persona_find_one_time(const struct persona *p, uint32_t id)
{
    const struct persona_one_time *slot;

    if (id == 0 || !p->one_time)
        return NULL;
    slot = &p->one_time[id & p->one_time_mask];
    return slot->id == id ? slot->secret : NULL;
}

void persona_drop_one_time(struct persona *p, uint32_t id)
{
    struct persona_one_time *slot = &p->one_time[id & p->one_time_mask];

    assert(slot->id == id);
    sp_wipe(slot, sizeof *slot);
    p->one_time_stock--;
}

int persona_sign_login(const struct persona *p, const char *verb, const uint8_t challenge[32],
                       uint8_t signature[64])
{
    uint8_t text[SP_LOGIN_TEXT_BYTES];
    struct sp_ed25519_job job = {
        .public_key = p->key, .seed = p->seed, .message = text, .signature = signature};

    job.message_len = sp_login_text(text, verb, challenge, p->name, p->key);
    sp_ed25519_sign_batch(&job, 1);
    return 0;
}
