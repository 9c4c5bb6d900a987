// What a process costs, read from outside: CPU time and resident memory.
#ifndef SEALPOST_PROCSTAT_H
#define SEALPOST_PROCSTAT_H

#include <stdint.h>
#include <sys/types.h>

#include "units.h"

struct procstat {
    uint64_t cpu_ns;     // all threads, user and system, since the process began
    uint64_t rss_bytes;  // resident
    uint64_t anon_bytes; // resident and anonymous (heap, stacks, buffers)
};

// Errors: -ESRCH (no such process), -errno.
NODISCARD int procstat_read(pid_t pid, struct procstat *out);
// CPU time alone: one system call, fit for the edges of a measured window.
NODISCARD int procstat_cpu_ns(pid_t pid, uint64_t *cpu_ns);

#endif
