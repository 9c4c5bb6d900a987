// Secrets marked for memcheck, for the programs of the poisoning check. One thread.
#ifndef SEALPOST_TEST_POISON_H
#define SEALPOST_TEST_POISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/memcheck.h>

// A function of the library under secrets. `run` makes its own, and returns with everything public.
struct poison_subject {
    const char *name;
    void (*run)(void);
};

// From here on nothing may branch on these bytes, index by them, or on what is computed from them.
static inline void poison_secret(const void *bytes, size_t len)
{
    VALGRIND_MAKE_MEM_UNDEFINED(bytes, len);
}

// What leaves the library for all to see, or a secret whose time is over.
static inline void poison_public(const void *bytes, size_t len)
{
    VALGRIND_MAKE_MEM_DEFINED(bytes, len);
}

static inline void poison_check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "poison: %s\n", what);
    exit(EXIT_FAILURE);
}

// Different from call to call: what they are does not matter, but that results are not all alike.
void poison_fill(void *bytes, size_t len);

// In poison_session.c: two parties, from their seeds to messages both ways.
void poison_x3dh(void);
void poison_x3dh_ratchet(void);
void poison_pqxdh(void);

#endif
