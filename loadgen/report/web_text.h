// A text that several connections are sending, freed with the last of them. Thread: the web's.
#ifndef SEALPOST_WEB_TEXT_H
#define SEALPOST_WEB_TEXT_H

#include <stdint.h>
#include <stdlib.h>

#include "units.h"

struct web_text {
    uint32_t references;
    size_t len;
    char *bytes; // for free()
};

// Take `bytes` (for free()) over; one reference. NULL when memory is short or `bytes` is.
static inline struct web_text *web_text_create(char *bytes, size_t len)
{
    struct web_text *t = bytes ? malloc(sizeof *t) : NULL;

    if (t)
        *t = (struct web_text){.references = 1, .len = len, .bytes = bytes};
    else
        free(bytes);
    return t;
}

static inline struct web_text *web_text_get(struct web_text *t)
{
    t->references++;
    return t;
}

// NULL is fine.
static inline void web_text_put(struct web_text *t)
{
    if (!t || --t->references > 0)
        return;
    free(t->bytes);
    free(t);
}

#endif
