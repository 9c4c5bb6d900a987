// Who is there: public keys, the list of users, and signalling between two connected users.
// Thread: the control thread alone.
#ifndef SEALPOST_PRESENCE_H
#define SEALPOST_PRESENCE_H

#include "control_conn.h"

// Name, mailbox and identity keys: how answers introduce a user.
void presence_write_user(struct control_json_writer *w, const struct user *user);

// Errors: BAD_MESSAGE, UNKNOWN_LOOKUP.
enum control_error presence_get_pubkey(struct control *c, struct control_conn *conn,
                                       const struct control_request *request);
// Errors: BAD_MESSAGE.
enum control_error presence_list_users(struct control *c, struct control_conn *conn,
                                       const struct control_request *request);
// chat_request, chat_response, chat_terminate: to the other end under the same type.
// Errors: BAD_MESSAGE, RECIPIENT_ABSENT, RELAY_BUSY.
enum control_error presence_forward_signal(struct control *c, struct control_conn *conn,
                                           const struct control_request *request);

#endif
