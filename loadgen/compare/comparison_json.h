// A comparison for machines: JSON, schema sealpost.compare/1.
//
//    {"schema", "run": {"version", "argv"}, "exit_code", "result",
//     "method": {"alpha", "confidence", "repeats_min", "seed"},
//     "base": {"results", "commit", "cpu", "cores", "kernel"}, "new": the same,
//     "rows": [{"pattern", "metric", "unit", "higher_is_better",
//               "base", "new": {"median", "count"}, "change", "low", "high",
//               "p", "noise", "effect", "verdict", "why", "may_be_worse", "gate"}, …],
//     "delivery_faults", "patterns_missing", "notes": […], "notes_dropped"}
//
// change, low, high, noise and effect are shares: 0.05 is five percent. What is not known is null.
#ifndef SEALPOST_COMPARISON_JSON_H
#define SEALPOST_COMPARISON_JSON_H

#include <stdio.h>

#include "comparison.h"
#include "units.h"

#define COMPARISON_JSON_SCHEMA "sealpost.compare/1"

// Errors: -ENOMEM; of writing: the stream's (ferror).
NODISCARD int comparison_json_write(const struct comparison *c, int argc, char **argv, FILE *out);

#endif
