// The ledger: what became of every envelope. A record inside the sealed plaintext says which run,
// from whom, to whom and the how-manieth; the receiving end of each direction checks it against
// what it saw before. Pure, no clock, no I/O. Thread: one owner for each flow and counts.
//
//      0        8        12         16         24            32        40      44
//     | run id | sender | receiver | sequence | intended ns | sent ns |   *   | lag |  48 bytes
//
// *: flags (2) and the number of the send it is part of (2).
// In native byte order: the process that reads it is the one that wrote it.
#ifndef SEALPOST_LEDGER_H
#define SEALPOST_LEDGER_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "units.h"

#define LEDGER_RECORD_BYTES 48u
// Envelopes a direction may be out of order by. One that is further behind cannot be told from a
// repetition: it counts as duplicate, and as lost too if it never came before.
#define LEDGER_WINDOW_BITS 1024u

#define LEDGER_FLAG_MEASURED 0x1u  // its intended time lies in the measured window
#define LEDGER_FLAG_HANDSHAKE 0x2u // part of a handshake, outside the sequence

struct ledger_record {
    uint64_t run_id;
    uint32_t sender, receiver;
    uint64_t sequence; // from 0, each direction of a pair its own
    uint64_t intended_ns, sent_ns;
    uint16_t flags;
    uint16_t send;     // its sender's count of sends (budget.h)
    uint32_t lag_16ns; // noticed − intended in units of 16 ns; UINT32_MAX: 68 s or more
};

// Totals over many flows.
#define LEDGER_COUNTS(X)                                                                           \
    X(expected)  /* envelopes sent */                                                              \
    X(received)  /* distinct ones opened */                                                        \
    X(lost)      /* filled by ledger_settle */                                                     \
    X(duplicate) /* seen or refused before */                                                      \
    X(reordered) /* came after a later one */                                                      \
    X(gaps)      /* times the sequence jumped ahead */                                             \
    X(late)      /* measured, opened after the window's end: no fault */                           \
    X(misrouted) /* for somebody else */                                                           \
    X(auth_fail) /* did not open */                                                                \
    X(ahead)     /* of auth_fail: too many before it were refused or lost for its ratchet */       \
    X(foreign)   /* opened, but not of this run */                                                 \
    X(refused)   /* answered by the relay with an error */

struct ledger_counts {
#define X(name) uint64_t name;
    LEDGER_COUNTS(X)
#undef X
};

// One direction: what came at its receiving end, and what the relay refused its sending end. Each
// envelope is accounted for once: a second answer to it, of either sort, counts as duplicate, so it
// cannot stand for one that was lost.
struct ledger_flow {
    uint64_t next;         // highest sequence seen + 1
    uint64_t refused_next; // highest sequence refused + 1
    uint64_t window[LEDGER_WINDOW_BITS / 64];
    uint64_t refused[LEDGER_WINDOW_BITS / 64];
};

enum ledger_result {
    LEDGER_IN_ORDER,
    LEDGER_REORDERED,
    LEDGER_DUPLICATE,
    LEDGER_MISROUTED,
    LEDGER_FOREIGN,
};

// noticed − intended as lag_16ns has it.
static inline uint32_t ledger_lag_16ns(uint64_t intended_ns, uint64_t noticed_ns)
{
    uint64_t lag = (noticed_ns - intended_ns) / 16;

    return lag < UINT32_MAX ? (uint32_t)lag : UINT32_MAX;
}

// The time it was noticed, exact to 16 ns; never after sent_ns.
static inline uint64_t ledger_noticed_ns(const struct ledger_record *record)
{
    return record->intended_ns + (uint64_t)record->lag_16ns * 16;
}

static_assert(sizeof(struct ledger_record) == LEDGER_RECORD_BYTES, "it is its own encoding");

// Inline: so the fields go straight to their places, and no wide copy waits for narrow stores.
static inline void ledger_encode_record(uint8_t out[LEDGER_RECORD_BYTES],
                                        const struct ledger_record *in)
{
    memcpy(out, in, sizeof *in);
}

static inline void ledger_decode_record(struct ledger_record *out,
                                        const uint8_t in[LEDGER_RECORD_BYTES])
{
    memcpy(out, in, sizeof *out);
}

// Check an opened record and count it. `self` and `partner` are the two ends of this flow; `late`
// tells that the measured window is over.
enum ledger_result ledger_check(struct ledger_flow *flow, struct ledger_counts *counts,
                                const struct ledger_record *record, uint64_t run_id,
                                uint32_t partner, uint32_t self, bool late);

// The relay answered that it does not deliver this envelope. False, and a duplicate: it came, or
// was refused already; further behind the last one that was than the window, it counts as such.
// An envelope that comes though it was refused more than a window's refusals ago is not noticed:
// what waits at a slow recipient may lie further behind than that in an honest run.
bool ledger_refuse(struct ledger_flow *flow, struct ledger_counts *counts, uint64_t sequence);

void ledger_add(struct ledger_counts *into, const struct ledger_counts *from);
// After the drain: lost = expected − received − refused.
void ledger_settle(struct ledger_counts *counts);
// Is any fault counted (lost, duplicate, reordered, misrouted, auth_fail, foreign)?
bool ledger_has_faults(const struct ledger_counts *counts);

#endif
