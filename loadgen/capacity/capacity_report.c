// The findings of the capacity command. JSON by yyjson; runs between and after the trials.
#include "capacity_report.h"

#include <math.h>
#include <string.h>
#include <yyjson.h>

#include "result_json.h"
#include "sealcrypto.h"
#include "slo.h"
#include "ws.h"

typedef yyjson_mut_doc doc_t; // opaque handles of yyjson
typedef yyjson_mut_val val_t;

void capacity_report_print_head(FILE *to, const char *first_column)
{
    fprintf(to, "%-7s %12s %12s %10s %10s %-9s\n", first_column, "offered/s", "achieved/s",
            "p50 us", "p99 us", "generator");
}

static void print_latency(FILE *to, bool has, double value_ns)
{
    if (has)
        fprintf(to, " %10.1f", value_ns / 1e3);
    else
        fprintf(to, " %10s", "-");
}

static void print_figures(FILE *to, const struct trial *t)
{
    fprintf(to, " %12.0f", t->achieved_per_s);
    print_latency(to, t->has_p50, t->p50_ns);
    print_latency(to, t->has_p99, t->p99_ns);
    fprintf(to, " %-9s", verdict_level_name(t->level));
}

void capacity_report_print_trial(FILE *to, const struct trial *t, enum search_phase phase,
                                 enum search_verdict verdict)
{
    fprintf(to, "%-7s %12.0f", search_phase_name(phase), t->rate_per_s);
    print_figures(to, t);
    if (verdict == SEARCH_PASS)
        fputs(" pass\n", to);
    else
        fprintf(to, " fail: %s%s%s%s\n", search_verdict_text(verdict), t->reason[0] ? " (" : "",
                t->reason, t->reason[0] ? ")" : "");
    fflush(to);
}

void capacity_report_print_point(FILE *to, uint32_t size, const struct trial *t)
{
    fprintf(to, "%-7u %12s", size, "closed");
    print_figures(to, t);
    fprintf(to, " %s\n", t->reason);
    fflush(to);
}

static void print_answer(FILE *to, const struct capacity_findings *f)
{
    const struct search_answer *a = &f->answer;
    char slo[SLO_TEXTS_BYTES];

    slo_join(&f->options->run.thresholds, slo);
    if (a->bound == SEARCH_BY_NOTHING) {
        fprintf(to, "\ncapacity       no rate held %s", slo);
        if (a->failed_per_s > 0)
            fprintf(to, "; the lowest that failed was %.0f/s", a->failed_per_s);
        fputc('\n', to);
        return;
    }
    fprintf(to, "\ncapacity       %s%.0f/s with %s", a->bound == SEARCH_BY_RELAY ? "" : "at least ",
            a->achieved_per_s, slo);
    if (a->sample_count > 1)
        fprintf(to, " (95 %% of the mean of %u trials: %.0f … %.0f)", a->sample_count,
                a->lower_per_s, a->upper_per_s);
    fputc('\n', to);
    switch (a->bound) {
    case SEARCH_BY_RELAY:
        fprintf(to, "limited by     the relay: %.0f/s failed\n", a->failed_per_s);
        break;
    case SEARCH_BY_GENERATOR:
        fputs("limited by     the generator: the relay may carry more\n", to);
        break;
    case SEARCH_BY_MAX_RATE:
        fputs("limited by     --max-rate: nothing higher was tried\n", to);
        break;
    default:
        fputs("limited by     the number of trials: the rate is not confirmed\n", to);
    }
}

static void print_fit(FILE *to, const struct sweep *s)
{
    const struct usl_fit *fit = &s->fit;

    if (!fit->is_meaningful) {
        fprintf(to, "\nscalability    not fitted: %s\n", fit->reason);
        return;
    }
    fprintf(to,
            "\nscalability    X(N) = %.6g N / (1 + %.4g (N - 1) + %.4g N (N - 1)), R2 %.4f, "
            "residuals %.1f %%\n",
            fit->lambda, fit->sigma, fit->kappa, fit->r2, 100 * fit->residual_rms);
    if (fit->has_peak)
        fprintf(to, "peak           %.0f/s at %.4g %s\n", fit->peak_x, fit->peak_n,
                sweep_over_name(s->range.over));
    else
        fputs("peak           none: more of it never makes it slower\n", to);
    for (uint32_t i = 0; i < s->point_count; i++) {
        if (s->points[i].level == VERDICT_LIMITED || s->points[i].is_faulty)
            fprintf(to, "  %8u     left out\n", s->range.sizes[i]);
        else
            fprintf(to, "  %8u     measured %.0f/s, fitted %.0f/s, residual %+.0f/s\n",
                    s->range.sizes[i], s->points[i].achieved_per_s,
                    s->points[i].achieved_per_s - fit->residuals[i], fit->residuals[i]);
    }
}

void capacity_report_print(FILE *to, const struct capacity_findings *f)
{
    if (f->exit_code == EXIT_CODE_INTERRUPTED)
        fputs("\ninterrupted: what follows is what is known so far\n", to);
    if (f->options->has_search)
        print_answer(to, f);
    if (f->sweep.point_count > 0)
        print_fit(to, &f->sweep);
    if (!f->has_plan)
        return;
    fputs("\nplan\n", to);
    for (uint32_t i = 0; i < f->plan.line_count; i++)
        fprintf(to, "  %-12s %s\n", f->plan.lines[i].name, f->plan.lines[i].text);
}

static void add_figures(doc_t *d, val_t *to, const struct trial *t)
{
    result_json_add_real(d, to, "window_s", t->window_s);
    yyjson_mut_obj_add_uint(d, to, "delivered", t->delivered);
    result_json_add_optional(d, to, "p50_us", t->has_p50, t->p50_ns / 1e3);
    result_json_add_optional(d, to, "p99_us", t->has_p99, t->p99_ns / 1e3);
    yyjson_mut_obj_add_str(d, to, "verdict", verdict_level_name(t->level));
    result_json_add_optional(d, to, "server_cpu_ns_per_msg", t->has_server, t->cpu_ns_per_msg);
    if (t->reason[0])
        yyjson_mut_obj_add_str(d, to, "reason", t->reason);
    else
        yyjson_mut_obj_add_null(d, to, "reason");
}

static void add_search(doc_t *d, val_t *root, const struct capacity_findings *f)
{
    const struct search_answer *a = &f->answer;
    bool has = a->rate_per_s > 0, is_mean = a->sample_count > 1;
    char slo[SLO_TEXTS_BYTES];
    val_t *capacity, *trials;

    if (!f->options->has_search)
        return;
    slo_join(&f->options->run.thresholds, slo);
    yyjson_mut_obj_add_strcpy(d, root, "slo", slo);
    capacity = yyjson_mut_obj_add_obj(d, root, "capacity");
    result_json_add_optional(d, capacity, "rate_per_s", has, a->achieved_per_s);
    result_json_add_optional(d, capacity, "lower", has && is_mean, a->lower_per_s);
    result_json_add_optional(d, capacity, "upper", has && is_mean, a->upper_per_s);
    yyjson_mut_obj_add_uint(d, capacity, "samples", a->sample_count);
    result_json_add_optional(d, capacity, "offered_per_s", has, a->rate_per_s);
    result_json_add_optional(d, capacity, "failed_per_s", a->failed_per_s > 0, a->failed_per_s);
    yyjson_mut_obj_add_str(d, capacity, "limited_by", search_bound_name(a->bound));
    yyjson_mut_obj_add_bool(d, capacity, "at_least", has && a->bound != SEARCH_BY_RELAY);
    yyjson_mut_obj_add_bool(d, capacity, "confirmed", a->is_confirmed);
    trials = yyjson_mut_obj_add_arr(d, root, "trials");
    for (uint32_t i = 0; i < f->search.trial_count; i++) {
        const struct search_trial *s = &f->search.trials[i];
        val_t *o = yyjson_mut_arr_add_obj(d, trials);

        yyjson_mut_obj_add_str(d, o, "phase", search_phase_name(s->phase));
        result_json_add_real(d, o, "rate_per_s", s->rate_per_s);
        result_json_add_real(d, o, "offered_per_s", s->outcome.offered_per_s);
        result_json_add_real(d, o, "achieved_per_s", s->outcome.achieved_per_s);
        yyjson_mut_obj_add_bool(d, o, "ok", s->verdict == SEARCH_PASS);
        yyjson_mut_obj_add_str(d, o, "result", search_verdict_text(s->verdict));
        add_figures(d, o, &f->trials[i]);
    }
}

// Parameters of the curve go out as they are: κ may be a millionth.
static void add_fit(doc_t *d, val_t *to, const struct sweep *s)
{
    const struct usl_fit *fit = &s->fit;
    val_t *o = yyjson_mut_obj_add_obj(d, to, "fit"), *residuals;

    yyjson_mut_obj_add_bool(d, o, "meaningful", fit->is_meaningful);
    if (!fit->is_meaningful) {
        yyjson_mut_obj_add_str(d, o, "reason", fit->reason);
        result_json_add_optional(d, o, "residual_rms", fit->has_parameters, fit->residual_rms);
        return;
    }
    yyjson_mut_obj_add_null(d, o, "reason");
    yyjson_mut_obj_add_real(d, o, "lambda", fit->lambda);
    yyjson_mut_obj_add_real(d, o, "sigma", fit->sigma);
    yyjson_mut_obj_add_real(d, o, "kappa", fit->kappa);
    yyjson_mut_obj_add_real(d, o, "r2", fit->r2);
    yyjson_mut_obj_add_real(d, o, "residual_rms", fit->residual_rms);
    result_json_add_optional(d, o, "peak_n", fit->has_peak, fit->peak_n);
    result_json_add_optional(d, o, "peak_per_s", fit->has_peak, fit->peak_x);
    residuals = yyjson_mut_obj_add_arr(d, o, "residuals");
    for (uint32_t i = 0; i < s->point_count; i++)
        yyjson_mut_arr_add_real(d, residuals, round(fit->residuals[i] * 1000) / 1000);
}

static void add_sweep(doc_t *d, val_t *root, const struct sweep *s)
{
    val_t *sweep, *points;

    if (s->range.count == 0)
        return;
    sweep = yyjson_mut_obj_add_obj(d, root, "sweep");
    yyjson_mut_obj_add_str(d, sweep, "over", sweep_over_name(s->range.over));
    points = yyjson_mut_obj_add_arr(d, sweep, "points");
    for (uint32_t i = 0; i < s->point_count; i++) {
        const struct trial *t = &s->points[i];
        val_t *o = yyjson_mut_arr_add_obj(d, points);

        yyjson_mut_obj_add_uint(d, o, "n", s->range.sizes[i]);
        result_json_add_real(d, o, "per_s", t->achieved_per_s);
        yyjson_mut_obj_add_bool(d, o, "excluded", t->level == VERDICT_LIMITED || t->is_faulty);
        add_figures(d, o, t);
    }
    add_fit(d, sweep, s);
}

static void add_asked(doc_t *d, val_t *plan, const struct planner_demand *asked)
{
    val_t *o = yyjson_mut_obj_add_obj(d, plan, "asked");

    result_json_add_real(d, o, "users", asked->users);
    result_json_add_real(d, o, "messages_a_day", asked->messages);
    result_json_add_real(d, o, "peak_factor", asked->peak);
    result_json_add_real(d, o, "online", asked->online);
    result_json_add_real(d, o, "headroom", asked->headroom);
    result_json_add_real(d, o, "cores", asked->cores);
    result_json_add_real(d, o, "memory_bytes", asked->memory_bytes);
    result_json_add_real(d, o, "descriptors", asked->descriptors);
    result_json_add_real(d, o, "nic_bits_per_s", asked->nic_bits_per_s);
}

static void add_plan(doc_t *d, val_t *root, const struct capacity_findings *f)
{
    const struct planner_answer *a = &f->plan;
    val_t *plan, *by, *lines;

    if (!f->has_plan)
        return;
    plan = yyjson_mut_obj_add_obj(d, root, "plan");
    add_asked(d, plan, &f->options->plan);
    result_json_add_real(d, plan, "peak_per_s", a->peak_per_s);
    result_json_add_real(d, plan, "connections", a->connections);
    result_json_add_real(d, plan, "relays", a->relays);
    yyjson_mut_obj_add_str(d, plan, "breaks_first", planner_limit_name(a->breaks_first));
    result_json_add_optional(d, plan, "cores", a->cores > 0, a->cores);
    result_json_add_optional(d, plan, "memory_bytes", a->memory_bytes > 0, a->memory_bytes);
    result_json_add_real(d, plan, "bits_per_s", a->bits_per_s);
    by = yyjson_mut_obj_add_obj(d, plan, "relays_by");
    for (unsigned i = 0; i < PLANNER_LIMIT_COUNT; i++)
        result_json_add_optional(d, by, planner_limit_name((enum planner_limit)i),
                                 a->relays_by[i] >= 0, a->relays_by[i]);
    lines = yyjson_mut_obj_add_obj(d, plan, "arithmetic");
    for (uint32_t i = 0; i < a->line_count; i++)
        yyjson_mut_obj_add_str(d, lines, a->lines[i].name, a->lines[i].text);
}

static void add_run(doc_t *d, val_t *root, const struct capacity_findings *f, int argc, char **argv)
{
    const struct options *o = &f->options->run;
    val_t *run = yyjson_mut_obj_add_obj(d, root, "run");
    char text[64];
    struct tm utc;

    gmtime_r(&f->started, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    yyjson_mut_obj_add_strcpy(d, run, "started", text);
    yyjson_mut_obj_add_str(d, run, "version", SEALPOST_VERSION);
    result_json_add_text(d, run, "url", o->url);
    yyjson_mut_obj_add_uint(d, run, "connections", o->connections);
    yyjson_mut_obj_add_uint(d, run, "threads", o->threads);
    yyjson_mut_obj_add_uint(d, run, "payload_bytes", o->payload_bytes);
    yyjson_mut_obj_add_str(d, run, "arrival", options_arrival_name(o->arrival));
    result_json_add_real(d, run, "window_s", (double)o->duration_ns / 1e9);
    yyjson_mut_obj_add_bool(d, run, "interrupted", f->exit_code == EXIT_CODE_INTERRUPTED);
    result_json_add_argv(d, run, argc, argv);
}

static void add_env(doc_t *d, val_t *root, const struct capacity_findings *f)
{
    val_t *env = yyjson_mut_obj_add_obj(d, root, "env");

    result_json_add_machine(d, env);
    yyjson_mut_obj_add_bool(d, env, "colocated", f->is_colocated);
    yyjson_mut_obj_add_str(d, env, "crypto", sp_tier());
    yyjson_mut_obj_add_str(d, env, "masking", ws_mask_tier());
}

char *capacity_report_format_json(const struct capacity_findings *f, bool is_pretty, int argc,
                                  char **argv)
{
    doc_t *d = yyjson_mut_doc_new(NULL);
    val_t *root;
    char *text;

    if (!d)
        return NULL;
    root = yyjson_mut_obj(d);
    yyjson_mut_doc_set_root(d, root);
    yyjson_mut_obj_add_str(d, root, "schema", CAPACITY_REPORT_SCHEMA);
    add_run(d, root, f, argc, argv);
    add_env(d, root, f);
    add_search(d, root, f);
    add_sweep(d, root, &f->sweep);
    if (f->has_idle)
        result_json_add_real(d, root, "rss_bytes_per_idle_conn", f->rss_bytes_per_conn);
    add_plan(d, root, f);
    yyjson_mut_obj_add_int(d, root, "exit_code", f->exit_code);
    text = yyjson_mut_write(d, is_pretty ? YYJSON_WRITE_PRETTY_TWO_SPACES : 0, NULL);
    yyjson_mut_doc_free(d);
    return text;
}
