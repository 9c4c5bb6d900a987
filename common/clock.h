// The monotonic clock every latency and deadline uses.
#ifndef SEALPOST_CLOCK_H
#define SEALPOST_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "units.h"

static inline uint64_t clock_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

#endif
