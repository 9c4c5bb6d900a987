// Keys of simulated users. Runs during set-up and between handshakes, on the user's thread; never
// on the message path.
#include "persona.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int persona_init(struct persona *p, uint64_t run_id, uint32_t number, bool is_hybrid)
{
    uint8_t seed[32], ml_dsa_seed[SP_ML_DSA_SEED_BYTES];
    int err;

    *p = (struct persona){0};
    snprintf(p->name, sizeof p->name, "u%016" PRIx64 "-%" PRIu32, run_id, number);
    err = sp_random(seed, sizeof seed);
    if (err == 0)
        err = sp_random(ml_dsa_seed, sizeof ml_dsa_seed);
    if (err == 0)
        err = sp_identity_init(&p->identity, seed, is_hybrid ? ml_dsa_seed : NULL);
    sp_wipe(seed, sizeof seed);
    sp_wipe(ml_dsa_seed, sizeof ml_dsa_seed);
    if (err < 0)
        return err;
    struct sp_identity_key key = sp_identity_public(&p->identity);
    sp_mailbox_id(p->mailbox, &key);
    return 0;
}

void persona_free(struct persona *p)
{
    if (p->one_time)
        sp_wipe(p->one_time, (p->one_time_mask + 1) * sizeof *p->one_time);
    free(p->one_time);
    if (p->pq) {
        sp_ml_kem_key_free(&p->pq->last_resort_key);
        sp_wipe(p->pq, sizeof *p->pq);
    }
    free(p->pq);
    sp_identity_free(&p->identity);
    sp_wipe(p, sizeof *p);
}

// With every key of the identity. `ml_dsa_65` may be NULL for Ed25519 alone.
static int sign(const struct persona *p, const uint8_t *message, size_t len, uint8_t ed25519[64],
                uint8_t *ml_dsa_65)
{
    const struct sp_ed25519_job job = {.public_key = p->identity.ed25519,
                                       .seed = p->identity.seed,
                                       .message = message,
                                       .message_len = len,
                                       .signature = ed25519};
    const struct sp_ml_dsa_job second = {
        .key = &p->identity.ml_dsa, .message = message, .message_len = len, .signature = ml_dsa_65};

    sp_ed25519_sign_batch(&job, 1);
    return persona_is_hybrid(p) ? sp_ml_dsa_sign_batch(&second, 1) : 0;
}

static int publish_kem(const struct persona *p, const struct sp_ml_kem_key *key, uint32_t id,
                       struct persona_kem_prekey *out)
{
    uint8_t encoded[SP_ENCODED_KEM_KEY_BYTES];

    out->prekey.id = id;
    out->prekey.is_one_time = id != PERSONA_LAST_RESORT_ID;
    memcpy(out->prekey.key, sp_ml_kem_key_public(key), SP_ML_KEM_PUBLIC_BYTES);
    sp_encode_ml_kem(encoded, out->prekey.key);
    return sign(p, encoded, sizeof encoded, out->prekey.signature, out->ml_dsa_65_signature);
}

static int make_last_resort(struct persona *p)
{
    struct persona_pq *pq = p->pq;
    uint8_t seed[SP_ML_KEM_SEED_BYTES];
    int err = sp_random(seed, sizeof seed);

    if (err == 0)
        err = sp_ml_kem_key_init(&pq->last_resort_key, seed);
    sp_wipe(seed, sizeof seed);
    if (err == 0)
        err = publish_kem(p, &pq->last_resort_key, PERSONA_LAST_RESORT_ID, &pq->last_resort);
    pq->last_id = PERSONA_LAST_RESORT_ID;
    return err;
}

int persona_make_prekeys(struct persona *p, enum sp_suite suite, uint32_t one_time_max)
{
    uint8_t encoded[SP_ENCODED_KEY_BYTES];
    bool needs_pq = suite == SP_SUITE_PQXDH || persona_is_hybrid(p);
    int err;

    assert(one_time_max <= PERSONA_ONE_TIME_MAX && (one_time_max & (one_time_max - 1)) == 0);
    p->one_time = calloc(one_time_max, sizeof *p->one_time);
    p->pq = needs_pq ? calloc(1, sizeof *p->pq) : NULL;
    if (!p->one_time || (needs_pq && !p->pq))
        return -ENOMEM;
    p->one_time_mask = one_time_max - 1;
    err = sp_random(p->signed_prekey_secret, sizeof p->signed_prekey_secret);
    if (err < 0)
        return err;
    sp_x25519_base_batch(&p->signed_prekey, (const uint8_t(*)[32]) & p->signed_prekey_secret, 1);
    sp_encode_x25519(encoded, p->signed_prekey);
    err = sign(p, encoded, sizeof encoded, p->signed_prekey_signature,
               needs_pq ? p->pq->signed_prekey_signature : NULL);
    return err == 0 && suite == SP_SUITE_PQXDH ? make_last_resort(p) : err;
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

uint8_t *persona_find_one_time(struct persona *p, uint32_t id)
{
    struct persona_one_time *slot;

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

int persona_make_one_time_kem(struct persona *p, struct persona_kem_prekey *out, uint32_t count)
{
    struct persona_pq *pq = p->pq;

    assert(count > 0 && count <= PERSONA_KEM_BATCH_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = pq->last_id + 1;
        struct persona_one_time_kem *slot = &pq->one_time[id % PERSONA_KEM_MAX];
        struct sp_ml_kem_key key = {NULL};
        int err = sp_random(slot->seed, sizeof slot->seed);

        if (err == 0)
            err = sp_ml_kem_key_init(&key, slot->seed);
        if (err == 0)
            err = publish_kem(p, &key, id, &out[i]);
        sp_ml_kem_key_free(&key);
        if (err < 0)
            return err;
        slot->id = pq->last_id = id;
        pq->stock++;
    }
    return 0;
}

const struct sp_ml_kem_key *persona_find_kem(const struct persona *p, uint32_t id,
                                             struct sp_ml_kem_key *room)
{
    const struct persona_one_time_kem *slot;

    if (!p->pq || id == 0)
        return NULL;
    if (id == PERSONA_LAST_RESORT_ID)
        return p->pq->last_resort_key.state ? &p->pq->last_resort_key : NULL;
    slot = &p->pq->one_time[id % PERSONA_KEM_MAX];
    return slot->id == id && sp_ml_kem_key_init(room, slot->seed) == 0 ? room : NULL;
}

void persona_drop_kem(struct persona *p, uint32_t id)
{
    struct persona_one_time_kem *slot;

    if (id == PERSONA_LAST_RESORT_ID)
        return;
    slot = &p->pq->one_time[id % PERSONA_KEM_MAX];
    assert(slot->id == id);
    sp_wipe(slot, sizeof *slot);
    p->pq->stock--;
}

int persona_sign_login(const struct persona *p, const char *verb, const uint8_t challenge[32],
                       struct persona_signatures *out)
{
    uint8_t text[SP_LOGIN_TEXT_BYTES];
    struct sp_identity_key key = sp_identity_public(&p->identity);
    size_t len = sp_login_text(text, verb, challenge, p->name, &key);

    return sign(p, text, len, out->ed25519, out->ml_dsa_65);
}
