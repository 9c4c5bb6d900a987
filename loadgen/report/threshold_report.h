// The objectives in the result, for machines and for people.
#ifndef SEALPOST_THRESHOLD_REPORT_H
#define SEALPOST_THRESHOLD_REPORT_H

#include <stdio.h>
#include <yyjson.h>

#include "run.h"

// `thresholds`: for each text, metric, limit, value (null: cannot be told) and unit of both, ok,
// reason (null if ok); `aborted_by`: the text of the one that ended the run, or null.
void threshold_report_add(yyjson_mut_doc *d, yyjson_mut_val *root, const struct outcome *out);
void threshold_report_print(FILE *to, const struct outcome *out);

#endif
