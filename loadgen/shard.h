// What one generator thread owns: a ring, its connections, its schedule and its measurements. Users
// who talk to each other are always in one shard. Threads meet only in `clock` (written by the
// coordinator), `pulse` (read by it) and the signal that wakes it.
#ifndef SEALPOST_SHARD_H
#define SEALPOST_SHARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "arrivals.h"
#include "bufring.h"
#include "client.h"
#include "dialog.h"
#include "downlink.h"
#include "handshake.h"
#include "options.h"
#include "plan.h"
#include "pool.h"
#include "pulse.h"
#include "recorder.h"
#include "ring.h"
#include "schedule.h"
#include "tally.h"
#include "target.h"
#include "timer.h"
#include "tls.h"
#include "travel.h"
#include "uplink.h"
#include "user_control.h"

// Connections between connect and the end of their log-in at a time, in each shard: the relay's
// listen queue and its handshake objects are bounded.
#define SHARD_OPENING_MAX 128u
// Completions handled before received messages are opened and answers sent.
#define SHARD_TURN_COMPLETIONS 256u
// Pieces of 8 KiB for control messages, carried frames; more if the payload needs more.
#define SHARD_CHUNK_BYTES (8u * KIB)
#define SHARD_POST_QUANTUM_CHUNK_BYTES (USER_CONTROL_MAX_BYTES + 1u * KIB)
#define SHARD_FAILURE_BYTES 256u
// Open loop: envelopes waiting behind a send of their connection; one more is not sent (counted).
#define SHARD_BACKLOG 64u

// The run's times, absolute; 0 until known. The coordinator writes, every shard reads.
struct shard_clock {
    _Atomic uint64_t start_ns, measure_ns, end_ns, drain_ns;
    _Atomic bool stop; // give up: set-up failed or was interrupted
};

enum shard_phase {
    SHARD_SETUP,
    SHARD_WAITING, // settled, the start is not set or not reached
    SHARD_WARMUP,
    SHARD_MEASURE,
    SHARD_DRAIN,
    SHARD_CLOSING,
    SHARD_DONE,
};

// Why a run cannot go on.
enum shard_failure {
    SHARD_FAILURE_NONE,
    SHARD_FAILURE_UNREACHABLE, // no connection, no TLS, no upgrade
    SHARD_FAILURE_PROTOCOL,    // the relay answered what it must not
    SHARD_FAILURE_LIMITED,     // ports, descriptors or memory of this machine
    SHARD_FAILURE_INTERNAL,
};

enum shard_op { SHARD_OP_CONNECT = 1, SHARD_OP_RECEIVE, SHARD_OP_SEND, SHARD_OP_CLOSE };

struct shard {
    // Set before the thread starts.
    const struct options *options;
    const struct target *target;
    struct tls_context *tls;         // NULL: ws
    const struct schedule *schedule; // open loop
    struct shard_clock *clock;
    pthread_t coordinator;
    pthread_t thread;
    uint32_t index;
    uint32_t first_number, client_count;
    uint32_t group_users[GROUPS_MAX]; // client_count in all
    const struct source_list *source_addresses;
    uint64_t run_id;
    // The thread's.
    struct ring ring;
    struct bufring receive_buffers;
    struct pool chunks;
    struct pool tls_partials; // TLS records that came in part
    struct arena arena;
    struct timer_wheel timers;
    struct client *clients;
    struct client **senders; // those the schedule or the closed loop has send
    uint32_t sender_count, initiator_count, responder_count;
    struct dialog *dialogs; // of clients with several
    struct client_due *due_slab;
    struct client_round *rounds;
    struct travels travels;
    struct budget_send *trail_slab;
    struct uplink uplink;
    struct downlink downlink;
    struct arrivals arrivals;
    struct handshakes handshakes;
    struct plan plan;
    enum shard_phase phase;
    uint64_t now_ns;                                 // of this turn
    uint64_t start_ns, measure_ns, end_ns, drain_ns; // UINT64_MAX while unknown
    uint64_t looked_ns;                              // last look at the sockets
    uint64_t blind_ns;                               // of the drain: it lasts so much longer
    uint32_t opened, opening, settled;
    uint32_t alive, away;  // not lost; of these: without a connection for a while
    struct client **rearm; // receiving ended for want of buffers
    uint32_t rearm_count;
    uint64_t due_pending; // envelopes in all due rings
    uint64_t close_by_ns;
    uint64_t busy_at_measure_ns;
    uint8_t *tls_scratch; // TLS_FLIGHT_MAX_BYTES
    char tls_group[32];
    // Read by the coordinator: while it runs, and after the thread has ended.
    struct pulse pulse;
    _Atomic bool is_done;
    _Atomic int failure;
    char failure_text[SHARD_FAILURE_BYTES];
    char disconnect_text[SHARD_FAILURE_BYTES]; // the first one
    struct tally tally;
    struct recorder recorder; // --record
    // Shard 0 reads the relay's CPU time at the window's edges.
    uint64_t server_cpu_ns[2];
    int server_error;
};

// The run is over for all, for this reason; the first one stands.
PRINTF_LIKE(3, 4)
void shard_fail(struct shard *s, enum shard_failure failure, const char *format, ...);

static inline bool shard_is_loading(const struct shard *s)
{
    return s->phase == SHARD_WARMUP || s->phase == SHARD_MEASURE;
}

static inline bool shard_is_open_loop(const struct shard *s)
{
    return s->options->rate_per_s > 0;
}

// Where an envelope of this intended time counts beside the run's sums; NULL: nowhere.
static inline struct stage_tally *shard_find_stage(const struct shard *s, uint64_t intended_ns)
{
    int stage;

    if (!s->tally.stages)
        return NULL;
    stage = schedule_find_stage(s->schedule, intended_ns - s->start_ns);
    return stage < 0 ? NULL : &s->tally.stages[stage];
}

#endif
