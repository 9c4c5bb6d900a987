// Named counters: everything accepted, refused, dropped or closed. One block for each thread, one
// writer each; readers sum the blocks at any time.
#ifndef SEALPOST_STATS_H
#define SEALPOST_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "units.h"

// One line a counter: the name is what the statistics file shows.
#define STATS_COUNTERS(X)                                                                          \
    X(connections_accepted)                                                                        \
    X(connections_closed)                                                                          \
    X(accept_paused_descriptors) /* every slot taken, or none to be had: accepting rests */        \
    X(refused_full)              /* 503: no slot, no handshake object, or draining */              \
    X(tls_handshakes)                                                                              \
    X(tls_resumed) /* of these, with a ticket: without a certificate */                            \
    X(tls_failed)                                                                                  \
    X(http_bad_request)                                                                            \
    X(http_not_found)                                                                              \
    X(http_bad_method)                                                                             \
    X(http_upgrade_required)                                                                       \
    X(http_head_too_large)                                                                         \
    X(upgrades)                                                                                    \
    X(frame_bad_reserved_bits)                                                                     \
    X(frame_bad_opcode)                                                                            \
    X(frame_bad_control)                                                                           \
    X(frame_bad_length)                                                                            \
    X(frame_not_masked)                                                                            \
    X(frame_too_large)                                                                             \
    X(frame_bad_sequence) /* continuation without a start, or a start inside a message */          \
    X(frame_too_many_fragments)                                                                    \
    X(frame_bad_close)                                                                             \
    X(text_not_utf8)                                                                               \
    X(messages_fragmented)                                                                         \
    X(envelope_bad_version)                                                                        \
    X(envelope_bad_kind)                                                                           \
    X(envelope_bad_flags)                                                                          \
    X(envelope_bad_length)                                                                         \
    X(envelope_too_large)                                                                          \
    X(envelope_truncated)                                                                          \
    X(envelope_before_login)                                                                       \
    X(turns)    /* of the workers' loops */                                                        \
    X(receives) /* completions with data */                                                        \
    X(sends)                                                                                       \
    X(envelopes_in)                                                                                \
    X(envelopes_forwarded)                                                                         \
    X(envelopes_to_other_worker)                                                                   \
    X(envelopes_echoed)                                                                            \
    X(refused_recipient_absent)                                                                    \
    X(refused_recipient_busy)                                                                      \
    X(refused_relay_busy)                                                                          \
    X(closed_by_peer)                                                                              \
    X(closed_socket_error)                                                                         \
    X(closed_handshake_timeout)                                                                    \
    X(closed_login_timeout)                                                                        \
    X(closed_message_timeout) /* a message begun and not finished in time */                       \
    X(closed_write_timeout)   /* outbox without progress */                                        \
    X(closed_outbox_full)     /* an answer or a durable envelope did not fit */                    \
    X(closed_no_buffers)      /* an assembly, backlog or TLS object was not to be had: 1013 */     \
    X(closed_drain)                                                                                \
    X(closed_displaced)                                                                            \
    X(receive_out_of_buffers) /* ring of receive buffers empty: receiving rests for one turn */    \
    X(backlog_stalls)         /* sends the socket did not take whole */                            \
    X(control_bad_json)                                                                            \
    X(control_bad_message)                                                                         \
    X(control_not_logged_in)                                                                       \
    X(control_already_logged_in)                                                                   \
    X(control_bad_envelope)                                                                        \
    X(registered)                                                                                  \
    X(logged_in)                                                                                   \
    X(login_bad_signature)                                                                         \
    X(login_identity_mismatch)                                                                     \
    X(login_unknown_user)                                                                          \
    X(login_relay_full)                                                                            \
    X(lookup_unknown_user)                                                                         \
    X(bundles)                                                                                     \
    X(bundles_without_one_time_prekey)                                                             \
    X(bundles_pqxdh)                                                                               \
    X(bundles_without_one_time_kem_prekey) /* the last-resort one went out */                      \
    X(bundle_no_prekeys)                                                                           \
    X(bundle_rate_limited)                                                                         \
    X(prekeys_published)                                                                           \
    X(prekeys_too_many)                                                                            \
    X(prekeys_low_sent)                                                                            \
    X(prekey_memory_bytes) /* in use: the one that also falls */                                   \
    X(prekey_memory_full)  /* a publication or registration refused for the bound of it */         \
    X(signals_forwarded)                                                                           \
    X(signals_recipient_absent)                                                                    \
    X(control_memory_short) /* an answer could not be built: that connection is closed, 1013 */    \
    X(store_accepted)                                                                              \
    X(store_duplicates) /* accepted again, kept once */                                            \
    X(store_delivered)  /* hand-outs to a recipient, repeats included */                           \
    X(store_acknowledged)                                                                          \
    X(store_expired)                                                                               \
    X(store_queue_full)                                                                            \
    X(store_unknown_mailbox)

enum stats_counter {
#define X(name) STATS_##name,
    STATS_COUNTERS(X)
#undef X
        STATS_COUNT
};

struct stats {
    _Atomic uint64_t counters[STATS_COUNT];
};

// Thread: the block's writer.
static inline void stats_add(struct stats *s, enum stats_counter c, uint64_t n)
{
    atomic_store_explicit(&s->counters[c],
                          atomic_load_explicit(&s->counters[c], memory_order_relaxed) + n,
                          memory_order_relaxed);
}

// Thread: the block's writer. For what is in use: as much was added before.
static inline void stats_subtract(struct stats *s, enum stats_counter c, uint64_t n)
{
    atomic_store_explicit(&s->counters[c],
                          atomic_load_explicit(&s->counters[c], memory_order_relaxed) - n,
                          memory_order_relaxed);
}

static inline void stats_bump(struct stats *s, enum stats_counter c)
{
    stats_add(s, c, 1);
}

// Thread: any.
static inline uint64_t stats_read(const struct stats *s, enum stats_counter c)
{
    return atomic_load_explicit(&((struct stats *)(uintptr_t)s)->counters[c], memory_order_relaxed);
}

const char *stats_counter_name(enum stats_counter c);

#endif
