// What to do with a whole message.
#include "message.h"

#include <sodium.h>
#include <stdio.h>
#include <unistr.h>

#include "conn.h"
#include "control_link.h"
#include "outbox.h"
#include "route.h"
#include "send.h"
#include "wire.h"
#include "worker.h"

#define ERROR_TEXT_BYTES 320

void message_refuse(struct worker *w, struct conn *c, const char *code, const char *text,
                    const uint8_t *message_id)
{
    char id[sodium_base64_ENCODED_LEN(WIRE_MESSAGE_ID_BYTES,
                                      sodium_base64_VARIANT_URLSAFE_NO_PADDING)] = "";
    char json[ERROR_TEXT_BYTES];
    int len;

    if (message_id)
        sodium_bin2base64(id, sizeof id, message_id, WIRE_MESSAGE_ID_BYTES,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    len =
        snprintf(json, sizeof json, "{\"type\":\"error\",\"code\":\"%s\",\"message\":\"%s\"%s%s%s}",
                 code, text, message_id ? ",\"message_id\":\"" : "", id, message_id ? "\"" : "");
    if (outbox_push_copy(w, c, WS_TEXT, json, (size_t)len) ||
        (send_early(w, c) && outbox_push_copy(w, c, WS_TEXT, json, (size_t)len)))
        return;
    if (conn_is_alive(c) && c->state != CONN_CLOSING) {
        // Who cannot even take its refusals is not reading.
        stats_bump(&w->stats, STATS_closed_outbox_full);
        conn_close(w, c, 4408);
    }
}

static void on_bad_envelope(struct worker *w, struct conn *c, enum wire_error error)
{
    static const struct {
        enum stats_counter counter;
        const char *text;
    } answers[] = {
        [-WIRE_BAD_VERSION] = {STATS_envelope_bad_version, "the envelope's version is not 1"},
        [-WIRE_BAD_KIND] = {STATS_envelope_bad_kind, "the envelope's kind is 0"},
        [-WIRE_BAD_FLAGS] = {STATS_envelope_bad_flags,
                             "an unknown flag, a receipt without durable, or a reserved byte set"},
        [-WIRE_BAD_LENGTH] = {STATS_envelope_bad_length,
                              "the ciphertext length is not what follows the header"},
        [-WIRE_TOO_LARGE] = {STATS_envelope_too_large, "the ciphertext is over the limit"},
        [-WIRE_TRUNCATED] = {STATS_envelope_truncated, "shorter than an envelope's header"},
    };

    stats_bump(&w->stats, answers[-error].counter);
    message_refuse(w, c, "bad_envelope", answers[-error].text, NULL);
}

static void on_envelope(struct worker *w, struct conn *c, uint8_t *message, size_t len)
{
    struct wire_envelope envelope;
    ssize_t used;

    if (!c->logged_in) {
        stats_bump(&w->stats, STATS_envelope_before_login);
        message_refuse(w, c, "not_logged_in", "log in before sending envelopes", NULL);
        conn_close(w, c, 4401);
        return;
    }
    used = wire_decode_envelope(&envelope, message, len, LIMIT_ENVELOPE_BYTES);
    if (used < 0) {
        on_bad_envelope(w, c, (enum wire_error)used);
        return;
    }
    stats_bump(&w->stats, STATS_envelopes_in);
    if (!(envelope.flags & WIRE_FLAG_DURABLE)) {
        route_envelope(w, c, &envelope, message, len);
        return;
    }
    if (!control_link_push(w, CONTROL_DURABLE, conn_address(w, c), message, len))
        route_refuse(w, c, ROUTE_RELAY_BUSY, envelope.message_id);
}

static void on_echo(struct worker *w, struct conn *c, enum ws_opcode opcode, uint8_t *payload,
                    size_t len)
{
    if (outbox_push_message(w, c, opcode, payload, len) ||
        (send_early(w, c) && outbox_push_message(w, c, opcode, payload, len))) {
        stats_bump(&w->stats, STATS_envelopes_echoed);
        return;
    }
    if (!conn_is_alive(c))
        return;
    stats_bump(&w->stats, STATS_closed_outbox_full);
    conn_close(w, c, 4408);
}

void message_on_data(struct worker *w, struct conn *c, enum ws_opcode opcode, uint8_t *payload,
                     size_t len)
{
    if (opcode == WS_TEXT && u8_check(payload, len) != NULL) {
        stats_bump(&w->stats, STATS_text_not_utf8);
        conn_close(w, c, 1007);
        return;
    }
    if (c->echo) {
        on_echo(w, c, opcode, payload, len);
    } else if (opcode == WS_BINARY) {
        on_envelope(w, c, payload, len);
    } else if (!c->logged_in && c->texts_before_login++ == LIMIT_TEXTS_BEFORE_LOGIN) {
        // Who is nobody yet may not fill the control plane's queue.
        stats_bump(&w->stats, STATS_control_not_logged_in);
        message_refuse(w, c, "not_logged_in", "too many messages before a login", NULL);
        conn_close(w, c, 4401);
    } else if (!control_link_push(w, CONTROL_TEXT, conn_address(w, c), payload, len)) {
        stats_bump(&w->stats, STATS_refused_relay_busy);
        message_refuse(w, c, "relay_busy", "the control queue is full, try again", NULL);
    }
}
