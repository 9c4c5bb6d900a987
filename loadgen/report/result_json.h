// How figures are written in results: the parts every JSON document of the load tester shares.
#ifndef SEALPOST_RESULT_JSON_H
#define SEALPOST_RESULT_JSON_H

#include <stdbool.h>
#include <yyjson.h>

#include "hist.h"
#include "units.h"

#define RESULT_JSON_PERCENTILES(X)                                                                 \
    X("p50", 50)                                                                                   \
    X("p90", 90)                                                                                   \
    X("p99", 99)                                                                                   \
    X("p99_9", 99.9)                                                                               \
    X("p99_99", 99.99)

// With three decimals: what a reader compares, not what a double holds.
void result_json_add_real(yyjson_mut_doc *d, yyjson_mut_val *to, const char *key, double value);
// null without `has`.
void result_json_add_optional(yyjson_mut_doc *d, yyjson_mut_val *to, const char *key, bool has,
                              double value);
// The machine this runs on: cpu, cpu_id, cores, kernel.
void result_json_add_machine(yyjson_mut_doc *d, yyjson_mut_val *to);
// A text from outside: what is not UTF-8 is replaced, byte by byte, by "?", because JSON has no
// place for it.
void result_json_add_text(yyjson_mut_doc *d, yyjson_mut_val *to, const char *key, const char *text);
// The same as an item of a list.
void result_json_append_text(yyjson_mut_doc *d, yyjson_mut_val *list, const char *text);
// The command line as `argv`, without the names and passwords in its addresses: results are shown
// around.
void result_json_add_argv(yyjson_mut_doc *d, yyjson_mut_val *to, int argc, char **argv);
// SCHEME://NAME:PASSWORD@HOST becomes SCHEME://*@HOST, in place and wherever it stands in a text.
void result_json_hide_credentials(char *text);
// Latencies in us: count, mean, percentiles, max. Percentiles with fewer than ten samples beyond
// them are null.
void result_json_add_hist(yyjson_mut_doc *d, yyjson_mut_val *to, const char *key,
                          const struct hist *h);
// The percentile curve beside them: `curve`, pairs of percentile and value in us, only percentiles
// with ten samples beyond them. `hist_obj` is what result_json_add_hist added.
void result_json_add_curve(yyjson_mut_doc *d, yyjson_mut_val *hist_obj, const struct hist *h);

#endif
