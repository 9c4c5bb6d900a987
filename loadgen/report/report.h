// The result for machines: JSON, schema sealpost.load/1. The pages of report/ show this document,
// and other programs read it, so members are added and never changed.
#ifndef SEALPOST_REPORT_H
#define SEALPOST_REPORT_H

#include "live.h"
#include "run.h"

#define REPORT_SCHEMA "sealpost.load/1"

// The result as JSON, zero-terminated, for free(); NULL when memory is short. Percentiles with
// fewer than ten samples beyond them are null. argv is how the program was called.
char *report_format_json(const struct outcome *out, int argc, char **argv);
// The same in one line.
char *report_format_line(const struct outcome *out, int argc, char **argv);
// A run that goes on, in one line: the same schema with what is known yet, `live` in the place of
// `exit_code`. Thread: any, `live` is only read.
char *report_format_live(const struct live *live, int argc, char **argv);
// Write it to a file, "-" is standard output. Errors: -ENOMEM, those of output_file_write.
NODISCARD int report_write_json(const struct outcome *out, int argc, char **argv, const char *file);

#endif
