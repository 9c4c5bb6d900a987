// The loop of a generator thread: wait, handle completions, open, handshake, pace, seal, send; and
// its way through the phases of a run.
#ifndef SEALPOST_ENGINE_H
#define SEALPOST_ENGINE_H

#include "shard.h"

// The thread's main function; `arg` is a struct shard with its first part filled in. When it is
// over is_done is set and SIGUSR1 sent to the coordinator (also when all users are settled).
void *engine_run(void *arg);

#endif
