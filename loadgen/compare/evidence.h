// Result files and folders of them → measurements. Blocking reads; main thread.
#ifndef SEALPOST_EVIDENCE_H
#define SEALPOST_EVIDENCE_H

#include "measurement_parse.h"

#define EVIDENCE_FILE_MAX_BYTES (64u * MIB) // a day of one-second intervals is a tenth of it
#define EVIDENCE_FILES_MAX 1000u            // in one folder

// Append the results of a file, or of every .json, .jsonl and .ndjson file of a folder, in order of
// their names. A folder without any appends nothing.
// Errors, with one sentence in reason: -errno (ENOENT: there is no such file), -EFBIG, -E2BIG, and
// those of measurement_parse.
NODISCARD int evidence_load(struct measurement_list *list, const char *path,
                            char reason[MEASUREMENT_PARSE_REASON_BYTES]);

#endif
