// Public prekeys, X25519 and ML-KEM-768: what a user publishes and others fetch to begin a session.
// The relay stores them unjudged and hands a one-time prekey out at most once.
// Thread: the control thread alone.
#ifndef SEALPOST_PREKEYS_H
#define SEALPOST_PREKEYS_H

#include "control_conn.h"

// How many of each one-time sort are in stock.
void prekeys_write_counts(struct control_json_writer *w, const struct user *user);
void prekeys_destroy(struct prekey_memory *memory, struct prekeys *prekeys);

// Errors: BAD_MESSAGE, TOO_MANY_PREKEYS, RELAY_BUSY; nothing is stored then.
enum control_error prekeys_publish(struct control *c, struct control_conn *conn,
                                   const struct control_request *request);
// Errors: BAD_MESSAGE, RATE_LIMITED, UNKNOWN_LOOKUP, NO_PREKEYS.
enum control_error prekeys_get_bundle(struct control *c, struct control_conn *conn,
                                      const struct control_request *request);

#endif
