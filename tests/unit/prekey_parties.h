// Alice and bob on the control plane, and X25519 prekeys to publish and fetch. For the tests of
// prekeys of both sorts.
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

#endif
