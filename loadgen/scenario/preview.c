// The plan of a run in words. Runs once; opens nothing.
#include "preview.h"

#include <inttypes.h>

#include "handshake.h"
#include "hist.h"
#include "scenario.h"
#include "shard.h"

#define HISTOGRAM_BYTES (480u * KIB)
#define WORDS_BYTES 64u

// Short and exact enough: 1.5 s, 20 min.
static void write_time(char out[WORDS_BYTES], uint64_t time_ns)
{
    if (time_ns < NS_PER_S)
        snprintf(out, WORDS_BYTES, "%g ms", (double)time_ns / 1e6);
    else if (time_ns < 600 * NS_PER_S)
        snprintf(out, WORDS_BYTES, "%g s", (double)time_ns / 1e9);
    else
        snprintf(out, WORDS_BYTES, "%g min", (double)time_ns / 60e9);
}

// What a group's behaviour is about.
static void print_behaviour(const struct group *g, FILE *to)
{
    char first[WORDS_BYTES], second[WORDS_BYTES];

    switch (g->behaviour) {
    case GROUP_FAN_OUT:
        fprintf(to, " to %u each", g->recipients);
        break;
    case GROUP_CHURN:
        write_time(first, g->online_ns);
        write_time(second, g->offline_ns);
        fprintf(to, "; there for %s, away for %s in the mean", first, second);
        break;
    case GROUP_STORM:
        write_time(first, g->every_ns);
        fprintf(to, "; they drop and return together every %s", first);
        break;
    case GROUP_SLOW_READER:
        fprintf(to, "; the others read %u bytes a second", g->read_bytes_per_s);
        break;
    case GROUP_OFFLINE:
        write_time(first, g->offline_ns);
        fprintf(to, "; the others are away for %s at a time", first);
        break;
    case GROUP_CHAT:
    case GROUP_HANDSHAKE:
    case GROUP_PREKEY_DRAIN:
    case GROUP_IDLE:
        break;
    }
}

// A line for each, unless the one there is follows from the mode.
static void print_groups(const struct options *o, FILE *to)
{
    for (uint32_t i = 0; i < o->group_count && o->has_groups; i++) {
        const struct group *g = &o->groups[i];
        uint32_t senders = group_senders(g, g->users);

        fprintf(to, "%s%u %s", i == 0 ? "  groups      " : "              ", g->users,
                group_behaviour_name(g->behaviour));
        if (senders > 0)
            fprintf(to, ", %u of them send", senders);
        print_behaviour(g, to);
        if (g->resumes)
            fputs("; who comes back resumes its TLS session", to);
        fputc('\n', to);
    }
}

static void print_users(const struct options *o, FILE *to)
{
    fprintf(to, "  users       %u, one connection each, on %u thread%s\n", o->connections,
            o->threads, o->threads == 1 ? "" : "s");
    if (o->mode == OPTIONS_TALK)
        fprintf(to, "  envelopes   payload %s bytes%s, suite %s, auth %s, session %s\n",
                o->payload_text, o->durable ? ", durable" : "", options_suite_name(o->suite),
                options_auth_name(o->is_hybrid), options_session_name(o->session));
    else
        fprintf(to, "  mode        %s, suite %s, auth %s\n", options_mode_name(o->mode),
                options_suite_name(o->suite), options_auth_name(o->is_hybrid));
}

static void print_stage(const struct stage *s, uint64_t at_ns, const char *what, FILE *to)
{
    char at[WORDS_BYTES], len[WORDS_BYTES], every[WORDS_BYTES];

    write_time(at, at_ns);
    write_time(len, s->len_ns);
    fprintf(to, "    %-20s at %8s for %8s: ", s->name, at, len);
    if (s->from_per_s == s->to_per_s)
        fprintf(to, "%g/s", s->from_per_s);
    else
        fprintf(to, "%g/s to %g/s", s->from_per_s, s->to_per_s);
    if (s->burst_every_ns > 0) {
        write_time(every, s->burst_every_ns);
        fprintf(to, " and %u at once every %s", s->burst_count, every);
    }
    fprintf(to, ", %.0f %s\n", stage_smooth_count(s) + (double)stage_burst_total(s), what);
}

static void print_load(const struct options *o, FILE *to)
{
    struct stage_list one;
    const struct stage_list *stages = &o->stages;
    const char *what = "envelopes";
    uint64_t at_ns = 0;

    if (o->mode != OPTIONS_TALK)
        return;
    if (o->rate_per_s <= 0) {
        fprintf(to, "  load        closed loop, %u envelope%s in flight for each user\n",
                o->in_flight, o->in_flight == 1 ? "" : "s");
        return;
    }
    if (stages->count == 0) {
        stage_list_init_hold(&one, o->rate_per_s, o->duration_ns);
        stages = &one;
    }
    fprintf(to, "  load        open loop, %s arrivals, seed %" PRIu64 ", %g/s in the mean\n",
            options_arrival_name(o->arrival), o->seed, o->rate_per_s);
    for (uint32_t i = 0; i < o->group_count; i++) {
        if (o->groups[i].behaviour == GROUP_FAN_OUT)
            what = "envelopes, a round of a fan-out counted as one";
    }
    for (uint32_t i = 0; i < stages->count; i++) {
        print_stage(&stages->stages[i], at_ns, what, to);
        at_ns += stages->stages[i].len_ns;
    }
}

static void print_times(const struct options *o, FILE *to)
{
    char setup[WORDS_BYTES], warmup[WORDS_BYTES], window[WORDS_BYTES], drain[WORDS_BYTES],
        total[WORDS_BYTES];

    write_time(setup, o->setup_timeout_ns);
    write_time(warmup, o->warmup_ns);
    write_time(window, o->duration_ns);
    write_time(drain, o->drain_ns);
    write_time(total, o->warmup_ns + o->duration_ns + o->drain_ns);
    fprintf(to,
            "  phases      set-up (%s at most), warm-up %s, window %s, drain (%s at most)\n"
            "  time        %s and the set-up\n",
            setup, warmup, window, drain, total);
}

struct preview_memory preview_estimate_memory(const struct options *o)
{
    struct preview_memory m = {0};
    uint32_t depth = o->rate_per_s > 0 ? SHARD_BACKLOG : o->in_flight;
    uint64_t user =
        sizeof(struct client) + depth * sizeof(struct client_due) + 2 * sizeof(struct client *);
    uint64_t chunk =
        options_are_post_quantum(o) ? SHARD_POST_QUANTUM_CHUNK_BYTES : SHARD_CHUNK_BYTES;
    uint64_t hists = 0, group_hists = 0, dialogs_bytes = 0, sessions_bytes = 0, keys_bytes = 0;

#define X(name) hists++;
    TALLY_HISTOGRAMS(X)
#undef X
#define X(name) group_hists++;
    TALLY_GROUP_HISTOGRAMS(X)
#undef X
    if (o->payload_bytes > chunk)
        chunk = o->payload_bytes;
    for (uint32_t i = 0; i < o->group_count; i++) {
        const struct group *g = &o->groups[i];

        if (g->behaviour == GROUP_FAN_OUT)
            dialogs_bytes += (uint64_t)g->recipients * group_units(g) * sizeof(struct dialog);
        if (g->resumes)
            sessions_bytes += (uint64_t)g->users * CLIENT_TLS_SESSION_BYTES;
        if (group_is_offline(g) && o->session == SP_SESSION_RATCHET)
            keys_bytes +=
                (uint64_t)group_units(g) * HANDSHAKE_SKIPPED_AWAY_MAX * HANDSHAKE_SKIPPED_KEY_BYTES;
    }
    m.users_bytes = o->connections * user + dialogs_bytes + sessions_bytes;
    m.users_most_bytes =
        o->connections * (user + 3 * chunk) + dialogs_bytes + sessions_bytes + keys_bytes;
    // Histograms of each thread and their sum; receive buffers of 16 MiB; what is under way.
    m.threads_bytes = o->threads * 16ull * MIB;
    m.threads_most_bytes =
        (o->threads + 1ull) * (hists + 2 * o->stages.count + group_hists * o->group_count) *
            HISTOGRAM_BYTES +
        o->threads * (16ull * MIB + (uint64_t)ARENA_SEGMENTS * ARENA_SEGMENT_BYTES) +
        (o->record_file ? RECORDER_ROWS_MAX * sizeof(struct recorder_row) : 0);
    return m;
}

void preview_print(const struct options *o, FILE *to)
{
    struct preview_memory m = preview_estimate_memory(o);

    if (o->scenario)
        fprintf(to, "scenario %s%s%s\n",
                o->scenario->name ? o->scenario->name : o->scenario->source,
                o->scenario->description ? ": " : "",
                o->scenario->description ? o->scenario->description : "");
    else
        fputs("no scenario\n", to);
    fprintf(to, "  relay       %s\n", o->url ? o->url : "not given");
    print_users(o, to);
    print_groups(o, to);
    print_load(o, to);
    print_times(o, to);
    for (uint32_t i = 0; i < o->thresholds.count; i++)
        fprintf(to, "%s%s\n", i == 0 ? "  objectives  " : "              ",
                o->thresholds.items[i].text);
    fprintf(to,
            "  memory      about %.0f MiB, and %.0f MiB if every user and thread had its buffers "
            "full\n",
            (double)(m.users_bytes + m.threads_bytes) / MIB,
            (double)(m.users_most_bytes + m.threads_most_bytes) / MIB);
}
