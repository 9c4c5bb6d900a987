// Micro-benchmarks of the cryptography: from the command line to the report. Main thread only;
// knows no cryptography.
#include "bench_micro.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "bench_child.h"
#include "bench_micro_options.h"
#include "bench_micro_report.h"
#include "clock.h"
#include "cpu.h"
#include "log.h"
#include "sealcrypto.h"

#define HOT_SESSIONS 8u
#define PROGRESS_NS (10 * NS_PER_S) // without a terminal, only long runs say where they are

// One run of a subject.
struct micro {
    struct bench_micro_options options;
    struct bench_micro_report report;
    bool runs[BENCH_MICRO_OPS_MAX][BENCH_MICRO_IMPLS_MAX]; // on this machine, and has the operation
    uint64_t progress_ns;                                  // when progress was last told
};

// What all implementations of one operation measure side by side.
struct work {
    unsigned at; // of the operation in the subject
    const struct bench_micro_op *op;
    struct bench_micro_point point;
};

// ---- for the subjects ---------------------------------------------------------------------------

void *bench_micro_alloc(size_t count, size_t size)
{
    size_t len = (count * size + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    void *memory = aligned_alloc(CACHE_LINE_BYTES, len > 0 ? len : CACHE_LINE_BYTES);

    BENCH_MICRO_NEED(memory != NULL);
    return memset(memory, 0, len);
}

void bench_micro_fill(void *out, size_t len, uint64_t seed)
{
    uint8_t *bytes = out;

    // SplitMix64, one byte a step.
    for (size_t i = 0; i < len; i++) {
        uint64_t z = seed += 0x9E3779B97F4A7C15ull;

        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        bytes[i] = (uint8_t)(z >> 56);
    }
}

void bench_micro_fail(const char *what, const char *file, int line)
{
    log_error("%s:%d: not so: %s", file, line, what);
    exit(BENCH_EXIT_INTERNAL);
}

// ---- the run ------------------------------------------------------------------------------------

// The last processor this process may run on.
static int last_cpu(void)
{
    cpu_set_t set;
    int last = 0;

    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, &set))
            last = cpu;
    return last;
}

static void add_absence(struct bench_micro_report *r, const char *impl, const char *why)
{
    for (unsigned i = 0; i < r->absence_count; i++)
        if (strcmp(r->absences[i].impl, impl) == 0)
            return;
    r->absences[r->absence_count++] = (struct bench_micro_absence){impl, why};
}

static void start_impls(struct micro *m)
{
    const struct bench_micro_subject *s = m->options.subject;

    for (unsigned i = 0; i < s->op_count; i++)
        for (unsigned k = 0; k < s->ops[i]->impl_count; k++) {
            const struct bench_micro_impl *impl = s->ops[i]->impls[k];
            const char *why = impl->start ? impl->start() : NULL;

            m->runs[i][k] = !why && impl->run[s->ops[i]->index];
            if (why && bench_micro_options_has(&m->options, impl->name))
                add_absence(&m->report, impl->name, why);
        }
}

// Will there be a row at all?
static bool has_work(const struct micro *m)
{
    const struct bench_micro_subject *s = m->options.subject;
    bool has = false;

    for (unsigned i = 0; i < s->op_count; i++)
        for (unsigned k = 0; k < s->ops[i]->impl_count; k++)
            has = has || (m->options.ops[i] && m->runs[i][k] &&
                          bench_micro_options_has(&m->options, s->ops[i]->impls[k]->name));
    return has;
}

static struct bench_micro_point point_of(const struct micro *m, const struct work *work,
                                         unsigned batch)
{
    struct bench_micro_point p = work->point;
    unsigned least = batch > BENCH_MICRO_SLOTS_MIN ? batch : BENCH_MICRO_SLOTS_MIN;

    p.batch = batch;
    p.slots = (least + batch - 1) / batch * batch;
    p.sessions = p.cold ? m->options.sessions : HOT_SESSIONS;
    return p;
}

static bool is_equal(const struct bench_micro_cell *a, const struct bench_micro_cell *b)
{
    return a->output_len == b->output_len && memcmp(a->output, b->output, a->output_len) == 0;
}

// Every implementation that runs here, chosen or not, on the same inputs. Errors: -EBADMSG.
static int verify_point(const struct micro *m, const struct work *work,
                        const struct bench_micro_point *p)
{
    const struct bench_micro_op *op = work->op;
    struct bench_micro_cell *cells[BENCH_MICRO_IMPLS_MAX] = {NULL};
    unsigned first = op->impl_count;
    int err = 0;

    for (unsigned i = 0; i < op->impl_count && err == 0; i++) {
        const struct bench_micro_impl *impl = op->impls[i];
        struct bench_micro_point own = *p;

        if (!m->runs[work->at][i])
            continue;
        own.batch = impl->batches ? p->batch : 1;
        cells[i] = impl->prepare(&own);
        if (!impl->is_right)
            first = first < i ? first : i;
        if (!impl->run[p->op](cells[i], own.slots / own.batch)) {
            log_error("%s: %s failed (%zu bytes, batch %u)", op->name, impl->name, p->bytes,
                      own.batch);
            err = -EBADMSG;
        } else if (impl->is_right ? !impl->is_right(cells[i]) : !is_equal(cells[first], cells[i])) {
            log_error("%s: %s and %s disagree (%zu bytes, batch %u)", op->name, op->impls[0]->name,
                      impl->name, p->bytes, p->batch);
            err = -EBADMSG;
        }
    }
    for (unsigned i = 0; i < op->impl_count; i++)
        if (cells[i])
            op->impls[i]->finish(cells[i]);
    return err;
}

static int verify_work(struct micro *m, const struct work *work)
{
    const struct bench_micro_options *o = &m->options;
    int err = 0;

    if (work->point.cold && o->caches[false])
        return 0; // the same bytes as with hot keys
    for (unsigned i = 0; err == 0 && i < o->batch_count; i++) {
        struct bench_micro_point p = point_of(m, work, o->batches[i]);

        p.sessions = HOT_SESSIONS;
        err = bench_child_is_interrupted() ? -EINTR : verify_point(m, work, &p);
    }
    return err;
}

static void add_seat(struct micro *m, struct bench_micro_seat *seats, unsigned *count,
                     const struct bench_micro_impl *impl, const struct work *work, unsigned batch)
{
    struct bench_micro_point p = point_of(m, work, batch);

    seats[(*count)++] = (struct bench_micro_seat){
        .impl = impl,
        .cell = impl->prepare(&p),
        .row = {.op = work->op->name,
                .impl = impl->name,
                .tier = impl->tier ? impl->tier(p.op) : NULL,
                .keyed = m->options.subject->keyed,
                .point = p},
    };
}

static void keep_rows(struct bench_micro_report *r, const struct bench_micro_seat *seats,
                      unsigned count)
{
    if (count == 0) // none of those chosen has the operation
        return;
    r->rows = realloc(r->rows, (r->row_count + count) * sizeof *r->rows);
    BENCH_MICRO_NEED(r->rows != NULL);
    for (unsigned i = 0; i < count; i++)
        r->rows[r->row_count++] = seats[i].row;
}

static int measure_work(struct micro *m, const struct work *work)
{
    const struct bench_micro_options *o = &m->options;
    struct bench_micro_seat seats[BENCH_MICRO_IMPLS_MAX * BENCH_MICRO_BATCHES_MAX];
    const struct bench_micro_seat *failed = NULL;
    unsigned count = 0;
    int err;

    for (unsigned i = 0; i < work->op->impl_count; i++) {
        const struct bench_micro_impl *impl = work->op->impls[i];

        if (!m->runs[work->at][i] || !bench_micro_options_has(o, impl->name))
            continue;
        for (unsigned b = 0; impl->batches && b < o->batch_count; b++)
            add_seat(m, seats, &count, impl, work, o->batches[b]);
        if (!impl->batches)
            add_seat(m, seats, &count, impl, work, 1);
    }
    err = bench_micro_measure(seats, count, o->rounds, o->cell_ns / o->rounds,
                              bench_child_is_interrupted, &failed);
    if (err == -EBADMSG)
        log_error("%s: %s failed", failed->row.op, failed->row.impl);
    else if (err == -ENOMEM)
        log_error("out of memory");
    if (err == 0)
        keep_rows(&m->report, seats, count);
    for (unsigned i = 0; i < count; i++)
        seats[i].impl->finish(seats[i].cell);
    return err;
}

static void tell_progress(struct micro *m, const struct work *work)
{
    const bool keyed = m->options.subject->keyed;

    if (!isatty(STDERR_FILENO) && clock_now_ns() - m->progress_ns < PROGRESS_NS)
        return;
    m->progress_ns = clock_now_ns();
    fprintf(stderr, "measuring %s, %zu bytes", work->op->name, work->point.bytes);
    if (keyed)
        fprintf(stderr, ", %s keys, %s", work->point.fresh ? "fresh" : "prepared",
                work->point.cold ? "cold" : "hot");
    fputc('\n', stderr);
}

static int measure_and_tell(struct micro *m, const struct work *work)
{
    tell_progress(m, work);
    return measure_work(m, work);
}

// All sizes and keys of one operation that were chosen.
static int for_each_point(struct micro *m, unsigned at,
                          int (*act)(struct micro *, const struct work *))
{
    const struct bench_micro_options *o = &m->options;
    const struct bench_micro_op *op = o->subject->ops[at];
    const size_t *bytes = o->size_count > 0 ? o->bytes : op->bytes;
    int err = 0;

    for (unsigned keys = 0; keys < 4; keys++) {
        struct work work = {.at = at, .op = op, .point.op = op->index};

        work.point.fresh = keys & 1;
        work.point.cold = keys & 2;
        if (!o->keys[work.point.fresh] || !o->caches[work.point.cold])
            continue;
        for (unsigned i = 0; err == 0 && i < BENCH_MICRO_SIZES_MAX && bytes[i] > 0; i++) {
            work.point.bytes = bytes[i];
            err = act(m, &work);
        }
    }
    return err;
}

// All work that was chosen, in the order of the report.
static int for_each_work(struct micro *m, int (*act)(struct micro *, const struct work *))
{
    int err = 0;

    for (unsigned at = 0; err == 0 && at < m->options.subject->op_count; at++)
        if (m->options.ops[at])
            err = for_each_point(m, at, act);
    return err;
}

// What must be right before anything is measured. Returns an exit code.
static int prepare(struct micro *m, int argc, char **argv)
{
    struct bench_micro_options *o = &m->options;
    FILE *f = o->json ? fopen(o->json, "ae") : NULL;
    int err;

    if (o->json && !f) {
        log_error("--json: cannot write %s: %s", o->json, strerror(errno));
        return BENCH_EXIT_CONFIGURATION;
    }
    if (f)
        fclose(f);
    err = sp_init();
    if (err < 0) {
        log_error("libsealcrypto does not start: %s%s", strerror(-err),
                  err == -ENOTSUP ? " (SEALPOST_CRYPTO_TIER names a tier this machine lacks)" : "");
        return err == -ENOTSUP ? BENCH_EXIT_CONFIGURATION : BENCH_EXIT_INTERNAL;
    }
    err = bench_child_init();
    if (err < 0) {
        log_error("signals: %s", strerror(-err));
        return BENCH_EXIT_INTERNAL;
    }
    bench_micro_describe(&m->report.env, argc, argv);
    snprintf(m->report.env.tier, sizeof m->report.env.tier, "%s", sp_tier());
    if (o->pin < 0)
        o->pin = last_cpu();
    err = cpu_pin_thread((unsigned)o->pin);
    if (err < 0) {
        log_error("processor %d is not available: %s", o->pin, strerror(-err));
        return BENCH_EXIT_CONFIGURATION;
    }
    m->report.unit = o->subject->unit;
    m->report.env.pinned_cpu = (unsigned)o->pin;
    m->report.env.rounds = o->rounds;
    m->report.env.round_ms = (double)o->cell_ns / o->rounds / (double)NS_PER_MS;
    m->report.env.sessions = o->sessions;
    return BENCH_EXIT_PASS;
}

static int report(const struct micro *m)
{
    const char *json = m->options.json;
    int err;

    bench_micro_print_table(&m->report, stdout);
    if (fflush(stdout) != 0)
        return BENCH_EXIT_INTERNAL;
    err = json ? bench_micro_write_json(&m->report, json) : 0;
    if (err < 0)
        log_error("cannot write %s: %s", json, strerror(-err));
    return err < 0 ? BENCH_EXIT_INTERNAL : BENCH_EXIT_PASS;
}

int bench_micro_main(const struct bench_micro_subject *subject, int argc, char **argv)
{
    struct micro m = {.progress_ns = clock_now_ns()};
    int code, err;

    bench_micro_options_parse(subject, argc, argv, &m.options);
    code = prepare(&m, argc, argv);
    if (code != BENCH_EXIT_PASS)
        return code;
    start_impls(&m);
    if (!has_work(&m)) {
        log_error("nothing to measure: none of the implementations chosen has the operations "
                  "chosen, here");
        return BENCH_EXIT_CONFIGURATION;
    }
    err = for_each_work(&m, verify_work);
    if (err == 0)
        err = for_each_work(&m, measure_and_tell);
    if (err == 0)
        code = report(&m);
    else
        code = err == -EINTR ? BENCH_EXIT_INTERRUPTED : BENCH_EXIT_INTERNAL;
    free(m.report.rows);
    return code;
}
