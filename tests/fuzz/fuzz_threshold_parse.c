// Any bytes as a threshold. One that is taken has figures in their ranges, is read the same again,
// and can be judged; one that is not comes with a sentence.
#include <assert.h>
#include <math.h>
#include <string.h>

#include "threshold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct threshold_metrics m;
    static struct pulse_sample from, to;
    char text[2 * THRESHOLD_TEXT_BYTES], reason[THRESHOLD_REASON_BYTES];
    struct threshold t, again;
    struct threshold_result r;
    double value;

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (threshold_parse(&t, text, reason) < 0) {
        assert(reason[0] != '\0');
        return 0;
    }
    assert(reason[0] == '\0' && strcmp(t.text, text) == 0);
    assert(t.metric < THRESHOLD_METRIC_COUNT);
    assert(t.percentile >= 0 && t.percentile <= 100);
    assert(isfinite(t.limit) && t.limit >= 0);
    assert(threshold_parse(&again, t.text, reason) == 0);
    assert(memcmp(&t, &again, sizeof t) == 0);
    threshold_judge(&t, &m, &r);
    assert(r.ok == (r.reason[0] == '\0'));
    if (t.abort)
        threshold_is_missed(&t, false, &from, &to, &value);
    return 0;
}
