// Processors: pinning and names.
#ifndef SEALPOST_CPU_H
#define SEALPOST_CPU_H

#include <stddef.h>

#include "units.h"

#define CPU_LIST_MAX 256u

// Processors this process may run on.
unsigned cpu_count_available(void);
// Pin the calling thread. Errors: -EINVAL (not an available processor), -errno.
NODISCARD int cpu_pin_thread(unsigned cpu);
// Parse a list like "0", "0,2" or "4-7" into cpus[]. Returns how many, or -EINVAL.
NODISCARD int cpu_list_parse(const char *text, unsigned cpus[CPU_LIST_MAX]);
// The processor's name for reports ("AMD EPYC …"), "unknown" if /proc does not tell.
void cpu_model_name(char *out, size_t cap);
// Maker, family and model as "AuthenticAMD 25/17": what tells generations apart where hypervisors
// give all of them one name. "unknown" if /proc does not tell.
void cpu_model_id(char *out, size_t cap);

#endif
