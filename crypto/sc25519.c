// Scalars of Ed25519, modulo L = 2^252 + delta, one at a time. Any thread; portable, never branches
// on a scalar nor indexes by one (sp_sc25519_is_canonical excepted). It never allocates.
//
// Reduction folds at 2^252, which is −delta modulo L. delta has 125 bits, so each fold takes 127
// off: from 512 bits, three of them do.
#include <string.h>

#include "internal.h"
#include "sc25519.h"

#define LIMBS 4u
#define WIDE_LIMBS 8u
#define LIMB_BITS 64u
#define TOP_BITS 60u // of limb 3 below 2^252

__extension__ typedef unsigned __int128 wide_t;
__extension__ typedef __int128 signed_wide_t;

static const uint64_t order[LIMBS] = {0x5812631A5CF5D3ED, 0x14DEF9DEA2F79CD6, 0,
                                      0x1000000000000000};
static const uint64_t order_twice[LIMBS] = {0xB024C634B9EBA7DA, 0x29BDF3BD45EF39AC, 0,
                                            0x2000000000000000};

static void load(uint64_t *limbs, const uint8_t *in, size_t count)
{
    memcpy(limbs, in, count * sizeof(*limbs)); // this machine is little-endian, as scalars are
}

// out[0 … count + 1] = in · delta.
static inline void multiply_delta(uint64_t *out, const uint64_t *in, size_t count)
{
    wide_t carry = 0, carry_high = 0;
    for (size_t i = 0; i < count; i++) {
        const wide_t low = (wide_t)in[i] * order[0] + (uint64_t)carry;
        const wide_t high = (wide_t)in[i] * order[1] + (low >> LIMB_BITS) + (uint64_t)carry_high;
        out[i] = (uint64_t)low;
        carry = (uint64_t)high;
        carry_high = high >> LIMB_BITS;
    }
    out[count] = (uint64_t)carry;
    out[count + 1] = (uint64_t)carry_high;
}

// low = in modulo 2^252, high[0 … count − LIMBS] = in >> 252.
static inline void split(uint64_t low[LIMBS], uint64_t *high, const uint64_t *in, size_t count)
{
    memcpy(low, in, LIMBS * sizeof(*low));
    low[LIMBS - 1] &= (1ull << TOP_BITS) - 1;
    for (size_t i = LIMBS - 1; i < count; i++)
        high[i - (LIMBS - 1)] =
            in[i] >> TOP_BITS | (i + 1 < count ? in[i + 1] << (LIMB_BITS - TOP_BITS) : 0);
}

// x −= subtrahend unless that would be negative.
static inline void subtract_if_below(uint64_t x[LIMBS], const uint64_t subtrahend[LIMBS])
{
    uint64_t difference[LIMBS];
    signed_wide_t sum = 0;
    for (size_t i = 0; i < LIMBS; i++) {
        sum += (signed_wide_t)x[i] - subtrahend[i];
        difference[i] = (uint64_t)sum;
        sum >>= LIMB_BITS;
    }
    const uint64_t negative = (uint64_t)sum; // all ones or none
    for (size_t i = 0; i < LIMBS; i++)
        x[i] = (x[i] & negative) | (difference[i] & ~negative);
}

// x = a · 2^252 + b, with a · delta = c · 2^252 + d and c · delta = e · 2^252 + f:
// x ≡ b − d + f − e · delta, and e has seven bits. With 2L more that is between 0 and 4L.
static void fold(uint8_t out[32], const uint64_t x[WIDE_LIMBS])
{
    struct {
        uint64_t a[5], b[LIMBS], product[7], c[4], d[LIMBS], e[2], f[LIMBS], last[LIMBS];
    } s;
    split(s.b, s.a, x, WIDE_LIMBS);
    multiply_delta(s.product, s.a, 5);
    split(s.d, s.c, s.product, 7);
    multiply_delta(s.product, s.c, 3); // c[3], above 2^133, is zero
    split(s.f, s.e, s.product, 5);
    multiply_delta(s.last, s.e, 1);
    s.last[3] = 0;
    signed_wide_t sum = 0;
    uint64_t reduced[LIMBS];
    for (size_t i = 0; i < LIMBS; i++) {
        sum += (signed_wide_t)order_twice[i] + s.b[i] + s.f[i] - s.d[i] - s.last[i];
        reduced[i] = (uint64_t)sum;
        sum >>= LIMB_BITS;
    }
    subtract_if_below(reduced, order_twice);
    subtract_if_below(reduced, order);
    memcpy(out, reduced, sizeof(reduced));
    sp_wipe(&s, sizeof(s));
}

void sp_sc25519_reduce(uint8_t out[32], const uint8_t in[64])
{
    uint64_t x[WIDE_LIMBS];
    load(x, in, WIDE_LIMBS);
    fold(out, x);
    sp_wipe(x, sizeof(x));
}

void sp_sc25519_multiply_add(uint8_t out[32], const uint8_t a[32], const uint8_t b[32],
                             const uint8_t c[32])
{
    struct {
        uint64_t a[LIMBS], b[LIMBS], sum[WIDE_LIMBS];
    } s;
    load(s.a, a, LIMBS);
    load(s.b, b, LIMBS);
    load(s.sum, c, LIMBS);
    for (size_t i = 0; i < LIMBS; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < LIMBS; j++) {
            const wide_t product = (wide_t)s.a[i] * s.b[j] + s.sum[i + j] + carry;
            s.sum[i + j] = (uint64_t)product;
            carry = (uint64_t)(product >> LIMB_BITS);
        }
        s.sum[i + LIMBS] = carry;
    }
    fold(out, s.sum);
    sp_wipe(&s, sizeof(s));
}

bool sp_sc25519_is_canonical(const uint8_t in[32])
{
    uint64_t x[LIMBS];
    load(x, in, LIMBS);
    for (size_t i = LIMBS; i-- > 0;) {
        if (x[i] != order[i])
            return x[i] < order[i];
    }
    return false;
}
