// OTLP over HTTP: JSON by yyjson, HTTP by libcurl.
#include "output_otlp.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yyjson.h>

#include "output_metric.h"
#include "result_json.h"

#define SERVICE "sealpost-load"
#define PREFIX "sealpost.load."
#define PATH "/v1/metrics"
#define TIMEOUT_MS 10000L
#define CUMULATIVE 2 // AGGREGATION_TEMPORALITY_CUMULATIVE

typedef yyjson_mut_doc doc_t; // opaque handles of yyjson
typedef yyjson_mut_val val_t;

// The window a request speaks of, as OTLP writes 64-bit numbers in JSON: decimal strings.
struct span {
    char from[24], to[24];
};

static void put_u64(doc_t *d, val_t *o, const char *key, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, value);
    yyjson_mut_obj_add_strcpy(d, o, key, text);
}

static void put_attribute(doc_t *d, val_t *list, const char *key, const char *value)
{
    val_t *o = yyjson_mut_arr_add_obj(d, list);

    yyjson_mut_obj_add_str(d, o, "key", key);
    yyjson_mut_obj_add_strcpy(d, yyjson_mut_obj_add_obj(d, o, "value"), "stringValue", value);
}

static val_t *put_point(doc_t *d, val_t *data, const struct span *span)
{
    val_t *point = yyjson_mut_arr_add_obj(d, yyjson_mut_obj_add_arr(d, data, "dataPoints"));

    yyjson_mut_obj_add_str(d, point, "startTimeUnixNano", span->from);
    yyjson_mut_obj_add_str(d, point, "timeUnixNano", span->to);
    return point;
}

static val_t *put_metric(doc_t *d, val_t *list, const char *name, const char *help,
                         const char *unit)
{
    char full[96];
    val_t *o = yyjson_mut_arr_add_obj(d, list);

    snprintf(full, sizeof full, PREFIX "%s", name);
    yyjson_mut_obj_add_strcpy(d, o, "name", full);
    yyjson_mut_obj_add_str(d, o, "description", help);
    yyjson_mut_obj_add_str(d, o, "unit", unit);
    return o;
}

static void put_number(doc_t *d, val_t *list, const struct output_metric *m,
                       const struct span *span)
{
    val_t *o = put_metric(d, list, m->name, m->help, m->unit), *data;

    data = yyjson_mut_obj_add_obj(d, o, m->is_counter ? "sum" : "gauge");
    if (m->is_counter) {
        yyjson_mut_obj_add_int(d, data, "aggregationTemporality", CUMULATIVE);
        yyjson_mut_obj_add_bool(d, data, "isMonotonic", true);
    }
    yyjson_mut_obj_add_real(d, put_point(d, data, span), "asDouble", m->value);
}

static void put_hist(doc_t *d, val_t *list, const char *name, const struct hist *h,
                     const struct span *span)
{
    uint64_t counts[OUTPUT_BOUNDS_COUNT + 1];
    val_t *o, *data, *point, *buckets, *bounds;

    if (h->total == 0)
        return;
    output_metric_count(h, counts);
    o = put_metric(d, list, name, "Latency in the measured window", "s");
    data = yyjson_mut_obj_add_obj(d, o, "histogram");
    yyjson_mut_obj_add_int(d, data, "aggregationTemporality", CUMULATIVE);
    point = put_point(d, data, span);
    put_u64(d, point, "count", h->total);
    yyjson_mut_obj_add_real(d, point, "sum", h->sum / 1e9);
    yyjson_mut_obj_add_real(d, point, "min", (double)h->min / 1e9);
    yyjson_mut_obj_add_real(d, point, "max", (double)h->max / 1e9);
    buckets = yyjson_mut_obj_add_arr(d, point, "bucketCounts");
    for (uint32_t i = 0; i <= OUTPUT_BOUNDS_COUNT; i++) {
        char text[24];

        snprintf(text, sizeof text, "%" PRIu64, counts[i]);
        yyjson_mut_arr_add_strcpy(d, buckets, text);
    }
    bounds = yyjson_mut_obj_add_arr(d, point, "explicitBounds");
    for (uint32_t i = 0; i < OUTPUT_BOUNDS_COUNT; i++)
        yyjson_mut_arr_add_real(d, bounds, (double)output_metric_bounds_ns[i] / 1e9);
}

static void put_resource(doc_t *d, val_t *to, const struct outcome *out)
{
    val_t *attributes =
        yyjson_mut_obj_add_arr(d, yyjson_mut_obj_add_obj(d, to, "resource"), "attributes");
    char text[24];

    put_attribute(d, attributes, "service.name", SERVICE);
    put_attribute(d, attributes, "service.version", SEALPOST_VERSION);
    snprintf(text, sizeof text, "%016" PRIx64, out->run_id);
    put_attribute(d, attributes, "sealpost.run.id", text);
    put_attribute(d, attributes, "sealpost.mode", options_mode_name(out->options->mode));
}

char *output_otlp_format(const struct outcome *out, uint64_t now_ns)
{
    struct output_metric metrics[OUTPUT_METRICS_MAX];
    uint32_t count = output_metric_list(out, metrics);
    doc_t *d = yyjson_mut_doc_new(NULL);
    val_t *root, *resource, *scope, *list;
    struct span span;
    char *text;

    if (!d)
        return NULL;
    snprintf(span.from, sizeof span.from, "%" PRIu64, (uint64_t)out->started * (uint64_t)NS_PER_S);
    snprintf(span.to, sizeof span.to, "%" PRIu64, now_ns);
    root = yyjson_mut_obj(d);
    yyjson_mut_doc_set_root(d, root);
    resource = yyjson_mut_arr_add_obj(d, yyjson_mut_obj_add_arr(d, root, "resourceMetrics"));
    put_resource(d, resource, out);
    scope = yyjson_mut_arr_add_obj(d, yyjson_mut_obj_add_arr(d, resource, "scopeMetrics"));
    yyjson_mut_obj_add_str(d, yyjson_mut_obj_add_obj(d, scope, "scope"), "name", SERVICE);
    list = yyjson_mut_obj_add_arr(d, scope, "metrics");
    for (uint32_t i = 0; i < count; i++)
        put_number(d, list, &metrics[i], &span);
#define X(name) put_hist(d, list, #name, &out->tally.name, &span);
    TALLY_HISTOGRAMS(X)
#undef X
    text = yyjson_mut_write(d, 0, NULL);
    yyjson_mut_doc_free(d);
    return text;
}

// A collector's answer is of no interest beyond its status.
static size_t discard(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes, (void)context;
    return size * count;
}

// The URL with the path of metrics, unless it has a path already. False when it is too long.
static bool complete_url(char *full, size_t cap, const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = strchr(host ? host + 3 : url, '/');
    size_t base = path && path[1] == '\0' ? (size_t)(path - url) : strlen(url);
    int n = snprintf(full, cap, "%.*s%s", (int)base, url, path && path[1] != '\0' ? "" : PATH);

    return n > 0 && (size_t)n < cap;
}

static bool post(CURL *curl, const char *url, const char *body, char reason[])
{
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    char detail[CURL_ERROR_SIZE] = "";
    CURLcode code = CURLE_OUT_OF_MEMORY;
    long status = 0;

    if (headers) {
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
        code = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_slist_free_all(headers);
    if (code != CURLE_OK)
        snprintf(reason, OUTPUT_OTLP_REASON_BYTES, "%.120s: %.120s", url,
                 detail[0] ? detail : curl_easy_strerror(code));
    else if (status / 100 != 2)
        snprintf(reason, OUTPUT_OTLP_REASON_BYTES, "%.120s: the collector answered HTTP %ld", url,
                 status);
    return code == CURLE_OK && status / 100 == 2;
}

bool output_otlp_send(const struct outcome *out, const char *url,
                      char reason[OUTPUT_OTLP_REASON_BYTES])
{
    char full[512];
    struct timespec now;
    char *body = NULL;
    CURL *curl = NULL;
    bool ok = false;

    clock_gettime(CLOCK_REALTIME, &now);
    if (!complete_url(full, sizeof full, url)) {
        snprintf(reason, OUTPUT_OTLP_REASON_BYTES, "the collector's address is too long");
        return false;
    }
    body = output_otlp_format(out, (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec);
    curl = curl_easy_init();
    if (body && curl)
        ok = post(curl, full, body, reason);
    else
        snprintf(reason, OUTPUT_OTLP_REASON_BYTES, "out of memory");
    if (!ok)
        result_json_hide_credentials(reason);
    curl_easy_cleanup(curl);
    free(body);
    return ok;
}
