// What many parts amount to, in a text of bounded length that tells one set of parts from another:
// as far as there is room in words; beyond, by a hash of all of them. Pure.
#ifndef SEALPOST_DESCRIPTION_H
#define SEALPOST_DESCRIPTION_H

#include <stddef.h>
#include <stdint.h>

#include "measurement.h"
#include "units.h"

#define DESCRIPTION_HASH_BEGIN 0xCBF29CE484222325ull // FNV-1a

struct description {
    char *out; // MEASUREMENT_TEXT_BYTES
    size_t len;
    uint64_t hash;
};

// A part of less than twice MEASUREMENT_TEXT_BYTES.
PRINTF_LIKE(2, 3) void description_add(struct description *d, const char *format, ...);
// All parts were added.
void description_end(struct description *d);

#endif
