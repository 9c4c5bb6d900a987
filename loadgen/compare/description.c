// Descriptions of many parts. Pure.
#include "description.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HASH_BYTES sizeof "... #0123456789abcdef"

void description_add(struct description *d, const char *format, ...)
{
    char text[2 * MEASUREMENT_TEXT_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (const char *at = text; *at; at++)
        d->hash = (d->hash ^ (uint8_t)*at) * 0x100000001B3ull;
    if (d->len < MEASUREMENT_TEXT_BYTES)
        d->len += (size_t)snprintf(d->out + d->len, MEASUREMENT_TEXT_BYTES - d->len, "%s", text);
}

void description_end(struct description *d)
{
    char hash[HASH_BYTES];

    if (d->len < MEASUREMENT_TEXT_BYTES)
        return;
    snprintf(hash, sizeof hash, "... #%016" PRIx64, d->hash);
    memcpy(d->out + MEASUREMENT_TEXT_BYTES - sizeof hash, hash, sizeof hash);
}
