// The latency budget: where a response's time went. Six parts that follow one another without a
// gap, so that for each envelope they add up to its response:
//
//     intended ─ schedule_lag ─ noticed ─ send_queue ─ sent ─ seal ─ sealed ─ socket_queue ─ taken
//     ─ server_network ─ received ─ open ─ opened
//
// The generator's own cryptography is in seal and open, never in server_network. What is known only
// after an envelope has left (sealed, taken) cannot travel inside it: the sender's trail keeps it,
// one entry for each send, until the envelope comes back to this thread. An envelope whose entry is
// not there has its time from `sent` to `received` in `unattributed` instead of the three parts
// between. Pure. Thread: one owner.
#ifndef SEALPOST_BUDGET_H
#define SEALPOST_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "units.h"

#define BUDGET_PARTS(X)                                                                              \
    X(schedule_lag) /* intended → noticed: the loop looked late at the schedule */                 \
    X(send_queue) /* noticed → sent: behind the connection's earlier send, or the turn's work */   \
    X(seal)       /* sent → sealed: its batch built, sealed, masked, (wss) in records */           \
    X(socket_queue) /* sealed → taken: the turn's other batches, the system call, a full socket */ \
    X(server_network) /* taken → received: everything outside of the generator */                  \
    X(open)           /* received → opened: frames parsed, its batch opened */                     \
    X(unattributed)   /* sent → received of those whose send is not known any more */

enum budget_part {
#define X(name) BUDGET_##name,
    BUDGET_PARTS(X)
#undef X
        BUDGET_PART_COUNT
};

// Sends of one connection that are remembered; while so many are under way, further ones are not.
// As many as BUDGET_TRAILS_BYTES allow for all connections of a thread, between these two.
#define BUDGET_TRAIL_MIN 16u
#define BUDGET_TRAIL_MAX 1024u
#define BUDGET_TRAILS_BYTES (8u * MIB)

// Points in time of one envelope, in the order they come, none before the one in front of it.
struct budget_times {
    uint64_t intended_ns;
    uint64_t noticed_ns;
    uint64_t sent_ns;     // its batch is about to be built
    uint64_t sealed_ns;   // its batch goes to the kernel; 0: not known
    uint64_t taken_ns;    // the send's completion was seen: the kernel has all of the piece
    uint64_t received_ns; // the turn that found it among its completions began
    uint64_t opened_ns;   // its batch is open
};

// Sums over envelopes; every member is a counter.
struct budget {
    uint64_t count;
    uint64_t unattributed; // of those
    uint64_t response_ns;
    uint64_t part_ns[BUDGET_PART_COUNT]; // add up to response_ns
};

struct budget_send {
    uint16_t number;
    uint16_t left; // envelopes in it that have not come back
    uint64_t sealed_ns;
    uint64_t taken_ns; // 0: under way
};

// All zero: remembers nothing, and nothing may be pushed.
struct budget_trail {
    struct budget_send *sends; // ring, oldest first
    uint16_t head, count, mask;
    uint16_t under_way; // its index + 1; 0: none, or not remembered
    uint16_t next;      // number of the next send; wraps
};

// A depth for each of `connections` that have `in_flight` envelopes under way at most (0: unknown).
uint32_t budget_trail_depth(uint32_t connections, uint32_t in_flight);
// `sends` holds `depth` entries: a power of two, at most BUDGET_TRAIL_MAX.
void budget_init_trail(struct budget_trail *t, struct budget_send *sends, uint32_t depth);
// Send number `next`, of `count` envelopes, goes to the kernel. One at a time.
void budget_push_send(struct budget_trail *t, uint16_t count, uint64_t sealed_ns);
// It has completed. Harmless when it was not remembered.
void budget_complete_send(struct budget_trail *t, uint64_t taken_ns);
// An envelope of send `number` was received: fill in sealed_ns and taken_ns, 0 when they are not
// known. A send is forgotten when all of it has come, or half a trail of later ones was seen: what
// of it has not come by then is lost, or with a slow one of several recipients.
void budget_find_send(struct budget_trail *t, uint16_t number, struct budget_times *times);

// `count` envelopes with these times.
void budget_add(struct budget *b, const struct budget_times *times, uint64_t count);
void budget_merge(struct budget *into, const struct budget *from);
// Mean over all envelopes in ns; 0 if there are none. The parts' add up to the response's.
double budget_mean_ns(const struct budget *b, enum budget_part part);
double budget_mean_response_ns(const struct budget *b);
const char *budget_part_name(enum budget_part part);

#endif
