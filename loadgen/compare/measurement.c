// One measured run of one pattern. Pure.
#include "measurement.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

const struct setting_kind setting_kinds[SETTING_COUNT] = {
#define X(name, weight, path) {#name, SETTING_##weight, path},
    SETTINGS(X)
#undef X
};

void measurement_init(struct measurement *m)
{
    *m = (struct measurement){.trust = MEASUREMENT_SOUND};
    for (unsigned i = 0; i < METRIC_COUNT; i++)
        m->values[i] = NAN;
}

void measurement_free(struct measurement *m)
{
    free(m->thresholds);
    m->thresholds = NULL;
    m->threshold_count = 0;
}

PRINTF_LIKE(2, 3) static void append(char name[MEASUREMENT_NAME_BYTES], const char *format, ...)
{
    size_t len = strlen(name);
    va_list args;

    va_start(args, format);
    vsnprintf(name + len, MEASUREMENT_NAME_BYTES - len, format, args);
    va_end(args);
}

// What most runs leave alone is named only when it is something else.
static void append_unless(struct measurement *m, enum setting s, const char *usual)
{
    const char *text = m->settings[s];

    if (text[0] != '\0' && strcmp(text, usual) != 0)
        append(m->name, "/%s", text);
}

void measurement_name(struct measurement *m)
{
    const char *rate = m->settings[SETTING_rate_per_s], *tls = m->settings[SETTING_tls];

    m->name[0] = '\0';
    append(m->name, "%s", m->settings[SETTING_mode]);
    append(m->name, "/conns=%s", m->settings[SETTING_connections]);
    if (strcmp(m->settings[SETTING_mode], "talk") == 0) {
        if (rate[0] != '\0')
            append(m->name, "/rate=%s", rate);
        else
            append(m->name, "/in_flight=%s", m->settings[SETTING_in_flight]);
        append(m->name, "/payload=%s", m->settings[SETTING_payload_bytes]);
    }
    if (strcmp(m->settings[SETTING_model], "open, poisson") == 0)
        append(m->name, "/poisson");
    if (strcmp(m->settings[SETTING_durable], "true") == 0)
        append(m->name, "/durable");
    if (strcmp(m->settings[SETTING_idle_anonymous], "true") == 0)
        append(m->name, "/anonymous");
    append_unless(m, SETTING_suite, "x3dh");
    append_unless(m, SETTING_auth, "ed25519");
    append_unless(m, SETTING_session, "counter");
    if (tls[0] != '\0' && strcmp(tls, "none") != 0)
        append(m->name, "/tls");
}

enum setting measurement_differ(const struct measurement *a, const struct measurement *b,
                                enum setting_weight weight)
{
    for (unsigned i = 0; i < SETTING_COUNT; i++)
        if (setting_kinds[i].weight == weight && a->settings[i][0] != '\0' &&
            b->settings[i][0] != '\0' && strcmp(a->settings[i], b->settings[i]) != 0)
            return (enum setting)i;
    return SETTING_COUNT;
}

const char *measurement_trust_name(enum measurement_trust trust)
{
    static const char *const names[] = {"ok", "suspect", "limited", "broken", "faulty"};

    return names[trust];
}
