// The command line of the micro-benchmarks.
#include "bench_micro_options.h"

#include <argp.h>
#include <string.h>

#include "bench.h"
#include "bench_address.h"
#include "bench_result.h"
#include "cpu.h"

#define CELL_NS_DEFAULT (30 * NS_PER_MS)
#define CELL_NS_QUICK (NS_PER_MS / 2)
#define ROUNDS_DEFAULT 15u
#define ROUNDS_QUICK 3u
#define SESSIONS_DEFAULT 20000u
#define SESSIONS_QUICK 500u
#define SESSIONS_MAX 1000000u

enum {
    KEY_JSON = 256,
    KEY_ONLY,
    KEY_BATCH,
    KEY_BYTES,
    KEY_IMPL,
    KEY_SESSIONS,
    KEY_QUICK,
};

static const struct argp_option option_table[] = {
    {"json", KEY_JSON, "FILE", 0, "write the rows there as well", 0},
    {"seconds", 's', "S", 0, "measured time of each cell, over all rounds (default 0.03)", 0},
    {"rounds", 'r', "N", 0, "rounds; figures are medians over them (default 15)", 0},
    {"pin", 'p', "CPU", 0, "run on this processor (default: the last one allowed)", 0},
    {"only", KEY_ONLY, "LIST", 0,
     "only these operations, or of aead also prepared or fresh keys, "
     "hot or cold ones",
     0},
    {"impl", KEY_IMPL, "LIST", 0, "only these implementations", 0},
    {"batch", KEY_BATCH, "LIST", 0, "batch sizes (default 1,2,4,8,16,32,64,128,256)", 0},
    {"bytes", KEY_BYTES, "LIST", 0, "message sizes (aead and ed25519)", 0},
    {"sessions", KEY_SESSIONS, "N", 0, "aead: so many keys when they are cold (default 20000)", 0},
    {"quick", KEY_QUICK, NULL, 0,
     "a look, not a measurement: 3 rounds of 0.17 ms, batches 1 and "
     "16, 500 sessions",
     0},
    {0},
};

static const char *const key_names[] = {"prepared", "fresh"};
static const char *const cache_names[] = {"hot", "cold"};

static bool choose(const char *name, const char *const names[2], bool chosen[2])
{
    for (size_t i = 0; i < 2; i++)
        if (strcmp(name, names[i]) == 0)
            return chosen[i] = true;
    return false;
}

static void choose_parts(struct argp_state *state, const char *text)
{
    struct bench_micro_options *o = state->input;
    const struct bench_micro_subject *s = o->subject;
    char *list = strdupa(text); // the report quotes the command line as it was

    for (char *name; (name = strsep(&list, ",")) != NULL;) {
        bool found = false;

        for (unsigned i = 0; i < s->op_count; i++)
            if (strcmp(name, s->ops[i]->name) == 0)
                found = o->ops[i] = true;
        if (s->keyed && !found)
            found = choose(name, key_names, o->keys) || choose(name, cache_names, o->caches);
        if (!found)
            argp_error(state, "--only: there is no '%s'", name);
    }
}

static const char *find_impl(const struct bench_micro_subject *s, const char *name)
{
    for (unsigned i = 0; i < s->op_count; i++)
        for (unsigned k = 0; k < s->ops[i]->impl_count; k++)
            if (strcmp(name, s->ops[i]->impls[k]->name) == 0)
                return s->ops[i]->impls[k]->name;
    return NULL;
}

static void choose_impls(struct argp_state *state, const char *text)
{
    struct bench_micro_options *o = state->input;
    char *list = strdupa(text);

    for (char *name; (name = strsep(&list, ",")) != NULL;) {
        const char *known = find_impl(o->subject, name);

        if (!known)
            argp_error(state, "--impl: there is no '%s'", name);
        else if (o->impl_count == 0 || !bench_micro_options_has(o, known))
            o->impls[o->impl_count++] = known;
    }
}

static void list_batches(struct argp_state *state, const char *text)
{
    struct bench_micro_options *o = state->input;
    char *list = strdupa(text);

    o->batch_count = 0;
    for (char *item; (item = strsep(&list, ",")) != NULL;) {
        if (o->batch_count == COUNT_OF(o->batches))
            argp_error(state, "--batch takes at most %zu sizes", COUNT_OF(o->batches));
        o->batches[o->batch_count++] =
            (unsigned)bench_number_parse(state, "--batch", item, 1, BENCH_MICRO_BATCH_MAX);
    }
}

static void list_sizes(struct argp_state *state, const char *text)
{
    struct bench_micro_options *o = state->input;
    char *list = strdupa(text);

    if (!o->subject->sized)
        argp_error(state, "--bytes: the sizes are fixed here");
    o->size_count = 0;
    for (char *item; (item = strsep(&list, ",")) != NULL;) {
        if (o->size_count == COUNT_OF(o->bytes))
            argp_error(state, "--bytes takes at most %zu sizes", COUNT_OF(o->bytes));
        o->bytes[o->size_count++] =
            (size_t)bench_number_parse(state, "--bytes", item, 1, BENCH_MICRO_BYTES_MAX);
    }
}

static void all_if_none(bool *chosen, size_t count)
{
    bool any = false;

    for (size_t i = 0; i < count; i++)
        any = any || chosen[i];
    for (size_t i = 0; i < count && !any; i++)
        chosen[i] = true;
}

static void complete(struct bench_micro_options *o)
{
    static const unsigned batches[] = {1, 2, 4, 8, 16, 32, 64, 128, 256}, quick[] = {1, 16};

    if (o->cell_ns == 0)
        o->cell_ns = o->quick ? CELL_NS_QUICK : CELL_NS_DEFAULT;
    if (o->rounds == 0)
        o->rounds = o->quick ? ROUNDS_QUICK : ROUNDS_DEFAULT;
    if (o->sessions == 0)
        o->sessions = o->quick ? SESSIONS_QUICK : SESSIONS_DEFAULT;
    if (o->batch_count == 0) {
        o->batch_count = o->quick ? COUNT_OF(quick) : COUNT_OF(batches);
        memcpy(o->batches, o->quick ? quick : batches, o->batch_count * sizeof *batches);
    }
    all_if_none(o->ops, o->subject->op_count);
    if (o->subject->keyed) {
        all_if_none(o->keys, COUNT_OF(o->keys));
        all_if_none(o->caches, COUNT_OF(o->caches));
    } else {
        o->keys[false] = o->caches[false] = true;
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct bench_micro_options *o = state->input;

    switch (key) {
    case KEY_JSON:
        o->json = arg;
        return 0;
    case 's':
        o->cell_ns = bench_seconds_parse(state, "--seconds", arg);
        return 0;
    case 'r':
        o->rounds = (unsigned)bench_number_parse(state, "--rounds", arg, 1, BENCH_ROUNDS_MAX);
        return 0;
    case 'p':
        o->pin = (int)bench_number_parse(state, "--pin", arg, 0, CPU_LIST_MAX - 1);
        return 0;
    case KEY_ONLY:
        choose_parts(state, arg);
        return 0;
    case KEY_IMPL:
        choose_impls(state, arg);
        return 0;
    case KEY_BATCH:
        list_batches(state, arg);
        return 0;
    case KEY_BYTES:
        list_sizes(state, arg);
        return 0;
    case KEY_SESSIONS:
        if (!o->subject->keyed)
            argp_error(state, "--sessions: there are none here");
        o->sessions = (unsigned)bench_number_parse(state, "--sessions", arg, 1, SESSIONS_MAX);
        return 0;
    case KEY_QUICK:
        o->quick = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        return 0;
    case ARGP_KEY_END:
        complete(o);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void bench_micro_options_parse(const struct bench_micro_subject *subject, int argc, char **argv,
                               struct bench_micro_options *out)
{
    const struct argp argp = {.options = option_table, .parser = parse_option, .doc = subject->doc};

    *out = (struct bench_micro_options){.subject = subject, .pin = -1};
    argp_err_exit_status = BENCH_EXIT_CONFIGURATION;
    argp_parse(&argp, argc, argv, 0, NULL, out);
}

bool bench_micro_options_has(const struct bench_micro_options *o, const char *impl)
{
    bool has = o->impl_count == 0;

    for (unsigned i = 0; i < o->impl_count; i++)
        has = has || strcmp(o->impls[i], impl) == 0;
    return has;
}
