// The users of a shard: who belongs to which group, who leads a unit, who talks to whom, who sends.
// Thread: the shard's, before its loop.
#ifndef SEALPOST_POPULATION_H
#define SEALPOST_POPULATION_H

#include "units.h"

struct shard;

// From the shard's group_users. Errors: -ENOMEM.
NODISCARD int population_init(struct shard *s);
void population_free(struct shard *s);

#endif
