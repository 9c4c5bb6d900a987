// The scenarios of scenarios/, inside the program: found by name wherever it is installed.
#ifndef SEALPOST_READY_MADE_H
#define SEALPOST_READY_MADE_H

#include <stddef.h>
#include <stdint.h>

struct ready_made {
    const char *name; // of the file, without .yaml
    const char *text; // YAML, zero-terminated
    size_t len;
};

// In the order of their names; written by embed.cmake.
extern const struct ready_made ready_made_all[];
extern const uint32_t ready_made_count;

// NULL if there is none.
const struct ready_made *ready_made_find(const char *name);
// Names with commas between them, cut to what fits.
void ready_made_list_names(char *out, size_t cap);

#endif
