// Service level objectives as thresholds. No I/O.
#include "slo.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SUPPORTING_SAMPLES 10.0 // as in hist.h

int slo_add(struct threshold_list *list, const char *text, char reason[THRESHOLD_REASON_BYTES])
{
    size_t digits = text[0] == 'p' ? strspn(text + 1, "0123456789.") : 0;
    char whole[THRESHOLD_TEXT_BYTES];
    int len;

    if (strchr(text, ',')) {
        snprintf(reason, THRESHOLD_REASON_BYTES,
                 "--slo '%.100s': a trial is not aborted; give one objective for each --slo", text);
        return -EINVAL;
    }
    if (strchr(text, ':'))
        return threshold_list_add(list, text, reason);
    len = digits > 0 ? snprintf(whole, sizeof whole, "response:p(%.*s)%s", (int)digits, text + 1,
                                text + 1 + digits)
                     : snprintf(whole, sizeof whole, "response:%s", text);
    if (len >= (int)sizeof whole) {
        snprintf(reason, THRESHOLD_REASON_BYTES, "an objective has %u characters at most",
                 THRESHOLD_TEXT_BYTES - 16);
        return -EINVAL;
    }
    return threshold_list_add(list, whole, reason);
}

uint64_t slo_samples_needed(const struct threshold_list *list)
{
    double most = 1;

    for (uint32_t i = 0; i < list->count; i++) {
        const struct threshold *t = &list->items[i];

        if (t->method == THRESHOLD_PERCENTILE && t->percentile < 100)
            most = fmax(most, ceil(SUPPORTING_SAMPLES / (1 - t->percentile / 100) - 1e-6));
    }
    return (uint64_t)fmin(most, 1e12);
}

void slo_join(const struct threshold_list *list, char out[SLO_TEXTS_BYTES])
{
    size_t len = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < list->count && len < SLO_TEXTS_BYTES; i++)
        len += (size_t)snprintf(out + len, SLO_TEXTS_BYTES - len, "%s%s", i == 0 ? "" : " and ",
                                list->items[i].text);
}
