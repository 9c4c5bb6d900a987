// Small things every file may use: sizes, marks, byte order.
#ifndef SEALPOST_UNITS_H
#define SEALPOST_UNITS_H

#include <stdint.h>
#include <string.h>

#define KIB 1024u
#define MIB (1024u * 1024u)
#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
#define CACHE_LINE_BYTES 64

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline uint32_t load_be32(const uint8_t *from)
{
    uint32_t v;
    memcpy(&v, from, sizeof v);
    return __builtin_bswap32(v);
}

static inline uint64_t load_be64(const uint8_t *from)
{
    uint64_t v;
    memcpy(&v, from, sizeof v);
    return __builtin_bswap64(v);
}

static inline void store_be32(uint8_t *to, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(to, &v, sizeof v);
}

static inline void store_be64(uint8_t *to, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(to, &v, sizeof v);
}

#endif
