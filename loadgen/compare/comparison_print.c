// A comparison for people, for a pull request and for CI.
#include "comparison_print.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "junit.h"

#define CHANGE_BYTES 32u
#define RANGE_BYTES 64u
#define MESSAGE_BYTES 256u

const char *comparison_format_value(double value, char out[COMPARISON_VALUE_BYTES])
{
    int decimals = value >= 999.95 ? 0 : value >= 99.995 ? 1 : value >= 9.9995 ? 2 : 3;

    if (isnan(value))
        snprintf(out, COMPARISON_VALUE_BYTES, "-");
    else
        snprintf(out, COMPARISON_VALUE_BYTES, "%.*f", decimals, value);
    return out;
}

static const char *format_change(double change, char out[CHANGE_BYTES])
{
    if (isnan(change))
        snprintf(out, CHANGE_BYTES, "-");
    else
        snprintf(out, CHANGE_BYTES, "%+.1f %%", 100 * change);
    return out;
}

static const char *format_range(const struct comparison_row *r, char out[RANGE_BYTES])
{
    if (isnan(r->low))
        snprintf(out, RANGE_BYTES, "-");
    else
        snprintf(out, RANGE_BYTES, "%+.1f … %+.1f %%", 100 * r->low, 100 * r->high);
    return out;
}

static const char *format_p(double p, char out[CHANGE_BYTES])
{
    if (isnan(p))
        snprintf(out, CHANGE_BYTES, "-");
    else if (p < 0.001)
        snprintf(out, CHANGE_BYTES, "<0.001");
    else
        snprintf(out, CHANGE_BYTES, "%.3f", p);
    return out;
}

// "server_cpu ns": what stands in the metric's column.
static const char *format_metric(enum metric metric, char out[RANGE_BYTES])
{
    const struct metric_kind *kind = &metric_kinds[metric];

    snprintf(out, RANGE_BYTES, "%s%s%s", kind->name, kind->unit[0] != '\0' ? " " : "", kind->unit);
    return out;
}

static void format_verdict(const struct comparison_row *r, char out[MESSAGE_BYTES])
{
    bool is_aside = !r->is_gate && r->verdict != COMPARISON_NOT_JUDGED;

    snprintf(out, MESSAGE_BYTES, "%s%s%s%s%s", comparison_verdict_name(r->verdict),
             r->why[0] != '\0' ? " (" : "", r->why, r->why[0] != '\0' ? ")" : "",
             is_aside ? ", not a gate" : "");
}

static void print_env(const struct comparison_env *e, const char *side, FILE *out)
{
    fprintf(out, "%s: %zu results", side, e->runs);
    if (e->commit[0] != '\0')
        fprintf(out, ", commit %s", e->commit);
    if (e->cpu[0] != '\0')
        fprintf(out, ", %s, %s processors, %s", e->cpu, e->cores, e->kernel);
    fputc('\n', out);
}

static void print_notes(const struct comparison *c, const char *prefix, FILE *out)
{
    for (unsigned i = 0; i < c->note_count; i++)
        fprintf(out, "%s%s\n", prefix, c->notes[i]);
    if (c->notes_dropped > 0)
        fprintf(out, "%sand %u more notes\n", prefix, c->notes_dropped);
}

// printf counts bytes: a range has one character of three.
static void print_row(const struct comparison_row *r, FILE *out)
{
    char metric[RANGE_BYTES], base[COMPARISON_VALUE_BYTES], new[COMPARISON_VALUE_BYTES];
    char change[CHANGE_BYTES], range[RANGE_BYTES], p[CHANGE_BYTES], verdict[MESSAGE_BYTES];
    char effect[CHANGE_BYTES];

    format_verdict(r, verdict);
    fprintf(out, "  %-24s %10s %10s %9s  %*s %7s %7s  %3zu:%-3zu  %s\n",
            format_metric(r->metric, metric), comparison_format_value(r->base, base),
            comparison_format_value(r->new, new), format_change(r->change, change),
            isnan(r->low) ? 18 : 20, format_range(r, range), format_p(r->p, p),
            isnan(r->effect)
                ? "-"
                : (snprintf(effect, sizeof effect, "%.1f %%", 100 * r->effect), effect),
            r->base_count, r->new_count, verdict);
}

void comparison_print_table(const struct comparison *c, FILE *out)
{
    print_env(&c->base, "base", out);
    print_env(&c->new, "new ", out);
    for (unsigned g = 0; g < c->group_count; g++) {
        fprintf(out, "\n%s\n  %-24s %10s %10s %9s  %18s %7s %7s  %7s  %s\n", c->groups[g].name, "",
                "base", "new", "change", "interval", "p", "effect", "repeats", "verdict");
        for (unsigned i = 0; i < c->groups[g].row_count; i++)
            print_row(&c->groups[g].rows[i], out);
    }
    if (c->note_count > 0)
        fputc('\n', out);
    print_notes(c, "note: ", out);
    fprintf(out, "\n%s\n", comparison_exit_text(comparison_exit_code(c)));
}

// A cell must not end its column.
static void print_cell(const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void print_markdown_row(const char *group, const struct comparison_row *r, FILE *out)
{
    char metric[RANGE_BYTES], base[COMPARISON_VALUE_BYTES], new[COMPARISON_VALUE_BYTES];
    char change[CHANGE_BYTES], range[RANGE_BYTES], verdict[MESSAGE_BYTES];
    const char *mark = r->verdict == COMPARISON_WORSE ? "**" : "";

    format_verdict(r, verdict);
    fputs("| ", out);
    print_cell(group, out);
    fprintf(out, " | %s | %s | %s | %s | %s | %s%s%s |\n", format_metric(r->metric, metric),
            comparison_format_value(r->base, base), comparison_format_value(r->new, new),
            format_change(r->change, change), format_range(r, range), mark, verdict, mark);
}

// The minimum effects of what is shown: "5 %", or "5 to 20 %" where metrics have their own.
static const char *format_effects(const struct comparison_options *o, char out[CHANGE_BYTES])
{
    double low = INFINITY, high = 0;

    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        low = o->is_shown[i] ? fmin(low, o->effect[i]) : low;
        high = o->is_shown[i] ? fmax(high, o->effect[i]) : high;
    }
    if (low < high)
        snprintf(out, CHANGE_BYTES, "%g to %g %%", 100 * low, 100 * high);
    else
        snprintf(out, CHANGE_BYTES, "%g %%", 100 * high);
    return out;
}

void comparison_print_markdown(const struct comparison *c, FILE *out)
{
    char effects[CHANGE_BYTES];

    fprintf(out, "### Load test: %s\n\n", comparison_exit_text(comparison_exit_code(c)));
    if (c->group_count > 0)
        fputs("| pattern | metric | base | new | change | interval | verdict |\n"
              "|---|---|---:|---:|---:|---:|---|\n",
              out);
    for (unsigned g = 0; g < c->group_count; g++)
        for (unsigned i = 0; i < c->groups[g].row_count; i++)
            print_markdown_row(c->groups[g].name, &c->groups[g].rows[i], out);
    if (c->note_count > 0)
        fputc('\n', out);
    print_notes(c, "- ", out);
    fputs("\n<details><summary>Environment and method</summary>\n\n- ", out);
    print_env(&c->base, "base", out);
    fputs("- ", out);
    print_env(&c->new, "new", out);
    fprintf(out,
            "- Medians over the repeats. A change counts when the ranks differ (Mann-Whitney, "
            "p < %g) and the medians differ by more than the effect: %s, or the noise floor where "
            "that is higher. The interval is a %g %% bootstrap of the ratio of the "
            "medians (seed %llu). Results measured at the same time are compared pair by pair: "
            "Wilcoxon's signed-rank test, the median of the ratios.\n\n</details>\n",
            c->options.alpha, format_effects(&c->options, effects), 100 * c->options.confidence,
            (unsigned long long)c->options.seed);
}

static void describe_row(const struct comparison_row *r, char out[MESSAGE_BYTES])
{
    char base[COMPARISON_VALUE_BYTES], new[COMPARISON_VALUE_BYTES];
    char change[CHANGE_BYTES], range[RANGE_BYTES], verdict[RANGE_BYTES * 2];

    snprintf(verdict, sizeof verdict, "%s%s%s", comparison_verdict_name(r->verdict),
             r->why[0] != '\0' ? ": " : "", r->why);
    snprintf(out, MESSAGE_BYTES, "%s; %s, then %s: %s (%s), effect %.1f %%", verdict,
             comparison_format_value(r->base, base), comparison_format_value(r->new, new),
             format_change(r->change, change), format_range(r, range), 100 * r->effect);
}

int comparison_print_junit(const struct comparison *c, FILE *out)
{
    size_t max = (size_t)c->group_count * METRIC_COUNT + 1, count = 0;
    struct junit_case *cases = calloc(max, sizeof *cases);
    char(*texts)[MESSAGE_BYTES] = calloc(max, sizeof *texts);
    int err = cases && texts ? 0 : -ENOMEM;

    for (unsigned g = 0; err == 0 && g < c->group_count; g++)
        for (unsigned i = 0; i < c->groups[g].row_count; i++) {
            const struct comparison_row *r = &c->groups[g].rows[i];

            if (!r->is_gate)
                continue;
            describe_row(r, texts[count]);
            cases[count] = (struct junit_case){
                .pattern = c->groups[g].name,
                .name = metric_kinds[r->metric].name,
                .outcome = r->verdict == COMPARISON_WORSE ? JUNIT_FAILED
                           : r->may_be_worse              ? JUNIT_SKIPPED
                                                          : JUNIT_PASSED,
                .message = texts[count],
            };
            count++;
        }
    if (err == 0) {
        cases[count++] = (struct junit_case){
            .pattern = "all",
            .name = "delivery",
            .outcome = c->has_faults ? JUNIT_FAILED : JUNIT_PASSED,
            .message = "envelopes or connections were lost or wrong; the notes name them",
        };
        junit_write(out, "sealpost-load compare", cases, count);
    }
    free(cases);
    free(texts);
    return err;
}
