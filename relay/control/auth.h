// Who is who: hello, register, login, and what a newer login does to an older one.
// Thread: the control thread alone.
#ifndef SEALPOST_AUTH_H
#define SEALPOST_AUTH_H

#include "control_conn.h"

// Send hello with a fresh challenge.
void auth_greet(struct control *c, struct control_conn *conn);
// For connections in CONTROL_CONN_OPEN.
// Errors: BAD_MESSAGE, IDENTITY_MISMATCH, BAD_SIGNATURE, RELAY_FULL.
enum control_error auth_register(struct control *c, struct control_conn *conn,
                                 const struct control_request *request);
// Errors: BAD_MESSAGE, UNKNOWN_LOGIN, BAD_SIGNATURE, RELAY_FULL.
enum control_error auth_login(struct control *c, struct control_conn *conn,
                              const struct control_request *request);

#endif
