// One worker: a thread, a ring, and everything that belongs to both. Other threads reach it only
// through its links (link.h, control_link.h).
#ifndef SEALPOST_WORKER_H
#define SEALPOST_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bufring.h"
#include "config.h"
#include "conn.h"
#include "outbox.h"
#include "pool.h"
#include "receive.h"
#include "ring.h"
#include "stats.h"
#include "timer.h"
#include "units.h"
#include "waker.h"

struct mailbox_directory;
struct control_link;
struct link;
struct tls_context;

// A completion set aside.
struct worker_completion {
    uint64_t tag;
    int result;
    uint32_t flags;
};

struct worker {
    uint16_t number;
    const struct config *config;
    pthread_t thread;
    struct ring ring;
    struct bufring buffers;
    struct bufring handshake_buffers; // of TLS handshakes, so that they cannot starve the others
    struct conn *conns;               // one for each direct descriptor
    uint32_t conn_count;
    uint32_t live; // connections not CONN_FREE
    // Completions taken out of the queue so that sends can be reaped in between: done up to
    // batch_next, gone only when all are done.
    struct worker_completion *batch;
    uint32_t batch_next, batch_count, batch_capacity;
    // Receives put off to a later turn: a ring.
    struct worker_completion *later;
    uint32_t later_first, later_count, later_capacity;
    uint32_t handshake_steps; // of this turn
    uint64_t now_ns;          // of this turn
    struct timer_wheel wheel;

    struct list dirty;    // connections to flush at the end of the turn
    struct list rearm;    // connections whose receive found no buffer
    struct list farewell; // dead connections whose end the control plane could not take yet
    struct outbox_arena outbox;
    struct receive_arena receive;
    struct pool upgrades;         // struct http_upgrade
    uint32_t fragmented_messages; // under way

    int listeners[LIMIT_LISTENERS];
    uint32_t listener_count;
    uint32_t accepting;      // bits: listeners with an accept armed
    uint32_t accepting_many; // bits: … a multishot one
    bool accept_full;        // every slot is taken
    struct timer accept_rest;
    struct timer sweep;
    uint32_t sweep_slot; // next to look at
    uint8_t peeked;

    struct waker waker;
    uint64_t waker_value;
    struct link *links; // all: [from × worker_count + to]
    struct worker *workers;
    uint32_t worker_count;
    struct control_link *control;
    struct mailbox_directory *directory;
    struct tls_context *tls;

    _Atomic bool *draining;      // set once by main
    _Atomic uint32_t *undrained; // workers with connections left, in a drain
    bool drain_seen, drained;
    uint64_t drain_deadline_ns;
    struct stats stats;

    sem_t started;
    int start_error;
    const char *start_what; // could not be had, after an error
};

// Start the thread and wait until it has reserved everything; it ends after the drain. The caller
// has set the fields it shares: number, config, listeners, links, workers, control, directory, tls,
// draining, undrained. Errors: -errno, and w->start_what names what could not be had.
NODISCARD int worker_start(struct worker *w);
// Thread: the one that started it.
void worker_join(struct worker *w);

// Thread: the worker's. Take what is in the completion queue: sends are completed at once, the rest
// is set aside in the batch.
void worker_reap_sends(struct worker *w);

#endif
