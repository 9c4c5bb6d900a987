// Secrets marked for memcheck, for the programs of the poisoning check. One thread.
#ifndef SEALPOST_TEST_POISON_H
#define SEALPOST_TEST_POISON_H

#include <stddef.h>
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

#endif
