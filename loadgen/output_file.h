// A file that a command leaves behind: a result, a page, a table. Either the whole of it is there
// in the end, or what was there before: it is written under another name in the same folder, then
// renamed. "-" is standard output; a device, a pipe and the like are written as they are.
#ifndef SEALPOST_OUTPUT_FILE_H
#define SEALPOST_OUTPUT_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "units.h"

// Fills in a file; what could not be written is the stream's to know (ferror). Errors: its own.
typedef int output_file_fill(const void *what, FILE *out);

// Have `fill` write the file. NULL: no file is wanted, nothing happens. SIGINT, SIGTERM and SIGHUP
// wait until the file is there. A link stays a link, a file that is replaced passes on its
// permissions. Errors: what fill returns, -errno (of opening, writing, closing, renaming); nothing
// is left then. Thread: one at a time.
NODISCARD int output_file_write(const char *file, output_file_fill *fill, const void *what);
// The same for a text and a newline behind it. NULL: there was no memory for it, -ENOMEM.
NODISCARD int output_file_write_text(const char *file, const char *text);

// Say on standard error which file could not be written and why, if err < 0. True if it is 0.
bool output_file_complain(const char *file, int err);

// Could it be written, as far as that can be told without touching it? NULL and "-" can.
// Errors: -errno.
NODISCARD int output_file_check(const char *file);

#endif
