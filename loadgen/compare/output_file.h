// A file that a command writes a report to; "-" is standard output.
#ifndef SEALPOST_OUTPUT_FILE_H
#define SEALPOST_OUTPUT_FILE_H

#include <stdio.h>

#include "units.h"

// Open it, let `write` fill it, close it. A file of NULL is not wanted: nothing happens.
// Errors: what write returns, -errno of the file (also of what could not be written); standard
// error says which.
NODISCARD int output_file_write(const char *file, int (*write)(const void *what, FILE *out),
                                const void *what);

// Could it be written, as far as that can be told without touching it? NULL and "-" can.
// Errors: -errno.
NODISCARD int output_file_check(const char *file);

#endif
