// Eight points of the curve of Ed25519 at once, one in each lane: −x² + y² = 1 + d·x²·y² over the
// field of fe25519_avx512.h. Any thread. Nothing here branches on a value or indexes by one.
//
// The formulas are complete: they hold for every two points of the curve, the identity, equal and
// opposite ones and those of small order among them. Source: RFC 8032 section 5.1.4; Hisil, Wong,
// Carter, Dawson, "Twisted Edwards Curves Revisited", sections 3.1 to 3.3.
//
// A sum first comes as the four factors its coordinates are made of, because how many of the
// products are needed is the next operation's affair: a doubling does without t.
//
//     struct ge ──→ ge_double, or ge_cache and ge_add ──→ struct ge_factors
//        ↑                                                    │
//        └──────── ge_complete, ge_complete_without_t ←───────┘
#ifndef SEALCRYPTO_GE25519_AVX512_H
#define SEALCRYPTO_GE25519_AVX512_H

#include "fe25519_avx512.h"

// x = X/Z, y = Y/Z, T = XY/Z; Z is never zero.
struct ge {
    struct fe x, y, z, t;
};

// X = ef, Y = gh, Z = fg, T = eh
struct ge_factors {
    struct fe e, f, g, h;
};

// A point made ready to be added.
struct ge_cached {
    struct fe y_plus_x, y_minus_x, double_z, t_2d; // Y + X, Y − X, 2Z, 2dT
};

// The same with Z = 1: one product less to add.
struct ge_affine {
    struct fe y_plus_x, y_minus_x, t_2d;
};

FE_INLINE struct fe ge_d(void)
{
    return fe_constant(0x34DCA135978A3, 0x1A8283B156EBD, 0x5E7A26001C029, 0x739C663A03CBB,
                       0x52036CEE2B6FF);
}

FE_INLINE struct fe ge_2d(void)
{
    return fe_constant(0x69B9426B2F159, 0x35050762ADD7A, 0x3CF44C0038052, 0x6738CC7407977,
                       0x2406D9DC56DFF);
}

FE_INLINE struct ge ge_identity(void)
{
    return (struct ge){fe_small(0), fe_small(1), fe_small(1), fe_small(0)};
}

// Four products.
FE_INLINE struct ge ge_complete(const struct ge_factors *a)
{
    return (struct ge){fe_mul(&a->e, &a->f), fe_mul(&a->g, &a->h), fe_mul(&a->f, &a->g),
                       fe_mul(&a->e, &a->h)};
}

// Three products: enough before a doubling, or at the end. t is zero, and wrong.
FE_INLINE struct ge ge_complete_without_t(const struct ge_factors *a)
{
    return (struct ge){fe_mul(&a->e, &a->f), fe_mul(&a->g, &a->h), fe_mul(&a->f, &a->g),
                       fe_small(0)};
}

FE_INLINE struct ge_cached ge_cache(const struct ge *a)
{
    const struct fe t_2d = ge_2d();
    return (struct ge_cached){fe_add(&a->y, &a->x), fe_sub(&a->y, &a->x), fe_add(&a->z, &a->z),
                              fe_mul(&a->t, &t_2d)};
}

FE_INLINE struct ge_affine ge_affine_identity(void)
{
    return (struct ge_affine){fe_small(1), fe_small(1), fe_small(0)};
}

// The end of all additions, from double_zz = 2·Z1·Z2 with lanes below 2^60. To negate the second
// point is to exchange y + x with y − x, and to negate its t, which exchanges f with g.
FE_INLINE struct ge_factors ge_add_to(const struct ge *a, const struct ge_affine *b,
                                      __mmask8 negate, const struct fe_wide *double_zz)
{
    const struct fe y_plus_x = fe_add(&a->y, &a->x), y_minus_x = fe_sub(&a->y, &a->x);
    const struct fe b_plus = fe_select(negate, &b->y_plus_x, &b->y_minus_x);
    const struct fe b_minus = fe_select(negate, &b->y_minus_x, &b->y_plus_x);
    const struct fe_wide plus = fe_mul_wide(&y_plus_x, &b_plus);
    const struct fe_wide minus = fe_mul_wide(&y_minus_x, &b_minus);
    const struct fe_wide tt_2d = fe_mul_wide(&a->t, &b->t_2d);
    const struct fe_wide e = fe_wide_sub(&plus, &minus), h = fe_wide_add(&plus, &minus);
    const struct fe_wide f = fe_wide_sub(double_zz, &tt_2d), g = fe_wide_add(double_zz, &tt_2d);
    struct ge_factors out = {fe_carry(&e), fe_carry(&f), fe_carry(&g), fe_carry(&h)};
    fe_swap(negate, &out.f, &out.g);
    return out;
}

// a + b, or a − b in the lanes where `negate` has a one. Four products. Reads all of a.
FE_INLINE struct ge_factors ge_add(const struct ge *a, const struct ge_cached *b, __mmask8 negate)
{
    const struct ge_affine rest = {b->y_plus_x, b->y_minus_x, b->t_2d};
    const struct fe_wide double_zz = fe_mul_wide(&a->z, &b->double_z);
    return ge_add_to(a, &rest, negate, &double_zz);
}

// The same in three products.
FE_INLINE struct ge_factors ge_add_affine(const struct ge *a, const struct ge_affine *b,
                                          __mmask8 negate)
{
    const struct fe_wide z = fe_widen(&a->z), double_z = fe_wide_add(&z, &z);
    return ge_add_to(a, b, negate, &double_z);
}

// Four squares. Does not read a->t. All four factors have the opposite sign of the usual ones,
// which no coordinate shows.
FE_INLINE struct ge_factors ge_double(const struct ge *a)
{
    const struct fe x_plus_y = fe_add(&a->x, &a->y);
    const struct fe_wide xx = fe_square_wide(&a->x), yy = fe_square_wide(&a->y);
    const struct fe_wide zz = fe_square_wide(&a->z), square = fe_square_wide(&x_plus_y);
    const struct fe_wide h = fe_wide_add(&xx, &yy), e = fe_wide_sub(&h, &square);
    const struct fe_wide g = fe_wide_sub(&xx, &yy), double_zz = fe_wide_add(&zz, &zz);
    const struct fe_wide f = fe_wide_add(&double_zz, &g);
    return (struct ge_factors){fe_carry(&e), fe_carry(&f), fe_carry(&g), fe_carry(&h)};
}

// ---- encoded points -----------------------------------------------------------------------------

// Which of these y are those of points of small order: 0, ±1, and ±y of the points of order 8.
__mmask8 sp_ge_is_small_order(const struct fe *y);

// y as sp_fe_load left it, and the lanes in which x shall be odd.
struct ge_encoded {
    struct fe y;
    __mmask8 odd;
};
// The points of two encodings, with Z = 1; found[i] tells the lanes of out[i] that have one.
// Source: RFC 8032 section 5.1.3, but a y from p on and an odd x = 0 are the caller's affair.
void sp_ge_decode_pair(struct ge out[2], __mmask8 found[2], const struct ge_encoded in[2]);

// ---- multiples of the base point ----------------------------------------------------------------

// Compute their table; by sp_init only, under its lock.
void sp_ge_init_base(void);
// out = scalar · B, for any 256-bit little-endian scalars: constant-time, no clamping, no
// reduction.
void sp_ge_mul_base(struct ge *out, const uint8_t scalar[FE_LANES][32]);

#endif
