// Sizes of plaintexts. Parsing runs once; drawing on the generator threads, without state.
#include "payload.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "prng.h"

struct reader {
    const char *at;
    uint32_t least, most;
    char *reason;
};

static int refuse_text(struct reader *r, const char *text)
{
    snprintf(r->reason, PAYLOAD_REASON_BYTES,
             "takes bytes like 256, uniform:64-4096, lognormal:300,1.2,64-16384 or "
             "choice:64*70,1024*30, not '%.60s'",
             text);
    return -EINVAL;
}

static bool take(struct reader *r, char c)
{
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

static bool take_number(struct reader *r, uint32_t *out)
{
    char *end;
    unsigned long value;

    if (!isdigit((unsigned char)*r->at))
        return false;
    value = strtoul(r->at, &end, 10);
    r->at = end;
    *out = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    return true;
}

static bool take_range(struct reader *r, struct payload *p)
{
    return take_number(r, &p->min_bytes) && take(r, '-') && take_number(r, &p->max_bytes);
}

static bool take_lognormal(struct reader *r, struct payload *p)
{
    uint32_t median;
    char *end;

    if (!take_number(r, &median) || !take(r, ',') || !isdigit((unsigned char)*r->at))
        return false;
    p->sigma = strtod(r->at, &end);
    r->at = end;
    p->log_median = log(median);
    p->min_bytes = r->least;
    p->max_bytes = r->most;
    if (take(r, ',') && !take_range(r, p))
        return false;
    return p->sigma <= PAYLOAD_SIGMA_MAX && median >= p->min_bytes && median <= p->max_bytes;
}

static bool take_choices(struct reader *r, struct payload *p)
{
    uint32_t weight, sum = 0;

    p->min_bytes = UINT32_MAX;
    do {
        uint32_t bytes;

        if (p->choice_count == PAYLOAD_CHOICES_MAX || !take_number(r, &bytes) || !take(r, '*') ||
            !take_number(r, &weight) || weight == 0 || weight > PAYLOAD_WEIGHT_MAX)
            return false;
        sum += weight;
        p->choices[p->choice_count].bytes = bytes;
        p->choices[p->choice_count++].up_to = sum;
        if (bytes < p->min_bytes)
            p->min_bytes = bytes;
        if (bytes > p->max_bytes)
            p->max_bytes = bytes;
    } while (take(r, ','));
    return true;
}

static bool take_any(struct reader *r, struct payload *p)
{
    static const struct {
        const char *name;
        enum payload_kind kind;
        bool (*take)(struct reader *r, struct payload *p);
    } kinds[] = {
        {"uniform:", PAYLOAD_UNIFORM, take_range},
        {"lognormal:", PAYLOAD_LOGNORMAL, take_lognormal},
        {"choice:", PAYLOAD_CHOICE, take_choices},
    };

    for (unsigned i = 0; i < COUNT_OF(kinds); i++) {
        size_t len = strlen(kinds[i].name);

        if (strncmp(r->at, kinds[i].name, len) != 0)
            continue;
        r->at += len;
        p->kind = kinds[i].kind;
        return kinds[i].take(r, p);
    }
    if (!take_number(r, &p->min_bytes))
        return false;
    p->max_bytes = p->min_bytes;
    return true;
}

int payload_parse(struct payload *p, const char *text, uint32_t least, uint32_t most,
                  char reason[PAYLOAD_REASON_BYTES])
{
    struct reader r = {.at = text, .least = least, .most = most, .reason = reason};

    *p = (struct payload){0};
    if (!take_any(&r, p) || *r.at != '\0' || p->min_bytes > p->max_bytes)
        return refuse_text(&r, text);
    if (p->min_bytes < least || p->max_bytes > most) {
        snprintf(reason, PAYLOAD_REASON_BYTES,
                 "takes sizes from %u (the ledger's record) to %u (the relay's limit), not '%.60s'",
                 least, most, text);
        return -EINVAL;
    }
    return 0;
}

static uint32_t draw_lognormal(const struct payload *p, uint64_t a, uint64_t b)
{
    // Box and Muller: two uniform numbers become a normal one.
    double normal = sqrt(-2 * log(prng_unit(a))) * cos(2 * M_PI * prng_unit(b));
    double size = exp(p->log_median + p->sigma * normal);

    if (size < p->min_bytes)
        return p->min_bytes;
    return size > p->max_bytes ? p->max_bytes : (uint32_t)(size + 0.5);
}

// `word` scaled to 0 … range − 1.
static uint32_t scale(uint64_t word, uint32_t range)
{
    return (uint32_t)(((word >> 32) * range) >> 32);
}

static uint32_t draw_choice(const struct payload *p, uint64_t word)
{
    uint32_t at = scale(word, p->choices[p->choice_count - 1].up_to), i = 0;

    while (p->choices[i].up_to <= at)
        i++;
    return p->choices[i].bytes;
}

uint32_t payload_draw(const struct payload *p, uint64_t seed, uint32_t sender, uint64_t number)
{
    uint64_t state = seed ^ 0xA0761D6478BD642Full, a;

    state = prng_mix(&state) + sender;
    state = prng_mix(&state) + number;
    a = prng_mix(&state);
    switch (p->kind) {
    case PAYLOAD_FIXED:
        break;
    case PAYLOAD_UNIFORM:
        return p->min_bytes + scale(a, p->max_bytes - p->min_bytes + 1);
    case PAYLOAD_LOGNORMAL:
        return draw_lognormal(p, a, prng_mix(&state));
    case PAYLOAD_CHOICE:
        return draw_choice(p, a);
    }
    return p->min_bytes;
}
