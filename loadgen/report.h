// The result for machines (JSON, schema sealpost.load/1) and for people.
#ifndef SEALPOST_REPORT_H
#define SEALPOST_REPORT_H

#include <stdio.h>

#include "run.h"

#define REPORT_SCHEMA "sealpost.load/1"

// The result as JSON, zero-terminated, for free(); NULL when memory is short. Percentiles with
// fewer than ten samples beyond them are null. argv is how the program was called.
char *report_format_json(const struct outcome *out, int argc, char **argv);
// Write it to a file, "-" is standard output. Errors: -ENOMEM, -errno.
NODISCARD int report_write_json(const struct outcome *out, int argc, char **argv, const char *file);
void report_print_summary(const struct outcome *out, FILE *to);

#endif
