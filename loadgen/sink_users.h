// What the sink knows of its users, and its answers to their control messages: register, login,
// publish_prekeys, get_bundle, ack. Verifies nothing, keeps prekeys as the texts they came in.
// Allocates for each user and prekey. Pure, no I/O. Thread: one owner.
#ifndef SEALPOST_SINK_USERS_H
#define SEALPOST_SINK_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "units.h"

// Control messages in and out.
#define SINK_USERS_TEXT_MAX_BYTES (96u * KIB)
#define SINK_USERS_ONE_TIME_MAX 100u
#define SINK_USERS_ONE_TIME_KEM_MAX 20u
#define SINK_USERS_NOBODY UINT32_MAX

struct sink_user;
struct sink_users_slot;

struct sink_users {
    struct sink_user *users;
    uint32_t count, max;
    // By the first 16 bytes of the name's hash, and by mailbox; open addressing, half empty.
    struct sink_users_slot *by_name, *by_mailbox;
    uint32_t mask;
    void *scratch; // for JSON
};

// Errors: -ENOMEM.
NODISCARD int sink_users_init(struct sink_users *u, uint32_t max);
void sink_users_free(struct sink_users *u);

// The first message of a connection. Writes at most SINK_USERS_TEXT_MAX_BYTES, returns the length.
size_t sink_users_greet(char *out);
// Answer a control message of connection `conn`, logged in as *user (SINK_USERS_NOBODY before;
// updated). Writes at most SINK_USERS_TEXT_MAX_BYTES, returns the length; 0: no answer. Anything
// that is not understood is answered with an error, as the relay does.
size_t sink_users_answer(struct sink_users *u, uint32_t conn, uint32_t *user, const char *text,
                         size_t len, char *out);
// An error about an envelope.
size_t sink_users_refuse(char *out, const char *code, const uint8_t message_id[16]);
// A durable envelope is taken.
size_t sink_users_accept(char *out, const uint8_t message_id[16]);
// The connection of the mailbox's user, SINK_USERS_NOBODY if there is none.
uint32_t sink_users_find_conn(const struct sink_users *u, const uint8_t mailbox[16]);
// Connection `conn` of `user` has ended.
void sink_users_leave(struct sink_users *u, uint32_t user, uint32_t conn);

#endif
