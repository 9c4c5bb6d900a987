// The command line of sealpost-load: parsed, checked, in units the rest works with.
#ifndef SEALPOST_OPTIONS_H
#define SEALPOST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent_list.h"
#include "cpu.h"
#include "group.h"
#include "payload.h"
#include "plan.h"
#include "report_options.h"
#include "sealcrypto.h"
#include "source_list.h"
#include "stage.h"
#include "threshold_list.h"
#include "units.h"

#define OPTIONS_REASON_BYTES 256u
#define OPTIONS_THREADS_MAX 64u
#define OPTIONS_IN_FLIGHT_MAX 4096u
#define OPTIONS_CONNECTIONS_MAX 1000000u
// The relay's largest ciphertext (docs/PROTOCOL.md, hello) less the session overhead.
#define OPTIONS_PAYLOAD_MAX_BYTES (64u * KIB - 32u)

enum options_mode { OPTIONS_TALK, OPTIONS_HANDSHAKE, OPTIONS_IDLE };

// Files and places for other tools; NULL: not wanted.
struct options_outputs {
    const char *csv_file, *hgrm_dir, *hlog_file, *prometheus_file, *otlp_url;
};
struct scenario;

struct options {
    const char *url;
    struct scenario *scenario; // NULL: none; of options_free
    bool is_check;             // say what would be done; url may be missing
    enum options_mode
        mode; // with groups: TALK if any of them sends envelopes, else HANDSHAKE, IDLE
    struct group groups[GROUPS_MAX]; // without --group: one that does what the mode says
    uint32_t group_count;
    bool has_groups; // by --group
    uint32_t connections;
    uint32_t in_flight;       // talk, closed loop: each connection's
    double rate_per_s;        // talk, open loop: of all connections; 0 is closed loop
    struct stage_list stages; // open loop; rate_per_s is their mean, duration_ns their sum
    enum plan_arrival arrival;
    uint32_t payload_bytes; // plaintext; with a distribution, the largest
    struct payload payload; // of kind PAYLOAD_FIXED: payload_bytes each
    const char *payload_text;
    bool durable;
    bool idle_anonymous;
    enum sp_suite suite;
    bool is_hybrid; // identities: ML-DSA-65 beside Ed25519
    enum sp_session_mode session;
    uint64_t warmup_ns, duration_ns, drain_ns;
    uint64_t setup_timeout_ns;
    bool is_held;        // the load begins on a word on standard input
    uint64_t ceiling_ns; // measure the generator's ceiling first, for so long; 0: do not
    uint32_t threads;    // of all agents together
    unsigned pin[CPU_LIST_MAX];
    uint32_t pin_count; // 0: not pinned
    bool source_addresses_auto;
    uint32_t source_addresses;  // loopback relays: from 127.0.0.1 on; 0: the system chooses
    struct source_list sources; // addresses by name instead
    uint64_t seed;
    const char *ca_file;
    bool insecure;
    const char *json_file;
    struct options_outputs outputs;
    const char *record_file; // CSV of what was sent when
    pid_t server_pid;        // 0: none
    bool quiet;
    uint64_t progress_ns; // 0: nothing is shown while it runs
    struct threshold_list thresholds;
    struct report_options report;
    struct agent_list agents; // count 0: none
    uint32_t processes;       // agents of our own; 0: none
    const char *token_file;   // of the agents; NULL: none
    char **argv; // with a scenario: its settings, then the command line; of options_free
    int argc;
};

// Parse and check. Strings of `o` point into argv and the scenario: options_free when `o` is no
// longer used (a copy of it must not be). --help, --version and unknown options end the
// process inside (0, 0, 104). Errors: -EINVAL with one sentence in reason.
NODISCARD int options_parse(struct options *o, int argc, char **argv,
                            char reason[OPTIONS_REASON_BYTES]);
void options_free(struct options *o);
// What a coordinator parsed, again at an agent: a scenario's settings are among them, its file is
// not read.
NODISCARD int options_parse_again(struct options *o, int argc, char **argv,
                                  char reason[OPTIONS_REASON_BYTES]);
// Every option of a run: the keys of a scenario file.
struct option_names;
void options_collect_names(struct option_names *names);

// A command's own options beside those of a run: an argp parser with its input. What it presets at
// ARGP_KEY_INIT the command line overrides.
struct argp;
struct options_own {
    const struct argp *argp;
    void *input;
    const char *title, *doc; // of the group; of the command
    bool sets_rate;          // the command sets the rate: --arrival goes without --rate
};
NODISCARD int options_parse_with(struct options *o, const struct options_own *own, int argc,
                                 char **argv, char reason[OPTIONS_REASON_BYTES]);

// After `connections` or the mode has changed: give the users to the groups again, all of them idle
// in idle mode. Errors: -EINVAL with one sentence in reason.
NODISCARD int options_split_users(struct options *o, char reason[OPTIONS_REASON_BYTES]);

const char *options_mode_name(enum options_mode mode);
const char *options_arrival_name(enum plan_arrival arrival);
const char *options_suite_name(enum sp_suite suite);
const char *options_auth_name(bool is_hybrid);
const char *options_session_name(enum sp_session_mode mode);

// Over how many agents the run goes; 0: this process makes it alone.
static inline uint32_t options_agent_count(const struct options *o)
{
    return o->agents.count > 0 ? o->agents.count : o->processes;
}

// Keys of the run need post-quantum algorithms: messages with keys in them are larger.
static inline bool options_are_post_quantum(const struct options *o)
{
    return o->suite == SP_SUITE_PQXDH || o->is_hybrid;
}

#endif
