// The users of a shard: who belongs to which group, who leads a unit, who talks to whom, who sends.
// Thread: the shard's, before its loop.
#ifndef SEALPOST_POPULATION_H
#define SEALPOST_POPULATION_H

#include "plan.h"
#include "units.h"

struct options;
struct shard;

// From the shard's group_users. Errors: -ENOMEM.
NODISCARD int population_init(struct shard *s);
// The run is over: what each group sent, received and had refused, summed over its dialogs.
void population_count(struct shard *s);
void population_free(struct shard *s);
// The places of a thread's senders among those of all threads.
struct plan_slots population_slots(const struct options *o, uint32_t thread);

#endif
