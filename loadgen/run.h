// One run from connect to verdict: the coordinator of the generator threads, and what came out.
#ifndef SEALPOST_RUN_H
#define SEALPOST_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "backlog.h"
#include "ceiling.h"
#include "exit_code.h"
#include "machine.h"
#include "options.h"
#include "series.h"
#include "shard.h"
#include "tally.h"
#include "target.h"
#include "threshold_list.h"
#include "tls.h"
#include "verdict.h"

struct agent_result;
struct live;
struct web;

// Beyond the set-up's timeout: how long the word to start may take.
#define RUN_START_GRACE_NS (30 * NS_PER_S)

enum run_order { RUN_ORDER_NONE, RUN_ORDER_START, RUN_ORDER_STOP };

// Who directs a run from outside of this process, asked between two steps; nothing here blocks.
struct run_director {
    void *ctx;
    uint64_t (*next_ns)(void *ctx);                   // when to be told again
    void (*tell)(void *ctx, const struct live *live); // how far it is
    void (*settled)(void *ctx);                       // every user is ready
    enum run_order (*ask)(void *ctx);                 // what to do now; START stays START
    uint64_t (*start_ns)(void *ctx);                  // when the load starts, on this clock
};

// What this process does of a run that goes over several: the threads first_thread … of the
// options' threads. Users, rates, phases and numbers are those threads'.
struct run_part {
    uint32_t first_thread, thread_count;
    uint64_t run_id;                     // 0: a new one
    const struct run_director *director; // NULL: it directs itself
};

struct outcome {
    const struct options *options;
    const struct target *target;
    uint64_t run_id;
    time_t started;
    uint64_t setup_ns;
    bool has_begun; // the set-up was over
    bool interrupted;
    bool has_bad_options; // an agent could not take them
    enum shard_failure failure;
    char failure_text[SHARD_FAILURE_BYTES];
    char disconnect_text[SHARD_FAILURE_BYTES];
    char tls_group[32];
    struct tally tally;
    double busy_pct[OPTIONS_THREADS_MAX];
    double steal_pct;
    uint64_t throttled_ns; // in the window, by a control group's quota; of agents the most
    struct machine_share share;
    struct backlog backlog;
    bool has_server;                       // the figures below are there
    char server_text[SHARD_FAILURE_BYTES]; // why not
    uint64_t server_cpu_ns;                // in the window
    uint64_t server_rss_before_bytes,
        server_rss_bytes;            // before the first connection; at the window's end
    struct series series;            // of the window, each second or longer
    double coordinator_busy_pct;     // its own CPU time in the window: what watching costs
    uint64_t recorded, not_recorded; // --record: rows; envelopes for which there was no room
    int record_error;                // 0, -errno: the file could not be written
    struct threshold_result thresholds[THRESHOLD_LIST_MAX]; // in the options' order
    bool is_aborted;                                        // by a missed objective
    uint32_t aborted_by;
    uint64_t aborted_after_ns; // of the window
    double aborted_at_value;
    struct ceiling ceiling;      // zero: not asked for
    struct agent_result *agents; // NULL: this process did it alone
    uint32_t agent_count;
    struct verdict verdict;
    enum exit_code exit_code;
};

// Run. `tls` is NULL for ws. The outcome is filled in whatever happens. Errors: -ENOMEM.
// Thread: the process's main thread, before it has made others (but for the live page's, which
// takes no signals).
NODISCARD int run_load(struct outcome *out, const struct options *o, const struct target *t,
                       struct tls_context *tls);
// Judge once more, with the ceiling that was measured before the run.
void run_set_ceiling(struct outcome *out, const struct ceiling *c);
// The same for a part of a run; its outcome has the figures of that part, busy_pct of its own
// threads from 0 on. `web` is the live page beside it, NULL: none.
NODISCARD int run_load_part(struct outcome *out, const struct options *o,
                            const struct run_part *part, const struct target *t,
                            struct tls_context *tls, struct web *web);
// An empty outcome with a new run id. Errors: -ENOMEM.
NODISCARD int run_init_outcome(struct outcome *out, const struct options *o,
                               const struct target *t);
void run_free(struct outcome *out);

#endif
