// Groups in the result: JSON, and lines. Runs once, after the run.
#include "group_result.h"

#include <inttypes.h>

#include "outcome_metrics.h"
#include "result_json.h"

// With one group, and nobody of it offline, its response is the total's.
static const struct hist *group_response(const struct outcome *out, uint32_t i)
{
    return out->options->group_count == 1 && !group_is_offline(&out->options->groups[i])
               ? &out->tally.response
               : &out->tally.groups[i].response;
}

static uint64_t lost_in_group(const struct tally_group *g)
{
    return g->sent > g->received + g->refused ? g->sent - g->received - g->refused : 0;
}

static void add_group(yyjson_mut_doc *d, yyjson_mut_val *list, const struct outcome *out,
                      uint32_t i)
{
    const struct group *group = &out->options->groups[i];
    const struct tally_group *g = &out->tally.groups[i];
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list), *latency;

    yyjson_mut_obj_add_str(d, o, "behaviour", group_behaviour_name(group->behaviour));
    yyjson_mut_obj_add_uint(d, o, "share", group->share);
    yyjson_mut_obj_add_uint(d, o, "users", group->users);
    yyjson_mut_obj_add_uint(d, o, "unit_users", group_unit_users(group));
    yyjson_mut_obj_add_uint(d, o, "senders", group_senders(group, group->users));
    yyjson_mut_obj_add_bool(d, o, "resume", group->resumes);
    // Of --rate and of --in-flight.
    yyjson_mut_obj_add_uint(d, o, "envelopes_per_arrival",
                            group->behaviour == GROUP_FAN_OUT        ? group->recipients
                            : group_senders(group, group->users) > 0 ? 1
                                                                     : 0);
    result_json_add_real(d, o, "per_s", outcome_metrics_per_second(out, g->delivered));
#define X(name) yyjson_mut_obj_add_uint(d, o, #name, g->name);
    TALLY_GROUP_COUNTS(X)
#undef X
    yyjson_mut_obj_add_uint(d, o, "storms", g->storms);
    yyjson_mut_obj_add_uint(d, o, "lost", lost_in_group(g));
    latency = yyjson_mut_obj_add_obj(d, o, "latency_us");
    result_json_add_hist(d, latency, "response", group_response(out, i));
    result_json_add_hist(d, latency, "without_one_time", &g->without_one_time);
    result_json_add_hist(d, latency, "reconnect", &g->reconnect);
    result_json_add_hist(d, latency, "recovery", &g->recovery);
    result_json_add_hist(d, latency, "drain", &g->drain);
    // What a mailbox gave, while it was drained.
    result_json_add_optional(d, o, "drained_per_s", g->drain.sum > 0,
                             g->drain.sum > 0 ? (double)g->drained * 1e9 / g->drain.sum : 0);
}

void group_result_add_json(yyjson_mut_doc *d, yyjson_mut_val *root, const struct outcome *out)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(d, root, "groups");

    for (uint32_t i = 0; i < out->tally.group_count; i++)
        add_group(d, list, out, i);
}

static void print_median(FILE *to, const char *name, const struct hist *h)
{
    if (h->total > 0)
        fprintf(to, ", %s p50 %.1f us, max %.1f us", name, (double)hist_percentile(h, 50) / 1e3,
                (double)h->max / 1e3);
}

// What of a group's life is not in the totals.
static void print_group(FILE *to, const struct outcome *out, uint32_t i)
{
    const struct group *group = &out->options->groups[i];
    const struct tally_group *g = &out->tally.groups[i];

    fprintf(to, "  %-14s %u users", group_behaviour_name(group->behaviour), group->users);
    if (g->sent > 0)
        fprintf(to,
                ": %.0f/s; %" PRIu64 " sent, %" PRIu64 " received, %" PRIu64 " refused, %" PRIu64
                " lost",
                outcome_metrics_per_second(out, g->delivered), g->sent, g->received, g->refused,
                lost_in_group(g));
    if (group_is_handshaking(group))
        fprintf(to,
                ": %" PRIu64 " handshakes with a one-time prekey, %" PRIu64 " without, %" PRIu64
                " with the last-resort KEM prekey",
                g->handshakes, g->handshakes_without_one_time, g->handshakes_with_last_resort);
    if (g->departures > 0)
        fprintf(to, "; %" PRIu64 " left, %" PRIu64 " came back", g->departures, g->returns);
    if (g->storms > 0)
        fprintf(to, ", %" PRIu64 " storms", g->storms);
    if (group->resumes)
        fprintf(to, ", %" PRIu64 " with the TLS session there was, %" PRIu64 " without",
                g->tls_resumed, g->tls_full);
    if (g->drained > 0)
        fprintf(to, ", %" PRIu64 " envelopes drained", g->drained);
    print_median(to, "response", group_response(out, i));
    print_median(to, "without one-time", &g->without_one_time);
    print_median(to, "reconnect", &g->reconnect);
    print_median(to, "recovery", &g->recovery);
    print_median(to, "drain", &g->drain);
    fputc('\n', to);
}

void group_result_print(const struct outcome *out, FILE *to)
{
    const struct group *first = &out->options->groups[0];

    // One plain group is what the totals tell already.
    if (out->tally.group_count <= 1 &&
        (first->behaviour == GROUP_CHAT || first->behaviour == GROUP_HANDSHAKE ||
         first->behaviour == GROUP_IDLE))
        return;
    for (uint32_t i = 0; i < out->tally.group_count; i++)
        print_group(to, out, i);
}
