// A comparison for people (a table), for a pull request (Markdown) and for CI (JUnit). The caller
// looks at ferror.
#ifndef SEALPOST_COMPARISON_PRINT_H
#define SEALPOST_COMPARISON_PRINT_H

#include <stdio.h>

#include "comparison.h"

// Four significant digits: what a reader compares.
#define COMPARISON_VALUE_BYTES 32u
const char *comparison_format_value(double value, char out[COMPARISON_VALUE_BYTES]);

void comparison_print_table(const struct comparison *c, FILE *out);
void comparison_print_markdown(const struct comparison *c, FILE *out);
// A case for each judged metric: worse failed; unclear, where a regression cannot be excluded, is
// skipped. Errors: -ENOMEM.
NODISCARD int comparison_print_junit(const struct comparison *c, FILE *out);

#endif
