// How large the plaintexts are: one size, or a distribution. Pure.
//
//   256                               every envelope
//   uniform:64-4096                   every size as often
//   lognormal:300,1.2[,64-16384]      median and sigma of the logarithm; sizes outside the bounds
//                                     become the bound
//   choice:64*70,1024*25,16384*5      sizes with weights
//
// An envelope's size follows from the seed, its sender and its number alone: runs repeat whatever
// the threads and the timing.
#ifndef SEALPOST_PAYLOAD_H
#define SEALPOST_PAYLOAD_H

#include <stdint.h>

#include "units.h"

#define PAYLOAD_CHOICES_MAX 16u
#define PAYLOAD_WEIGHT_MAX 1000000u
#define PAYLOAD_SIGMA_MAX 5.0
#define PAYLOAD_REASON_BYTES 192u

enum payload_kind { PAYLOAD_FIXED, PAYLOAD_UNIFORM, PAYLOAD_LOGNORMAL, PAYLOAD_CHOICE };

struct payload {
    enum payload_kind kind;
    uint32_t min_bytes, max_bytes; // of what is drawn
    double log_median, sigma;      // lognormal
    uint32_t choice_count;
    struct {
        uint32_t bytes;
        uint32_t up_to; // its weight and those before it
    } choices[PAYLOAD_CHOICES_MAX];
};

// Sizes must lie in least … most bytes. Errors: -EINVAL with half a sentence in reason, which
// follows the option's name.
NODISCARD int payload_parse(struct payload *p, const char *text, uint32_t least, uint32_t most,
                            char reason[PAYLOAD_REASON_BYTES]);
// The size of the sender's envelope with this number, min_bytes … max_bytes.
uint32_t payload_draw(const struct payload *p, uint64_t seed, uint32_t sender, uint64_t number);

#endif
