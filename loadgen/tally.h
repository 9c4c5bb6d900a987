// What one generator thread measured, exactly; merged when the threads have ended.
// Thread: one writer; merge afterwards.
#ifndef SEALPOST_TALLY_H
#define SEALPOST_TALLY_H

#include <stdint.h>

#include "budget.h"
#include "group.h"
#include "hist.h"
#include "ledger.h"
#include "stage_tally.h"
#include "units.h"

// Latencies in ns. The points in time are budget.h's; one clock read serves a whole batch (at most
// 512 envelopes, usually under 128) or turn. What the loop has not looked at yet does not count as
// taken or received, so `turn` is how finely socket_queue and server_network can be told apart, and
// what waited in a socket while the loop was busy is inside the part before.
#define TALLY_HISTOGRAMS(X)                                                                        \
    X(response)       /* opened − intended: what a user waits; the sum of the budget's parts */  \
    X(uncorrected)    /* opened − sent: what a tool without intended times would show */         \
    X(schedule_lag)   /* open loop, all that was scheduled: noticed − intended */                \
    X(send_queue)     /* all that was sent: sent − noticed */                                    \
    X(seal)           /* sealed − sent */                                                        \
    X(socket_queue)   /* taken − sealed */                                                       \
    X(server_network) /* received − taken */                                                     \
    X(open)           /* opened − received */                                                    \
    X(seal_cost)      /* an envelope's share of its batch's sealing */                             \
    X(open_cost)      /* an envelope's share of its batch's opening */                             \
    X(turn)           /* turns of the loop in the window, without the wait before them */          \
    X(tls_handshake)  /* connected → TLS established, with a full handshake */                   \
    X(tls_resume)     /* connected → TLS established, with the session of a connection before */ \
    X(handshake)      /* get_bundle sent → confirming message opened; begun in the window, or    \
                         the set-up's when no group makes handshakes */                            \
    X(initiate)       /* a handshake's share of its batch: bundle verified … initial message */  \
    X(respond)        /* the same: initial message … answer, and new prekeys for those used up */

// Sums.
#define TALLY_COUNTS(X)                                                                            \
    /* In the measured window: */                                                                  \
    X(delivered)  /* opened */                                                                     \
    X(scheduled)  /* intended to be sent */                                                        \
    X(sent)       /* of those scheduled, whenever it was */                                        \
    X(handshakes) /* completed with a one-time prekey */                                           \
    X(handshakes_without_one_time)                                                                 \
    X(handshakes_with_last_resort) /* of both: no one-time KEM prekey was left */                  \
    X(busy_ns)                     /* CPU time */                                                  \
    X(backlog_full)                /* open loop: not sent, 64 wait on its connection already */    \
    X(not_paced) /* of these, while the connection was free: the loop did not keep up */           \
    X(stalls)    /* loop turns of more than 100 ms without a look at the sockets */                \
    X(stalled_ns)                                                                                  \
    /* In the whole run: */                                                                        \
    X(handshakes_started)                                                                          \
    X(handshakes_done)                                                                             \
    X(handshakes_failed)                                                                           \
    X(rate_limited) /* get_bundle answers */                                                       \
    X(accepted)     /* durable envelopes the relay took */                                         \
    X(disconnected) /* connections that ended before we ended them */                              \
    X(connected)

#define TALLY_REFUSALS(X)                                                                          \
    X(recipient_absent)                                                                            \
    X(recipient_busy)                                                                              \
    X(relay_busy)                                                                                  \
    X(unknown_mailbox)                                                                             \
    X(queue_full)                                                                                  \
    X(other)

enum tally_refusal {
#define X(name) TALLY_REFUSAL_##name,
    TALLY_REFUSALS(X)
#undef X
        TALLY_REFUSAL_COUNT
};

// Of one group, in ns.
#define TALLY_GROUP_HISTOGRAMS(X)                                                                  \
    X(response)         /* as above; with one group that is not offline it is the total's */       \
    X(without_one_time) /* handshakes without a one-time prekey, in the window */                  \
    X(reconnect)        /* a return: connect → logged in */                                      \
    X(recovery)         /* storm: dropped → all of the thread's users are back */                \
    X(drain)            /* offline: logged in → the last queued envelope opened */

#define TALLY_GROUP_COUNTS(X)                                                                      \
    X(sent)       /* envelopes, in the whole run */                                                \
    X(received)   /* distinct ones */                                                              \
    X(refused)    /* answered by the relay with an error */                                        \
    X(delivered)  /* opened in the window */                                                       \
    X(skipped)    /* open loop: envelopes not scheduled, their users were away */                  \
    X(handshakes) /* as the totals */                                                              \
    X(handshakes_without_one_time)                                                                 \
    X(handshakes_with_last_resort)                                                                 \
    X(departures)  /* users who left */                                                            \
    X(returns)     /* users who came back */                                                       \
    X(tls_resumed) /* wss: of these, with the TLS session there was … */                         \
    X(tls_full)    /* … and with a full handshake; both together are the returns */              \
    X(retries)     /* connections that failed on the way back and were tried again */              \
    X(impatient)   /* units that left with envelopes still in flight after a bounded wait */       \
    X(drained)     /* offline: envelopes that waited and came after a return */

#define X(name) +1
enum {
    TALLY_HISTOGRAM_COUNT = 0 TALLY_HISTOGRAMS(X),
    TALLY_COUNT_COUNT = 0 TALLY_COUNTS(X),
    TALLY_GROUP_HISTOGRAM_COUNT = 0 TALLY_GROUP_HISTOGRAMS(X),
    TALLY_GROUP_COUNT_COUNT = 0 TALLY_GROUP_COUNTS(X),
};
#undef X

struct tally_group {
#define X(name) struct hist name;
    TALLY_GROUP_HISTOGRAMS(X)
#undef X
#define X(name) uint64_t name;
    TALLY_GROUP_COUNTS(X)
#undef X
    uint64_t storms; // of the thread that counted most
};

struct tally {
    struct tally_group groups[GROUPS_MAX]; // of those in use
    uint32_t group_count;
#define X(name) struct hist name;
    TALLY_HISTOGRAMS(X)
#undef X
    struct stage_tally *stages; // NULL without --stage
    uint32_t stage_count;
    struct ledger_counts ledger;
    struct budget budget; // of the envelopes in `response`
    uint64_t refused[TALLY_REFUSAL_COUNT];
#define X(name) uint64_t name;
    TALLY_COUNTS(X)
#undef X
    uint64_t window_ns; // the longest
};
// Whoever adds a field adds it to one of the lists, from which merge and codec are made.
_Static_assert(sizeof(struct tally) ==
                   GROUPS_MAX * sizeof(struct tally_group) +
                       TALLY_HISTOGRAM_COUNT * sizeof(struct hist) + 3 * sizeof(uint64_t) +
                       sizeof(struct ledger_counts) + sizeof(struct budget) +
                       (TALLY_REFUSAL_COUNT + TALLY_COUNT_COUNT + 1) * sizeof(uint64_t),
               "all of a tally is in a list");
_Static_assert(sizeof(struct tally_group) == TALLY_GROUP_HISTOGRAM_COUNT * sizeof(struct hist) +
                                                 (TALLY_GROUP_COUNT_COUNT + 1) * sizeof(uint64_t),
               "all of a group is in a list");

// Errors: -ENOMEM.
NODISCARD int tally_init(struct tally *t);
// Measure `count` stages too. Errors: -ENOMEM.
NODISCARD int tally_add_stages(struct tally *t, uint32_t count);
// Measure `count` groups, too. Errors: -ENOMEM.
NODISCARD int tally_add_groups(struct tally *t, uint32_t count);
void tally_free(struct tally *t);
// window_ns becomes the longest, a group's storms the most, everything else the sum. Both measure
// the same stages and groups.
void tally_merge(struct tally *into, const struct tally *from);

const char *tally_refusal_name(enum tally_refusal refusal);
// The refusal an error code stands for.
enum tally_refusal tally_find_refusal(const char *code);

#endif
