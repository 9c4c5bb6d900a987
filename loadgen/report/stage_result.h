// What each stage of the schedule got, in the result. Runs once, after the run.
#ifndef SEALPOST_STAGE_RESULT_H
#define SEALPOST_STAGE_RESULT_H

#include <stdio.h>
#include <yyjson.h>

#include "run.h"

// The list `stages`, empty without --stage.
void stage_result_add_json(yyjson_mut_doc *d, yyjson_mut_val *root, const struct outcome *out);
// A line for each stage; nothing without --stage.
void stage_result_print(const struct outcome *out, FILE *to);

#endif
