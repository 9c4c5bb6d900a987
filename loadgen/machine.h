// What is done to the processors the generator runs on, by others than the generator: steal by the
// hypervisor, throttling by a container's quota, sharing with the relay. Thread: any.
#ifndef SEALPOST_MACHINE_H
#define SEALPOST_MACHINE_H

#include <stdint.h>
#include <sys/types.h>

#include "options.h"
#include "units.h"

// Counters at one moment; a window is the difference of two.
struct machine_mark {
    uint64_t steal, total; // of all processors, in clock ticks
    uint64_t throttles;    // periods in which a cpu quota of ours ran out
    uint64_t throttled_ns; // stopped therefore, summed over processors
};

// What cannot be read is 0.
void machine_read(struct machine_mark *m);

// The parts of it: steal from a file like /proc/stat; throttling from cpu.stat of the control
// groups in a file like /proc/self/cgroup (version 2 and 1) and of those above them, below `root`.
void machine_read_steal(struct machine_mark *m, const char *stat_file);
void machine_read_throttling(struct machine_mark *m, const char *cgroup_file, const char *root);

struct machine_share {
    uint32_t shared; // processors both may run on
    uint32_t all;    // processors one of them may run on
};

// The generator's processors (--pin, or all it may use) beside those of the relay's process.
// Zero when that process cannot be read.
struct machine_share machine_find_share(const struct options *o, pid_t relay);

#endif
