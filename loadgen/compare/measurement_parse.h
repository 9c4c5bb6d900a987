// Results as text → measurements: what sealpost-load and `sealpost-bench run` write, one, several
// in a JSON array, or several in a row (JSON lines). Pure.
#ifndef SEALPOST_MEASUREMENT_PARSE_H
#define SEALPOST_MEASUREMENT_PARSE_H

#include <stddef.h>

#include "measurement.h"
#include "units.h"

// A thousand repeats of a few patterns.
#define MEASUREMENT_LIST_MAX 8192u
#define MEASUREMENT_PARSE_REASON_BYTES 256u

struct measurement_list {
    struct measurement *items;
    size_t count, capacity;
};

// Append what the text holds. source: its file's name. Owner: the caller frees the list, on errors
// too (what was appended before the error stays).
// Errors, with one sentence in reason: -EBADMSG (not JSON, or not such a result), -E2BIG (more than
// MEASUREMENT_LIST_MAX), -ENOMEM.
NODISCARD int measurement_parse(struct measurement_list *list, const char *text, size_t len,
                                const char *source, char reason[MEASUREMENT_PARSE_REASON_BYTES]);
void measurement_list_free(struct measurement_list *list);

#endif
