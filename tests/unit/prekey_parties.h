// Alice and bob on the control plane, and prekeys of both sorts to publish and fetch.
#ifndef SEALPOST_PREKEY_PARTIES_H
#define SEALPOST_PREKEY_PARTIES_H

#include <stdio.h>

#include "control_fake.h"

static inline const char *signed_prekey(uint32_t id)
{
    static char text[256];
    uint8_t bytes[64];

    memset(bytes, (int)id, sizeof bytes);
    snprintf(text, sizeof text, "\"signed_prekey\":{\"id\":%u,\"key\":\"%s\",\"signature\":\"%s\"}",
             id, fake_base64(bytes, 32), fake_base64(bytes, 64));
    return text;
}

static inline const char *one_time_prekey(uint32_t id)
{
    static char texts[2][128];
    static unsigned next;
    char *text = texts[next++ % 2];
    uint8_t key[32] = {0};

    store_be32(key, id);
    snprintf(text, sizeof texts[0], "{\"id\":%u,\"key\":\"%s\"}", id, fake_base64(key, 32));
    return text;
}

static inline const char *one_time_prekeys(uint32_t first, uint32_t count)
{
    static char text[16384];
    int len = sprintf(text, "\"one_time_prekeys\":[");

    for (uint32_t i = 0; i < count; i++)
        len += sprintf(text + len, "%s%s", i ? "," : "", one_time_prekey(first + i));
    sprintf(text + len, "]");
    return text;
}

// Publishes a signed prekey 1 and these one-time prekeys; `stock` is the count afterwards.
static inline void publish(struct fake *f, const struct fake_client *client, uint32_t first,
                           uint32_t count, uint32_t stock)
{
    fake_text(f, client->peer, "{\"type\":\"publish_prekeys\",\"id\":2,%s,%s}", signed_prekey(1),
              one_time_prekeys(first, count));
    fake_expect(f, client->peer,
                "{\"type\":\"published\",\"id\":2,\"one_time_prekeys\":%u,"
                "\"one_time_kem_prekeys\":0}",
                stock);
}

// Asks for the owner's bundle and expects one-time prekey `id`, or null with 0.
static inline void fetch(struct fake *f, const struct fake_client *client,
                         const struct fake_client *owner, uint32_t id)
{
    fake_text(f, client->peer, "{\"type\":\"get_bundle\",\"id\":3,\"name\":\"%s\"}", owner->name);
    fake_expect(f, client->peer,
                "{\"type\":\"bundle\",\"id\":3,\"name\":\"%s\",\"mailbox\":\"%s\","
                "\"identity_keys\":{\"ed25519\":\"%s\"},%s,\"one_time_prekey\":%s}",
                owner->name, fake_base64(owner->mailbox, 16), fake_base64(owner->identity_key, 32),
                signed_prekey(1), id ? one_time_prekey(id) : "null");
}

static inline struct fake *start(struct fake_client *alice, struct fake_client *bob)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);

    fake_join(f, alice, "alice", 0);
    fake_join(f, bob, "bob", 1);
    return f;
}

// ---- KEM prekeys -------------------------------------------------------------------------------

enum { KEM_KEY_BYTES = 1184 };

// The members of a key with its signatures, made of the id.
static inline const char *signed_members(const struct fake_client *owner, uint32_t id,
                                         size_t key_bytes)
{
    static char texts[8][8192];
    static unsigned next;
    uint8_t bytes[FAKE_ML_DSA_SIGNATURE_BYTES];
    char *text = texts[next++ % COUNT_OF(texts)];
    int len;

    memset(bytes, (int)(id * 37), sizeof bytes);
    store_be32(bytes, id);
    len = snprintf(text, sizeof texts[0], "\"id\":%u,\"key\":\"%s\",\"signature\":\"%s\"", id,
                   fake_base64(bytes, key_bytes), fake_base64(bytes, 64));
    if (owner->is_hybrid)
        snprintf(text + len, sizeof texts[0] - (size_t)len, ",\"ml_dsa_65_signature\":\"%s\"",
                 fake_base64(bytes, sizeof bytes));
    return text;
}

static inline const char *kem_prekeys(const struct fake_client *owner, uint32_t first,
                                      uint32_t count)
{
    static char text[LIMIT_CONTROL_BYTES * 2];
    int len = sprintf(text, "\"one_time_kem_prekeys\":[");

    for (uint32_t i = 0; i < count; i++)
        len += sprintf(text + len, "%s{%s}", i ? "," : "",
                       signed_members(owner, first + i, KEM_KEY_BYTES));
    sprintf(text + len, "]");
    return text;
}

static inline void expect_stock(struct fake *f, const struct fake_client *client, uint32_t stock,
                                uint32_t kem_stock)
{
    fake_expect(f, client->peer,
                "{\"type\":\"published\",\"id\":2,\"one_time_prekeys\":%u,"
                "\"one_time_kem_prekeys\":%u}",
                stock, kem_stock);
}

// Publishes one-time KEM prekeys; `stock` is the count afterwards.
static inline void publish_kem(struct fake *f, const struct fake_client *client, uint32_t first,
                               uint32_t count, uint32_t stock)
{
    fake_text(f, client->peer, "{\"type\":\"publish_prekeys\",\"id\":2,%s}",
              kem_prekeys(client, first, count));
    expect_stock(f, client, 0, stock);
}

// Signed prekey 1 and last-resort KEM prekey `id`, none with 0.
static inline void publish_lasting(struct fake *f, const struct fake_client *client, uint32_t id,
                                   uint32_t kem_stock)
{
    fake_text(f, client->peer,
              "{\"type\":\"publish_prekeys\",\"id\":2,\"signed_prekey\":{%s}%s%s%s}",
              signed_members(client, 1, 32), id ? ",\"kem_prekey\":{" : "",
              id ? signed_members(client, id, KEM_KEY_BYTES) : "", id ? "}" : "");
    expect_stock(f, client, 0, kem_stock);
}

// Asks for the owner's bundle and expects no one-time prekey and this KEM prekey.
static inline void fetch_kem(struct fake *f, const struct fake_client *client,
                             const struct fake_client *owner, uint32_t id, bool is_one_time)
{
    fake_text(f, client->peer,
              "{\"type\":\"get_bundle\",\"id\":3,\"name\":\"%s\",\"suite\":\"pqxdh\"}",
              owner->name);
    fake_expect(f, client->peer,
                "{\"type\":\"bundle\",\"id\":3,\"name\":\"%s\",\"mailbox\":\"%s\","
                "\"identity_keys\":{\"ed25519\":\"%s\"%s%s%s},\"signed_prekey\":{%s},"
                "\"one_time_prekey\":null,\"kem_prekey\":{%s,\"one_time\":%s}}",
                owner->name, fake_base64(owner->mailbox, 16), fake_base64(owner->identity_key, 32),
                owner->is_hybrid ? ",\"ml_dsa_65\":\"" : "",
                owner->is_hybrid ? fake_base64(owner->ml_dsa_65, FAKE_ML_DSA_KEY_BYTES) : "",
                owner->is_hybrid ? "\"" : "", signed_members(owner, 1, 32),
                signed_members(owner, id, KEM_KEY_BYTES), is_one_time ? "true" : "false");
}

// Asks for a PQXDH bundle and takes whichever comes.
static inline void fetch_either(struct fake *f, const struct fake_client *client,
                                const struct fake_client *owner)
{
    fake_text(f, client->peer,
              "{\"type\":\"get_bundle\",\"id\":3,\"name\":\"%s\",\"suite\":\"pqxdh\"}",
              owner->name);
    cr_assert_not_null(memmem(fake_take(f, client->peer, CONTROL_SEND_TEXT)->data, 16,
                              "{\"type\":\"bundle\"", 16));
}

static inline void refuse(struct fake *f, const struct fake_client *client, const char *code,
                          const char *members)
{
    fake_text(f, client->peer, "{\"type\":\"publish_prekeys\",\"id\":2,%s}", members);
    fake_expect_error(f, client->peer, code, ",\"id\":2");
}

#endif
