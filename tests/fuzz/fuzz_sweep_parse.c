// Any bytes as a sweep's sizes. Sizes that are taken are within their bounds; a text that is not
// comes with a sentence.
#include <assert.h>
#include <string.h>

#include "sweep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[2048], reason[SWEEP_REASON_BYTES] = "";
    struct sweep_range range;

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (sweep_parse(&range, text, reason) < 0) {
        assert(reason[0] != '\0');
        return 0;
    }
    assert(range.count >= 1 && range.count <= SWEEP_POINTS_MAX);
    for (uint32_t i = 0; i < range.count; i++)
        assert(range.sizes[i] >= 1 && range.sizes[i] <= OPTIONS_CONNECTIONS_MAX &&
               (range.over == SWEEP_WORKERS || range.sizes[i] % 2 == 0));
    return 0;
}
