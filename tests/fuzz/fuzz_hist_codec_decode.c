// Any bytes as a histogram: refused, or the one encoding of what was read.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "hist_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hist h;
    static uint8_t *again;
    int err;

    if (!h.counts) {
        err = hist_init(&h);
        assert(err == 0);
        again = malloc(hist_codec_bound(&h));
        assert(again != NULL);
    }
    err = hist_codec_decode(&h, data, size);
    assert(err <= 0 && err >= HIST_CODEC_SUM_BAD);
    if (err < 0)
        assert(h.total == 0 && h.max == 0);
    else
        assert(hist_codec_encode(again, &h) == size && memcmp(again, data, size) == 0);
    return 0;
}
