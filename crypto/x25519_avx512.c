// X25519 (RFC 7748), eight at once: the Montgomery ladder for any point, the comb of Ed25519 for
// the base point. Any thread. Never allocates, neither branches on a secret nor indexes by one.
#include "x25519_avx512.h"

#include <sodium.h>
#include <string.h>

#include "ge25519_avx512.h"
#include "internal.h"

// Groups of eight that share one inversion, which costs a quarter of a ladder.
#define GROUPS_MAX 8u
#define KEYS_MAX (GROUPS_MAX * FE_LANES)

// More than any of the functions below uses: secrets are there wherever the compiler put them.
#define STACK_BYTES (16u << 10)

#define TOP_BIT 254u // of a clamped scalar
#define A24 121665u  // (486662 − 2) / 4

// What a call has in memory, most of it secret.
struct batch {
    uint8_t scalar[KEYS_MAX][32], point[KEYS_MAX][32];
    struct fe numerator[GROUPS_MAX], denominator[GROUPS_MAX], scratch[GROUPS_MAX];
};

// Two points by their u = X/Z. Their difference is always the ladder's point.
struct ladder {
    struct fe_wide doubled_x, doubled_z; // of the last step, the point that it doubled
    struct fe_wide sum_x, sum_z;         // and the sum of the two
};

// One step: double one of the two points, and add the two. `exchange` tells the lanes in which the
// point to double is the last step's sum; the sum is the same whichever way round. Names of the
// values are those of RFC 7748 section 5.
FE_INLINE void step(struct ladder *l, const struct fe *x_1, __mmask8 exchange)
{
    const struct fe_wide wide_a = fe_wide_add(&l->doubled_x, &l->doubled_z);
    const struct fe_wide wide_b = fe_wide_sub(&l->doubled_x, &l->doubled_z);
    const struct fe_wide wide_c = fe_wide_add(&l->sum_x, &l->sum_z);
    const struct fe_wide wide_d = fe_wide_sub(&l->sum_x, &l->sum_z);
    const struct fe a = fe_carry(&wide_a), b = fe_carry(&wide_b);
    const struct fe c = fe_carry(&wide_c), d = fe_carry(&wide_d);

    // From here on neighbours are independent of each other: one's latency is the other's time.
    const struct fe chosen_a = fe_select(exchange, &a, &c), chosen_b = fe_select(exchange, &b, &d);
    const struct fe_wide da = fe_mul_wide(&d, &a), cb = fe_mul_wide(&c, &b);
    const struct fe_wide wide_aa = fe_square_wide(&chosen_a), wide_bb = fe_square_wide(&chosen_b);

    const struct fe_wide wide_plus = fe_wide_add(&da, &cb), wide_minus = fe_wide_sub(&da, &cb);
    const struct fe_wide wide_e = fe_wide_sub(&wide_aa, &wide_bb);
    const struct fe plus = fe_carry(&wide_plus), minus = fe_carry(&wide_minus);
    const struct fe e = fe_carry(&wide_e), aa = fe_carry(&wide_aa), bb = fe_carry(&wide_bb);

    const struct fe minus_squared = fe_square(&minus);
    const struct fe_wide small = fe_mul_small_wide(&e, A24);
    const struct fe_wide wide_t = fe_wide_add(&wide_aa, &small);
    const struct fe t = fe_carry(&wide_t);
    l->sum_x = fe_square_wide(&plus);
    l->doubled_x = fe_mul_wide(&aa, &bb);
    l->sum_z = fe_mul_wide(x_1, &minus_squared);
    l->doubled_z = fe_mul_wide(&e, &t);
}

// numerator / denominator = the scalar's multiple of u = x_1
static void climb(struct fe *numerator, struct fe *denominator, const uint8_t scalar[FE_LANES][32],
                  const uint8_t point[FE_LANES][32])
{
    const struct fe_words bits = sp_fe_load_words(scalar);
    const struct fe x_1 = sp_fe_load(point), zero = fe_small(0), one = fe_small(1);
    struct ladder l = {fe_widen(&one), fe_widen(&zero), fe_widen(&x_1), fe_widen(&one)};
    __mmask8 last = 0;
    for (unsigned i = TOP_BIT + 1; i-- > 0;) {
        const __mmask8 bit = _mm512_test_epi64_mask(
            bits.words[i / 64], _mm512_set1_epi64((long long)(1ull << (i % 64))));
        step(&l, &x_1, bit ^ last);
        last = bit;
    }
    *numerator = fe_carry(&l.doubled_x); // bit 0 is zero: the last to be doubled was the multiple
    *denominator = fe_carry(&l.doubled_z);
}

// The multiple of the base point, by the map u = (1 + y) / (1 − y). Source: RFC 7748 section 4.1.
static void climb_base(struct fe *numerator, struct fe *denominator,
                       const uint8_t scalar[FE_LANES][32])
{
    struct ge multiple;
    sp_ge_mul_base(&multiple, scalar);
    *numerator = fe_add(&multiple.z, &multiple.y);
    *denominator = fe_sub(&multiple.z, &multiple.y);
}

// RFC 7748 section 5, decodeScalar25519.
static void copy_clamped(uint8_t out[32], const uint8_t scalar[32])
{
    memcpy(out, scalar, 32);
    out[0] &= 0xF8;
    out[31] &= 0x7F;
    out[31] |= 0x40;
}

// At most KEYS_MAX; point is NULL for the base point. Lanes that nobody asked for get zeros. Not
// inlined: its frame, and those of what it calls, lie in the stack that run_all wipes.
static __attribute__((noinline)) void run(struct batch *b, uint8_t (*out)[32],
                                          const uint8_t (*scalar)[32], const uint8_t (*point)[32],
                                          size_t count)
{
    const size_t groups = (count + FE_LANES - 1) / FE_LANES;
    memset(b->scalar, 0, sizeof(b->scalar));
    memset(b->point, 0, sizeof(b->point));
    for (size_t i = 0; i < count; i++)
        copy_clamped(b->scalar[i], scalar[i]);
    if (point != NULL)
        memcpy(b->point, point, 32 * count);
    for (size_t i = 0; i < groups; i++) {
        const uint8_t(*lanes)[32] = (const uint8_t(*)[32])b->scalar + i * FE_LANES;
        if (point == NULL)
            climb_base(&b->numerator[i], &b->denominator[i], lanes);
        else
            climb(&b->numerator[i], &b->denominator[i], lanes,
                  (const uint8_t(*)[32])b->point + i * FE_LANES);
    }
    sp_fe_invert_batch(b->denominator, b->scratch, groups);
    for (size_t i = 0; i < groups; i++) {
        const struct fe u = fe_mul(&b->numerator[i], &b->denominator[i]);
        sp_fe_store(b->point + i * FE_LANES, &u);
    }
    memcpy(out, b->point, 32 * count);
}

static void run_all(uint8_t (*out)[32], const uint8_t (*scalar)[32], const uint8_t (*point)[32],
                    size_t count)
{
    struct batch batch;
    for (size_t done = 0; done < count;) {
        const size_t now = count - done < KEYS_MAX ? count - done : KEYS_MAX;
        run(&batch, out + done, scalar + done, point == NULL ? NULL : point + done, now);
        done += now;
    }
    sp_wipe(&batch, sizeof(batch));
    sodium_stackzero(STACK_BYTES);
}

void sp_x25519_avx512(uint8_t (*out)[32], const uint8_t (*scalar)[32], const uint8_t (*point)[32],
                      size_t count)
{
    run_all(out, scalar, point, count);
}

void sp_x25519_base_avx512(uint8_t (*out)[32], const uint8_t (*scalar)[32], size_t count)
{
    run_all(out, scalar, NULL, count);
}
