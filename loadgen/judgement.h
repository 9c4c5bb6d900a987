// What an outcome means: the verdict on the generator, the objectives, the exit code. Of a run over
// agents it is made once, from what was merged. Pure.
#ifndef SEALPOST_JUDGEMENT_H
#define SEALPOST_JUDGEMENT_H

#include "run.h"

// Fill in `verdict`, `thresholds` and `exit_code`.
void judgement_make(struct outcome *out);

#endif
