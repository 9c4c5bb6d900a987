// The table of control errors: code, words for people, what closes, what counts. Pure, any thread.
#include <assert.h>
#include <stddef.h>

#include "control_error.h"
#include "units.h"

static const struct control_error_info infos[] = {
    [-CONTROL_ERROR_BAD_JSON] = {"bad_json", "not one JSON object", 0, STATS_control_bad_json},
    [-CONTROL_ERROR_BAD_MESSAGE] = {"bad_message",
                                    "unknown type, or a member missing or of a wrong type or size",
                                    0, STATS_control_bad_message},
    [-CONTROL_ERROR_BAD_ENVELOPE] = {"bad_envelope", "wrong version, flags, kind or length", 0,
                                     STATS_control_bad_envelope},
    [-CONTROL_ERROR_NOT_LOGGED_IN] = {"not_logged_in", "register or login comes first",
                                      CLOSE_NOT_AUTHENTICATED, STATS_control_not_logged_in},
    [-CONTROL_ERROR_ALREADY_LOGGED_IN] = {"already_logged_in", "one login for each connection",
                                          CLOSE_NOT_AUTHENTICATED, STATS_control_already_logged_in},
    [-CONTROL_ERROR_BAD_SIGNATURE] = {"bad_signature",
                                      "a signature is missing, one too many, or does not verify",
                                      CLOSE_NOT_AUTHENTICATED, STATS_login_bad_signature},
    [-CONTROL_ERROR_IDENTITY_MISMATCH] = {"identity_mismatch",
                                          "name and identity keys are pinned otherwise",
                                          CLOSE_NOT_AUTHENTICATED, STATS_login_identity_mismatch},
    [-CONTROL_ERROR_UNKNOWN_LOGIN] = {"unknown_user", "no user has this name",
                                      CLOSE_NOT_AUTHENTICATED, STATS_login_unknown_user},
    [-CONTROL_ERROR_UNKNOWN_LOOKUP] = {"unknown_user", "no user has this name", 0,
                                       STATS_lookup_unknown_user},
    [-CONTROL_ERROR_NO_PREKEYS] = {"no_prekeys", "the user has not published the prekeys for that",
                                   0, STATS_bundle_no_prekeys},
    [-CONTROL_ERROR_TOO_MANY_PREKEYS] = {"too_many_prekeys", "the stock would exceed its limit", 0,
                                         STATS_prekeys_too_many},
    [-CONTROL_ERROR_RATE_LIMITED] = {"rate_limited", "too many bundles asked for", 0,
                                     STATS_bundle_rate_limited},
    [-CONTROL_ERROR_RECIPIENT_ABSENT] = {"recipient_absent", "the recipient is not connected", 0,
                                         STATS_signals_recipient_absent},
    [-CONTROL_ERROR_UNKNOWN_MAILBOX] = {"unknown_mailbox", "nobody registered this mailbox", 0,
                                        STATS_store_unknown_mailbox},
    [-CONTROL_ERROR_QUEUE_FULL] = {"queue_full", "the offline queue is full: not stored", 0,
                                   STATS_store_queue_full},
    [-CONTROL_ERROR_RELAY_FULL] = {"relay_full", "a bound of the relay is reached, try later",
                                   CLOSE_TRY_AGAIN_LATER, STATS_login_relay_full},
    [-CONTROL_ERROR_RELAY_BUSY] = {"relay_busy", "the relay is short of memory, try again", 0,
                                   STATS_refused_relay_busy},
};

const struct control_error_info *control_error_find_info(enum control_error error)
{
    assert(error < 0 && (size_t)-error < COUNT_OF(infos));
    return &infos[-error];
}
