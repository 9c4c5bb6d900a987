// Numbers, times and words of the command line. Runs once, before any thread.
#include "option_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Bounds what the arithmetic on nanoseconds has to hold.
#define TIME_MAX_NS (31.0 * 86400 * (double)NS_PER_S)

int option_refuse(struct option_parse *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(p->reason, OPTIONS_REASON_BYTES, format, args);
    va_end(args);
    return EINVAL;
}

int option_parse_count(struct option_parse *p, const char *option, const char *text, uint64_t min,
                       uint64_t max, uint64_t *out)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno || value < min || value > max)
        return option_refuse(p, "--%s takes a whole number from %llu to %llu, not '%s'", option,
                             (unsigned long long)min, (unsigned long long)max, text);
    *out = value;
    return 0;
}

int option_parse_count_32(struct option_parse *p, const char *option, const char *text,
                          uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;
    int err = option_parse_count(p, option, text, min, max, &value);

    if (!err)
        *out = (uint32_t)value;
    return err;
}

int option_parse_time(struct option_parse *p, const char *option, const char *text,
                      uint64_t *out_ns)
{
    char *end;
    double value, unit_ns;

    errno = 0;
    value = strtod(text, &end);
    if (*end == '\0' || strcmp(end, "s") == 0)
        unit_ns = (double)NS_PER_S;
    else if (strcmp(end, "ms") == 0)
        unit_ns = (double)NS_PER_MS;
    else if (strcmp(end, "m") == 0)
        unit_ns = 60.0 * (double)NS_PER_S;
    else
        unit_ns = 0;
    if (!isdigit((unsigned char)*text) || errno || unit_ns <= 0 ||
        !(value * unit_ns <= TIME_MAX_NS))
        return option_refuse(p, "--%s takes a time like 500ms, 10s or 2m, not '%s'", option, text);
    *out_ns = (uint64_t)(value * unit_ns);
    return 0;
}

int option_parse_word(struct option_parse *p, const char *option, const char *text,
                      const char *const *words, int count, int *out)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return 0;
        }
    }
    return option_refuse(p, "--%s does not know '%s'", option, text);
}
