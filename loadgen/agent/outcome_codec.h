// What an agent's part of a run came to, as a JSON value, and back: everything that the whole needs
// of each part. Pure.
#ifndef SEALPOST_OUTCOME_CODEC_H
#define SEALPOST_OUTCOME_CODEC_H

#include <yyjson.h>

#include "run.h"
#include "units.h"

// Without the server's figures, the objectives and the exit code: those are the whole's. NULL for
// want of memory.
yyjson_mut_val *outcome_codec_encode(yyjson_mut_doc *d, const struct outcome *out,
                                     uint32_t thread_count);
// Read into an outcome that run_init_outcome has made. Errors: -EBADMSG, -ENOMEM; it is then not to
// be used, but for run_free.
NODISCARD int outcome_codec_decode(struct outcome *out, yyjson_val *from, uint32_t thread_count);

#endif
