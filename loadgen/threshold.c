// One objective: its grammar, its judgement on exact figures and on coarse ones. No I/O.
#include "threshold.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The enumeration's edges.
#define COUNT_ONE(name) +1
#define LATENCY_END (0u TALLY_HISTOGRAMS(COUNT_ONE))
#define WINDOW_END (LATENCY_END THRESHOLD_WINDOW_COUNTERS(COUNT_ONE))
#define COUNTER_END (WINDOW_END THRESHOLD_RUN_COUNTERS(COUNT_ONE))

static const char *const metric_names[] = {
#define X(name) #name,
    TALLY_HISTOGRAMS(X) THRESHOLD_WINDOW_COUNTERS(X) THRESHOLD_RUN_COUNTERS(X) THRESHOLD_GAUGES(X)
#undef X
};

static const struct {
    const char *name;
    enum threshold_method method;
} method_names[] = {
    {"avg", THRESHOLD_AVG},     {"min", THRESHOLD_MIN},   {"max", THRESHOLD_MAX},
    {"count", THRESHOLD_COUNT}, {"rate", THRESHOLD_RATE}, {"value", THRESHOLD_VALUE},
};

// Longer ones first: the first that fits is it.
static const struct {
    const char *text;
    enum threshold_comparison comparison;
} comparisons[] = {
    {"===", THRESHOLD_EQUAL},  {"==", THRESHOLD_EQUAL}, {"!=", THRESHOLD_NOT_EQUAL},
    {"<=", THRESHOLD_AT_MOST}, {"<", THRESHOLD_BELOW},  {">=", THRESHOLD_AT_LEAST},
    {">", THRESHOLD_ABOVE},
};

struct parse {
    struct threshold *t;
    const char *at;
    char *reason;
};

PRINTF_LIKE(2, 3) static int refuse(struct parse *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(p->reason, THRESHOLD_REASON_BYTES, format, args);
    va_end(args);
    return -EINVAL;
}

static void skip_space(struct parse *p)
{
    while (*p->at == ' ' || *p->at == '\t')
        p->at++;
}

// What the metrics are called after the JSON result's members: delivery.lost is `lost`, and
// `delivery_lost` for those who look for it there.
static int parse_metric(struct parse *p)
{
    const char *colon = strchr(p->at, ':');
    const char *name = strncmp(p->at, "delivery_", 9) == 0 ? p->at + 9 : p->at;

    if (!colon)
        return refuse(p, "threshold '%s' lacks its metric: write for instance response:p(99)<20ms",
                      p->t->text);
    for (unsigned i = 0; i < COUNT_OF(metric_names); i++) {
        if (strlen(metric_names[i]) == (size_t)(colon - name) &&
            memcmp(metric_names[i], name, (size_t)(colon - name)) == 0) {
            p->t->metric = (enum threshold_metric)i;
            p->at = colon + 1;
            return 0;
        }
    }
    return refuse(p,
                  "threshold '%s': there is no metric '%.*s'; latencies are response, handshake …, "
                  "counters delivered, lost, faults …, gauges rate, server_cpu_ns_per_msg …",
                  p->t->text, (int)(colon - p->at), p->at);
}

// Digits with an optional fraction, nothing else that strtod takes (no exponent, sign, hexadecimal,
// infinity).
static bool parse_number(struct parse *p, double *out)
{
    size_t whole = strspn(p->at, "0123456789"), len = whole;

    if (p->at[len] == '.')
        len += 1 + strspn(p->at + len + 1, "0123456789");
    if (whole == 0 || len > 32)
        return false;
    *out = strtod(p->at, NULL);
    p->at += len;
    return true;
}

static int parse_percentile(struct parse *p)
{
    p->at += 2;
    skip_space(p);
    if (!parse_number(p, &p->t->percentile) || p->t->percentile > 100)
        return refuse(p, "threshold '%s': p() takes a percentile from 0 to 100", p->t->text);
    skip_space(p);
    if (*p->at != ')')
        return refuse(p, "threshold '%s': the percentile's ) is missing", p->t->text);
    p->at++;
    p->t->method = THRESHOLD_PERCENTILE;
    return 0;
}

static int check_method(struct parse *p)
{
    const struct threshold *t = p->t;
    bool is_trend = t->method <= THRESHOLD_PERCENTILE;

    if (t->metric < LATENCY_END)
        return is_trend ? 0
                        : refuse(p, "threshold '%s': a latency has avg, min, max, med and p(N)",
                                 t->text);
    if (t->metric < WINDOW_END)
        return t->method == THRESHOLD_COUNT || t->method == THRESHOLD_RATE
                   ? 0
                   : refuse(p, "threshold '%s': %s has count and rate", t->text,
                            metric_names[t->metric]);
    if (t->metric < COUNTER_END)
        return t->method == THRESHOLD_COUNT ? 0
                                            : refuse(p, "threshold '%s': %s has count alone",
                                                     t->text, metric_names[t->metric]);
    return t->method == THRESHOLD_VALUE
               ? 0
               : refuse(p, "threshold '%s': %s has value alone", t->text, metric_names[t->metric]);
}

static int parse_method(struct parse *p)
{
    size_t len;
    int err = -ENOENT;

    skip_space(p);
    len = strspn(p->at, "abcdefghijklmnopqrstuvwxyz");
    if (len == 1 && p->at[0] == 'p' && p->at[1] == '(') {
        err = parse_percentile(p);
    } else if (len == 3 && memcmp(p->at, "med", 3) == 0) {
        p->t->method = THRESHOLD_PERCENTILE;
        p->t->percentile = 50;
        p->at += len;
        err = 0;
    }
    for (unsigned i = 0; i < COUNT_OF(method_names) && err == -ENOENT; i++) {
        if (strlen(method_names[i].name) == len && memcmp(method_names[i].name, p->at, len) == 0) {
            p->t->method = method_names[i].method;
            p->at += len;
            err = 0;
        }
    }
    if (err == -ENOENT)
        return refuse(
            p,
            "threshold '%s': after the metric comes avg, min, max, med, p(N), count, rate "
            "or value",
            p->t->text);
    return err ? err : check_method(p);
}

static int parse_comparison(struct parse *p)
{
    skip_space(p);
    for (unsigned i = 0; i < COUNT_OF(comparisons); i++) {
        size_t len = strlen(comparisons[i].text);

        if (strncmp(p->at, comparisons[i].text, len) == 0) {
            p->t->comparison = comparisons[i].comparison;
            p->at += len;
            return 0;
        }
    }
    return refuse(p, "threshold '%s': a comparison is missing: one of < <= > >= == !=", p->t->text);
}

// The unit at the cursor in ns, 0 if there is none of these.
static double parse_unit(struct parse *p, bool has_minutes)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}};
    size_t len = strspn(p->at, "abcdefghijklmnopqrstuvwxyz");

    for (unsigned i = 0; i < COUNT_OF(units) - (has_minutes ? 0 : 1); i++) {
        if (strlen(units[i].name) == len && memcmp(units[i].name, p->at, len) == 0) {
            p->at += len;
            return units[i].ns;
        }
    }
    return 0;
}

static int parse_limit(struct parse *p)
{
    struct threshold *t = p->t;
    double unit_ns;

    skip_space(p);
    if (!parse_number(p, &t->limit))
        return refuse(p, "threshold '%s': a number is missing after the comparison", t->text);
    if (t->metric < LATENCY_END) {
        skip_space(p);
        unit_ns = parse_unit(p, false);
        t->limit *= unit_ns > 0 ? unit_ns : 1e6;
    }
    skip_space(p);
    if (*p->at == '&' || *p->at == '|')
        return refuse(p, "threshold '%s' compares twice: give two thresholds", t->text);
    if (*p->at != '\0' && *p->at != ',')
        return refuse(p, "threshold '%s': '%s' is too much; %s", t->text, p->at,
                      t->metric < LATENCY_END ? "units are us, ms and s"
                                              : "this metric has no unit");
    return 0;
}

static bool is_known_live(enum threshold_metric metric)
{
    return metric == THRESHOLD_response || metric == THRESHOLD_handshake ||
           metric == THRESHOLD_delivered || metric == THRESHOLD_handshakes ||
           metric == THRESHOLD_refused || metric == THRESHOLD_faults || metric == THRESHOLD_rate;
}

static int parse_abort(struct parse *p)
{
    struct threshold *t = p->t;
    double delay = 0, unit_ns;

    if (*p->at == '\0')
        return 0;
    p->at++;
    skip_space(p);
    if (strncmp(p->at, "abort", 5) != 0)
        return refuse(p, "threshold '%s': after the comma comes abort or abort=DELAY", t->text);
    p->at += 5;
    if (*p->at == '=') {
        p->at++;
        if (!parse_number(p, &delay))
            return refuse(p, "threshold '%s': abort= takes a delay like 5s", t->text);
        unit_ns = parse_unit(p, true);
        delay *= unit_ns > 0 ? unit_ns : 1e9;
    }
    skip_space(p);
    if (*p->at != '\0' || !(delay <= 31.0 * 86400 * 1e9))
        return refuse(p, "threshold '%s': abort= takes a delay like 500ms, 5s or 2m", t->text);
    if (!is_known_live(t->metric))
        return refuse(p,
                      "threshold '%s': %s is known only after the run; abort goes with response, "
                      "handshake, delivered, handshakes, rate, refused and faults",
                      t->text, metric_names[t->metric]);
    t->abort = true;
    t->abort_delay_ns = (uint64_t)delay;
    return 0;
}

int threshold_parse(struct threshold *t, const char *text, char reason[THRESHOLD_REASON_BYTES])
{
    struct parse p = {.t = t, .reason = reason};
    int err;

    memset(t, 0, sizeof *t);
    reason[0] = '\0';
    if (strlen(text) >= sizeof t->text)
        return refuse(&p, "a threshold has %u characters at most", THRESHOLD_TEXT_BYTES - 1);
    strcpy(t->text, text);
    p.at = t->text;
    err = parse_metric(&p);
    err = err ? err : parse_method(&p);
    err = err ? err : parse_comparison(&p);
    err = err ? err : parse_limit(&p);
    return err ? err : parse_abort(&p);
}

static bool holds(enum threshold_comparison comparison, double value, double limit)
{
    switch (comparison) {
    case THRESHOLD_BELOW:
        return value < limit;
    case THRESHOLD_AT_MOST:
        return value <= limit;
    case THRESHOLD_ABOVE:
        return value > limit;
    case THRESHOLD_AT_LEAST:
        return value >= limit;
    case THRESHOLD_EQUAL:
        return value == limit;
    case THRESHOLD_NOT_EQUAL:
        return value != limit;
    }
    assert(false); // there is no other
    return false;
}

static double of_latency(const struct threshold *t, const struct hist *h, char *reason)
{
    if (!h || h->total == 0) {
        snprintf(reason, THRESHOLD_REASON_BYTES, "%s has no sample", metric_names[t->metric]);
        return NAN;
    }
    switch (t->method) {
    case THRESHOLD_AVG:
        return hist_mean(h);
    case THRESHOLD_MIN:
        return (double)h->min;
    case THRESHOLD_MAX:
        return (double)h->max;
    default:
        break;
    }
    if (t->percentile >= 100)
        return (double)h->max;
    if (!hist_percentile_supported(h, t->percentile)) {
        snprintf(reason, THRESHOLD_REASON_BYTES,
                 "%llu samples of %s are too few for p(%g): fewer than ten lie beyond it",
                 (unsigned long long)h->total, metric_names[t->metric], t->percentile);
        return NAN;
    }
    return (double)hist_percentile(h, t->percentile);
}

static double of_counter(const struct threshold *t, const struct threshold_metrics *m, char *reason)
{
    double count = (double)m->counters[t->metric];

    if (t->method == THRESHOLD_COUNT)
        return count;
    if (m->window_ns > 0)
        return count * 1e9 / (double)m->window_ns;
    snprintf(reason, THRESHOLD_REASON_BYTES, "nothing was measured");
    return NAN;
}

void threshold_judge(const struct threshold *t, const struct threshold_metrics *m,
                     struct threshold_result *out)
{
    memset(out, 0, sizeof *out);
    if (t->metric < LATENCY_END) {
        out->value = of_latency(t, m->latencies[t->metric], out->reason);
    } else if (t->metric < COUNTER_END) {
        out->value = of_counter(t, m, out->reason);
    } else {
        out->value = m->gauges[t->metric];
        if (isnan(out->value))
            snprintf(out->reason, sizeof out->reason, "%s was not measured%s",
                     metric_names[t->metric],
                     strncmp(metric_names[t->metric], "server_", 7) == 0
                         ? ": give the relay's --server-pid"
                         : "");
    }
    out->is_known = !isnan(out->value);
    if (!out->is_known) {
        out->value = 0;
        return;
    }
    out->ok = holds(t->comparison, out->value, t->limit);
    if (!out->ok)
        snprintf(out->reason, sizeof out->reason, "%s is %.6g%s", metric_names[t->metric],
                 t->metric < LATENCY_END ? out->value / 1e6 : out->value,
                 t->metric < LATENCY_END       ? " ms"
                 : t->method == THRESHOLD_RATE ? " a second"
                                               : "");
}

// A coarse figure: somewhere from low to high.
struct bounds {
    double low, high;
};

static struct bounds bounds_of_bucket(uint32_t bucket)
{
    return (struct bounds){(double)pulse_bucket_low(bucket), (double)pulse_bucket_high(bucket)};
}

// Of the latencies between two samples; nothing is certain (0 … infinity) with too few.
static struct bounds of_coarse(const struct threshold *t, const struct pulse_sample *from,
                               const struct pulse_sample *to)
{
    struct bounds none = {0, INFINITY}, sum = {0, 0}, first = none, last = none, b;
    uint64_t total = 0, seen = 0;
    double rank;

    for (uint32_t i = 0; i < PULSE_BUCKETS; i++) {
        uint64_t count = to->buckets[i] - from->buckets[i];

        if (count == 0)
            continue;
        b = bounds_of_bucket(i);
        first = total == 0 ? b : first;
        last = b;
        sum.low += (double)count * b.low;
        sum.high += (double)count * b.high;
        total += count;
    }
    if (total == 0)
        return none;
    if (t->method == THRESHOLD_AVG)
        return (struct bounds){sum.low / (double)total, sum.high / (double)total};
    // A smaller one may still come, a greater one too.
    if (t->method == THRESHOLD_MIN)
        return (struct bounds){0, first.high};
    if (t->method == THRESHOLD_MAX || t->percentile >= 100)
        return (struct bounds){last.low, INFINITY};
    rank = ceil(t->percentile / 100 * (double)total * (1 - 1e-12));
    if ((double)total - rank < 10)
        return none;
    for (uint32_t i = 0; i < PULSE_BUCKETS; i++) {
        seen += to->buckets[i] - from->buckets[i];
        if ((double)seen >= rank && seen > 0)
            return bounds_of_bucket(i);
    }
    return none;
}

static struct bounds of_live_counter(const struct threshold *t, bool is_handshake,
                                     const struct pulse_sample *from, const struct pulse_sample *to)
{
    double seconds = (double)(to->at_ns - from->at_ns) / 1e9, count;

    switch (t->metric) {
    case THRESHOLD_delivered:
        count = (double)(to->delivered - from->delivered);
        break;
    case THRESHOLD_handshakes:
        count = (double)(to->handshakes - from->handshakes);
        break;
    case THRESHOLD_rate:
        count = (double)(is_handshake ? to->handshakes - from->handshakes
                                      : to->delivered - from->delivered);
        break;
    case THRESHOLD_refused: // of the whole run, as in the result
        count = (double)to->refused;
        break;
    default:
        assert(t->metric == THRESHOLD_faults);
        count = (double)to->faults;
    }
    if (t->method == THRESHOLD_COUNT)
        return (struct bounds){count, INFINITY};
    if (seconds <= 0)
        return (struct bounds){0, INFINITY};
    return (struct bounds){count / seconds, count / seconds};
}

bool threshold_is_missed(const struct threshold *t, bool is_handshake,
                         const struct pulse_sample *from, const struct pulse_sample *to,
                         double *value)
{
    struct bounds b;
    bool is_missed;

    assert(is_known_live(t->metric));
    if (t->metric < LATENCY_END) {
        if ((t->metric == THRESHOLD_handshake) != is_handshake)
            return false;
        b = of_coarse(t, from, to);
    } else {
        b = of_live_counter(t, is_handshake, from, to);
    }
    // Missed by all that the figure may be.
    is_missed = !holds(t->comparison, b.low, t->limit) && !holds(t->comparison, b.high, t->limit);
    if (t->comparison == THRESHOLD_EQUAL && b.low <= t->limit && b.high >= t->limit)
        is_missed = false;
    *value =
        t->comparison == THRESHOLD_ABOVE || t->comparison == THRESHOLD_AT_LEAST ? b.high : b.low;
    return is_missed;
}

bool threshold_is_latency(const struct threshold *t)
{
    return t->metric < LATENCY_END;
}

const char *threshold_metric_name(enum threshold_metric metric)
{
    return metric_names[metric];
}

const char *threshold_unit(const struct threshold *t)
{
    return threshold_is_latency(t) ? "us" : t->method == THRESHOLD_RATE ? "per_s" : "";
}

double threshold_in_unit(const struct threshold *t, double value)
{
    return threshold_is_latency(t) ? value / 1e3 : value;
}
