// One measured run of one pattern, in the form results are compared and exported in. Pure.
#ifndef SEALPOST_MEASUREMENT_H
#define SEALPOST_MEASUREMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "metric.h"

#define MEASUREMENT_NAME_BYTES 128u
#define MEASUREMENT_TEXT_BYTES 96u
#define MEASUREMENT_REASON_BYTES 192u
#define MEASUREMENT_THRESHOLDS_MAX 32u

// What a run was of. STRICT: another value is another test, never compared. MACHINE: only metrics
// that hold across machines are judged. NOTE: said, no more.
#define SETTINGS(X)                                                                                \
    X(mode, STRICT, "run.config.mode")                                                             \
    X(model, STRICT, "offered.model")                                                              \
    X(connections, STRICT, "run.config.connections")                                               \
    X(in_flight, STRICT, "run.config.in_flight")                                                   \
    X(rate_per_s, STRICT, "offered.rate_per_s")                                                    \
    X(payload_bytes, STRICT, "run.config.payload_bytes")                                           \
    X(payload, STRICT, "run.config.payload")                                                       \
    X(stages, STRICT, "") /* made of stages[] */                                                   \
    X(groups, STRICT, "") /* made of groups[] */                                                   \
    X(durable, STRICT, "run.config.durable")                                                       \
    X(suite, STRICT, "run.config.suite")                                                           \
    X(auth, STRICT, "run.config.auth")                                                             \
    X(session, STRICT, "run.config.session")                                                       \
    X(idle_anonymous, STRICT, "run.config.idle_anonymous")                                         \
    X(together, STRICT, "") /* of sealpost-bench: the servers at the same time */                  \
    X(tls, STRICT, "env.tls")                                                                      \
    X(cpu, MACHINE, "env.cpu")                                                                     \
    X(cpu_id, MACHINE, "env.cpu_id")                                                               \
    X(cores, MACHINE, "env.cores")                                                                 \
    X(colocated, MACHINE, "env.colocated")                                                         \
    X(kernel, NOTE, "env.kernel")                                                                  \
    X(crypto, NOTE, "env.crypto")                                                                  \
    X(masking, NOTE, "env.masking")                                                                \
    X(threads, NOTE, "run.config.threads")                                                         \
    X(duration_s, NOTE, "run.config.duration_s")

enum setting {
#define X(name, ...) SETTING_##name,
    SETTINGS(X)
#undef X
        SETTING_COUNT
};

enum setting_weight { SETTING_STRICT, SETTING_MACHINE, SETTING_NOTE };

struct setting_kind {
    const char *name;
    enum setting_weight weight;
    const char *path; // in a result of sealpost-load
};
extern const struct setting_kind setting_kinds[SETTING_COUNT];

// Why figures are not used as they are.
enum measurement_trust {
    MEASUREMENT_SOUND,
    MEASUREMENT_SUSPECT, // used, with a warning
    MEASUREMENT_LIMITED, // the generator was the limit: left out
    MEASUREMENT_BROKEN,  // interrupted or failed: left out
    MEASUREMENT_FAULTY,  // envelopes or connections were lost or wrong
};

struct measurement_threshold {
    char name[MEASUREMENT_TEXT_BYTES * 2];
    char reason[MEASUREMENT_TEXT_BYTES * 2]; // of one that failed, "" if the result does not say
    bool passed;
};

struct measurement {
    char name[MEASUREMENT_NAME_BYTES];   // of the pattern: what is compared has the same
    char source[MEASUREMENT_NAME_BYTES]; // the file, for messages
    char commit[MEASUREMENT_TEXT_BYTES]; // "" if unknown
    char pair[MEASUREMENT_TEXT_BYTES];   // of the other side's at the same time; "": there is none
    char settings[SETTING_COUNT][MEASUREMENT_TEXT_BYTES]; // "" where the result does not say
    double values[METRIC_COUNT];                          // NaN where there is none
    enum measurement_trust trust;
    char reason[MEASUREMENT_REASON_BYTES]; // for trust, "" when sound
    bool is_part;      // a stage or a group of the result before it, with its trust
    bool is_yardstick; // the raw forwarder: shown, not judged
    struct measurement_threshold *thresholds; // freed by measurement_free
    unsigned threshold_count;
};

void measurement_init(struct measurement *m);
void measurement_free(struct measurement *m);

// Makes the name of the settings: talk/conns=100/in_flight=1/payload=256.
void measurement_name(struct measurement *m);

// The first setting of this weight that both know and that differs, SETTING_COUNT if none.
enum setting measurement_differ(const struct measurement *a, const struct measurement *b,
                                enum setting_weight weight);

const char *measurement_trust_name(enum measurement_trust trust);

#endif
