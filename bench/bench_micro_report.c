// The report of a micro-benchmark. Main thread, after the measuring.
#include "bench_micro_report.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <yyjson.h>

static const char *key_of(const struct bench_micro_row *row)
{
    return row->point.fresh ? "fresh" : "prepared";
}

static const char *cache_of(const struct bench_micro_row *row)
{
    return row->point.cold ? "cold" : "hot";
}

static void add_text(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, const char *text)
{
    if (text)
        yyjson_mut_obj_add_str(doc, obj, key, text);
    else
        yyjson_mut_obj_add_null(doc, obj, key);
}

static void add_row(yyjson_mut_doc *doc, yyjson_mut_val *rows, const struct bench_micro_row *row)
{
    yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, rows);
    struct bench_stat ns = bench_micro_ns(row);

    yyjson_mut_obj_add_str(doc, obj, "op", row->op);
    yyjson_mut_obj_add_str(doc, obj, "impl", row->impl);
    add_text(doc, obj, "tier", row->tier);
    add_text(doc, obj, "key", row->keyed ? key_of(row) : NULL);
    yyjson_mut_obj_add_str(doc, obj, "keys", cache_of(row));
    yyjson_mut_obj_add_uint(doc, obj, "bytes", row->point.bytes);
    yyjson_mut_obj_add_uint(doc, obj, "batch", row->point.batch);
    yyjson_mut_obj_add_real(doc, obj, "ns_per_op", ns.median);
    yyjson_mut_obj_add_real(doc, obj, "ns_min", ns.min);
    yyjson_mut_obj_add_real(doc, obj, "ns_max", ns.max);
}

static void add_env(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct bench_micro_env *e)
{
    yyjson_mut_val *env = yyjson_mut_obj_add_obj(doc, root, "env");
    yyjson_mut_val *versions;

    yyjson_mut_obj_add_str(doc, env, "cpu", e->cpu);
    yyjson_mut_obj_add_str(doc, env, "flags", e->flags);
    yyjson_mut_obj_add_str(doc, env, "tier", e->tier);
    yyjson_mut_obj_add_uint(doc, env, "cores", e->cores);
    yyjson_mut_obj_add_uint(doc, env, "pinned_cpu", e->pinned_cpu);
    yyjson_mut_obj_add_str(doc, env, "kernel", e->kernel);
    yyjson_mut_obj_add_str(doc, env, "compiler", e->compiler);
    versions = yyjson_mut_obj_add_obj(doc, env, "versions");
    for (unsigned i = 0; i < e->version_count; i++)
        yyjson_mut_obj_add_str(doc, versions, e->versions[i].name, e->versions[i].text);
    yyjson_mut_obj_add_str(doc, env, "commit", e->commit);
    yyjson_mut_obj_add_str(doc, env, "date", e->date);
    yyjson_mut_obj_add_str(doc, env, "command", e->command);
    yyjson_mut_obj_add_uint(doc, env, "rounds", e->rounds);
    yyjson_mut_obj_add_real(doc, env, "round_ms", e->round_ms);
    yyjson_mut_obj_add_uint(doc, env, "cold_sessions", e->sessions);
}

int bench_micro_write_json(const struct bench_micro_report *r, const char *path)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_val *list;
    bool done;

    yyjson_mut_doc_set_root(doc, root);
    add_env(doc, root, &r->env);
    list = yyjson_mut_obj_add_arr(doc, root, "absent");
    for (unsigned i = 0; i < r->absence_count; i++) {
        yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, list);

        yyjson_mut_obj_add_str(doc, obj, "impl", r->absences[i].impl);
        yyjson_mut_obj_add_str(doc, obj, "why", r->absences[i].why);
    }
    list = yyjson_mut_obj_add_arr(doc, root, "rows");
    for (size_t i = 0; i < r->row_count; i++)
        add_row(doc, list, &r->rows[i]);
    done = yyjson_mut_write_file(path, doc, YYJSON_WRITE_PRETTY, NULL, NULL);
    yyjson_mut_doc_free(doc);
    return done ? 0 : -EIO;
}

// Three digits or more: 14.2, 143, 31728.
static const char *figure(double value, char out[32])
{
    if (isnan(value))
        return strcpy(out, "-");
    snprintf(out, 32, value < 100 ? "%.1f" : "%.0f", value);
    return out;
}

// "x2.31 evp  x1.07 libsodium": how many times as long each peer takes.
static void print_ratios(const struct bench_micro_report *r, const struct bench_micro_row *row,
                         FILE *out)
{
    const char *seen[BENCH_MICRO_IMPLS_MAX];
    unsigned count = 0;

    for (size_t i = 0; i < r->row_count && count < COUNT_OF(seen); i++) {
        const struct bench_micro_row *peer;
        bool known = strcmp(r->rows[i].impl, row->impl) == 0;

        for (unsigned k = 0; k < count; k++)
            known = known || strcmp(seen[k], r->rows[i].impl) == 0;
        if (known)
            continue;
        seen[count++] = r->rows[i].impl;
        peer = bench_micro_peer_row(r->rows, r->row_count, row, r->rows[i].impl);
        if (peer)
            fprintf(out, "  %s x%.2f", peer->impl, bench_micro_ratio(row, peer));
    }
}

static void print_row(const struct bench_micro_report *r, const struct bench_micro_row *row,
                      FILE *out)
{
    const bool is_ours = strcmp(row->impl, "sealcrypto") == 0;
    struct bench_stat ns = bench_micro_ns(row);
    char text[3][32], range[80];

    snprintf(range, sizeof range, "%s-%s", figure(ns.min, text[0]), figure(ns.max, text[1]));
    fprintf(out, "%-24s ", row->op);
    if (row->keyed)
        fprintf(out, "%-8s %-4s ", key_of(row), cache_of(row));
    // Padded only in front of ratios: no line ends in white space.
    fprintf(out, "%6zu %5u  %-12s %10s  %-*s", row->point.bytes, row->point.batch, row->impl,
            figure(ns.median, text[2]), is_ours ? 19 : 0, range);
    if (is_ours)
        print_ratios(r, row, out);
    fputc('\n', out);
}

void bench_micro_print_table(const struct bench_micro_report *r, FILE *out)
{
    const bool keyed = r->row_count > 0 && r->rows[0].keyed;

    fprintf(out, "%-24s %s%6s %5s  %-12s %10s  %-19s  %s\n", "operation",
            keyed ? "key      keys " : "", "bytes", "batch", "by", "ns", "lowest-highest",
            "others take");
    for (size_t i = 0; i < r->row_count; i++) {
        const struct bench_micro_row *row = &r->rows[i];

        if (i > 0 && !bench_micro_is_same_work(row, &row[-1]))
            fputc('\n', out);
        print_row(r, row, out);
    }
    fprintf(out,
            "\nns: for one %s, the median of %u interleaved rounds of %.3g ms, on processor %u "
            "(%s),\nlibsealcrypto's tier %s. others take: so many times as long, at the same batch "
            "if they have\narray calls, else one at a time.\n",
            r->unit, r->env.rounds, r->env.round_ms, r->env.pinned_cpu, r->env.cpu, r->env.tier);
    if (keyed)
        fprintf(out,
                "prepared: the key schedule is kept; fresh: made for each message. hot: few keys, "
                "in cache;\ncold: %u, each used once in a round, after the caches were swept.\n",
                r->env.sessions);
    for (unsigned i = 0; i < r->absence_count; i++)
        fprintf(out, "%s is absent: %s\n", r->absences[i].impl, r->absences[i].why);
    for (unsigned i = 0; i < r->env.version_count; i++)
        fprintf(out, "%s%s %s%s", i > 0 ? ", " : "", r->env.versions[i].name,
                r->env.versions[i].text, i + 1 == r->env.version_count ? "\n" : "");
}
