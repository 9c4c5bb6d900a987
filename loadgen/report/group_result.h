// What each group of users got, in the result. Runs once, after the run.
#ifndef SEALPOST_GROUP_RESULT_H
#define SEALPOST_GROUP_RESULT_H

#include <stdio.h>
#include <yyjson.h>

#include "run.h"

// The list `groups`; without --group it has the one that the mode is.
void group_result_add_json(yyjson_mut_doc *d, yyjson_mut_val *root, const struct outcome *out);
// A line for each group; nothing for one whose figures are all in the totals.
void group_result_print(const struct outcome *out, FILE *to);

#endif
