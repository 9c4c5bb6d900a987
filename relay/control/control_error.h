// What a client can do wrong, by the name it is told. Source: docs/PROTOCOL.md section 3, error.
#ifndef SEALPOST_CONTROL_ERROR_H
#define SEALPOST_CONTROL_ERROR_H

#include <stdint.h>

#include "relay/stats.h"

#define CLOSE_TRY_AGAIN_LATER 1013u
#define CLOSE_NOT_AUTHENTICATED 4401u
#define CLOSE_DISPLACED 4409u

enum control_error {
    CONTROL_OK = 0,
    CONTROL_ERROR_BAD_JSON = -1,
    CONTROL_ERROR_BAD_MESSAGE = -2,
    CONTROL_ERROR_BAD_ENVELOPE = -3,
    CONTROL_ERROR_NOT_LOGGED_IN = -4,
    CONTROL_ERROR_ALREADY_LOGGED_IN = -5,
    CONTROL_ERROR_BAD_SIGNATURE = -6,
    CONTROL_ERROR_IDENTITY_MISMATCH = -7,
    CONTROL_ERROR_UNKNOWN_LOGIN = -8,  // `unknown_user` at login: closes
    CONTROL_ERROR_UNKNOWN_LOOKUP = -9, // `unknown_user` at a look-up: answers only
    CONTROL_ERROR_NO_PREKEYS = -10,
    CONTROL_ERROR_TOO_MANY_PREKEYS = -11,
    CONTROL_ERROR_RATE_LIMITED = -12,
    CONTROL_ERROR_RECIPIENT_ABSENT = -13,
    CONTROL_ERROR_UNKNOWN_MAILBOX = -14,
    CONTROL_ERROR_QUEUE_FULL = -15,
    CONTROL_ERROR_RELAY_FULL = -16,
    CONTROL_ERROR_RELAY_BUSY = -17,
};

struct control_error_info {
    const char *code;
    const char *message;
    uint16_t close_code; // 0: the connection goes on
    enum stats_counter counter;
};

// `error` is not CONTROL_OK.
const struct control_error_info *control_error_find_info(enum control_error error);

#endif
