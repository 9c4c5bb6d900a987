// What a run writes beside its summary, and where: options and the writing.
#ifndef SEALPOST_OUTPUTS_H
#define SEALPOST_OUTPUTS_H

#include <argp.h>

#include "run.h"

// Its input is a struct option_parse; fills in struct options' `outputs`.
extern const struct argp outputs_argp;

// Write all that was asked for. False when a file could not be written, after saying which and why
// on standard error. A collector that cannot be reached is said, too, and is no failure of the run.
NODISCARD bool outputs_write(const struct outcome *out);

#endif
