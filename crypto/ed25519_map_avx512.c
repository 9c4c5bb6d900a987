// Ed25519 public keys to X25519 ones, sixteen at once, by u = (1 + y) / (1 − y) (RFC 7748 section
// 4.1), for keys of the prime-order subgroup only. Any thread; the keys are public. Never
// allocates.
//
// The curve has 8L points and a point of order 8, so the subgroup is the set of the points that are
// eight times a point: P = 2Q and Q = 4·(another). No point is multiplied to find out; on
// v^2 = u^3 + A·u^2 + u, P = (u, v) is judged by roots in the field:
//
// 1. Doubling is a 2-isogeny after its dual, through v^2 = x^3 − 2A·x^2 + (A^2 − 4)·x. A dual
//    preimage of P has x + (A^2 − 4)/x = 2A + 4u, so
//        x = A + 2u ± 2s, s^2 = u^2 + A·u + 1,
//    and there is one if and only if u is a square. The two x have the product A^2 − 4, which is no
//    square, so exactly one of them is a square e^2, and that is the one with a preimage Q on our
//    side: u_Q + 1/u_Q = x − A and v_Q = e·u_Q. The other Q of the same double is Q + (0, 0), which
//    is of the next step's kind if and only if Q is, because (0, 0) is four times a point.
//    That u is a square and s exists also says that P is on the curve: v^2 = u·s^2.
// 2. Q is four times a point if and only if its Tate pairing with a point of order 4, here
//    (1, c) with c^2 = A + 2, is 1. The function with four zeros there and its poles at infinity is
//    (v − c·u)^2/u, because the tangent v = c·u goes on through (0, 0). So it is
//        (u_Q·(e − c)^2)^((p − 1)/4) = 1.
//
// Points of small order, where these have zeros and poles, are refused before. Sources: Silverman,
// The Arithmetic of Elliptic Curves, sections X.4 and XI.8; Koshelev, "Subgroup membership testing
// on elliptic curves via the Tate pairing"; Pornin, "Point-Halving and Subgroup Membership in
// Twisted Edwards Curves".
#include <string.h>

#include "ed25519_avx512.h"
#include "ge25519_avx512.h"
#include "internal.h"

#define A 486662u
#define OCTETS 2u // in flight: one chain of squares leaves half of the multipliers idle
#define KEYS_MAX (OCTETS * FE_LANES)

// a^((p − 5)/8), and a^((p − 1)/4): ±1 of a square, ±√−1 of any other number but 0.
struct power {
    struct fe p58, quarter;
};

// Eight keys on their way.
struct octet {
    struct fe u, s;
    struct fe x, e;
    __mmask8 ok;
};

static struct power complete(const struct fe *a, const struct fe *p58)
{
    const struct fe squared = fe_square(p58);
    return (struct power){*p58, fe_mul(&squared, a)};
}

// Two at once: a chain of squares is long and narrow.
static void raise(struct power out[2], const struct fe *a, const struct fe *b)
{
    const struct fe_pair pair = {*a, *b}, p58 = sp_fe_pow_p58(&pair);
    out[0] = complete(a, &p58.a);
    out[1] = complete(b, &p58.b);
}

static __mmask8 is_one(const struct fe *a)
{
    const struct fe one = fe_small(1);
    return sp_fe_is_equal(a, &one);
}

static __mmask8 is_minus_one(const struct fe *a)
{
    const struct fe one = fe_small(1), sum = fe_add(a, &one);
    return sp_fe_is_zero(&sum);
}

static struct fe mul_sqrt_minus_1(__mmask8 mask, const struct fe *a)
{
    const struct fe root = fe_sqrt_minus_1(), product = fe_mul(a, &root);
    return fe_select(mask, a, &product);
}

// A root of a where it is a square, which is told.
static __mmask8 find_root(struct fe *out, const struct fe *a, const struct power *power)
{
    const struct fe root = fe_mul(a, &power->p58);
    const __mmask8 other = is_minus_one(&power->quarter);
    *out = mul_sqrt_minus_1(other, &root);
    return is_one(&power->quarter) | other;
}

// u and s, with u = N/D for N = 1 + y and D = 1 − y; of what is no square they do not matter.
static void map(struct octet *o, const uint8_t key[FE_LANES][32])
{
    const struct fe y = sp_fe_load(key), one = fe_small(1);
    const struct fe n = fe_add(&one, &y), d = fe_sub(&one, &y), nd = fe_mul(&n, &d);
    const struct fe n_squared = fe_square(&n), sum = fe_add(&n, &d);
    // N^2 + A·N·D + D^2 = (N + D)^2 + (A − 2)·N·D
    const struct fe sum_squared = fe_square(&sum), rest = fe_mul_small(&nd, A - 2);
    const struct fe quadratic = fe_add(&sum_squared, &rest);
    struct power power[2];
    struct fe root;
    raise(power, &nd, &quadratic);
    const __mmask8 found = find_root(&root, &quadratic, &power[1]);
    // Of a square N·D: (N·D)^−1 = ((N·D)^((p − 5)/8))^2 · (N·D)^((p − 1)/4), this being ±1.
    const struct fe squared = fe_square(&power[0].p58);
    const struct fe nd_inverse = fe_mul(&squared, &power[0].quarter);
    const struct fe d_inverse = fe_mul(&nd_inverse, &n);
    o->u = fe_mul(&n_squared, &nd_inverse);
    o->s = fe_mul(&root, &d_inverse);
    o->ok = found & (is_one(&power[0].quarter) | is_minus_one(&power[0].quarter));
    o->ok &= (__mmask8)~sp_ge_is_small_order(&y);
}

// The first candidate for x: A + 2u + 2s.
static struct fe find_candidate(const struct octet *o)
{
    const struct fe a = fe_small(A), sum = fe_add(&o->u, &o->s), twice = fe_add(&sum, &sum);
    return fe_add(&a, &twice);
}

// e, the root of x or else of (A^2 − 4)/x. With r = x^((p − 5)/8) and i = √−1: x·r is a root of
// ±x if r^2·x = ±1. If that is ±i, then r^4 = −1/x^2 and (x·r·r^2)^2 = ±i/x · (−1), of which a
// root of i·(A^2 − 4) makes a root of ±(A^2 − 4)/x.
static void halve(struct octet *o, const struct fe *x, const struct power *power)
{
    const struct fe factor = fe_constant(0x48BEFA14B6386, 0x3D8B4D0D98017, 0x40E99219F1A86,
                                         0x5F873E60F4E67, 0x797F018B3B0EE);
    const struct fe root = fe_mul(x, &power->p58), squared = fe_square(&power->p58);
    const struct fe cubed = fe_mul(&root, &squared), other = fe_mul(&cubed, &factor);
    const struct fe i = fe_sqrt_minus_1();
    const struct fe minus_i = fe_neg(&i);
    const __mmask8 is_minus = is_minus_one(&power->quarter);
    const __mmask8 is_square = is_one(&power->quarter) | is_minus;
    const __mmask8 is_minus_i = sp_fe_is_equal(&power->quarter, &minus_i);
    const struct fe e = fe_select(is_square, &other, &root);
    o->e = mul_sqrt_minus_1(is_minus | is_minus_i, &e);
    o->x = fe_square(&o->e);
}

// (x − A)^2 − 4, the square of u_Q − 1/u_Q.
static struct fe find_discriminant(const struct octet *o)
{
    const struct fe a = fe_small(A), four = fe_small(4), sum = fe_sub(&o->x, &a);
    const struct fe squared = fe_square(&sum);
    return fe_sub(&squared, &four);
}

// 16·u_Q·(e − c)^2; 16 is a fourth power.
static struct fe find_pairing(const struct octet *o, const struct fe *discriminant,
                              const struct power *power)
{
    const struct fe a = fe_small(A);
    const struct fe c = fe_constant(0x248EF9C884415, 0x0E509526C7D34, 0x7D29BBD8D6847,
                                    0x157E10FD3BD6B, 0x6BE4F497F9A9C);
    struct fe root;
    (void)find_root(&root, discriminant, power);
    const struct fe sum = fe_sub(&o->x, &a), twice_u = fe_add(&sum, &root);
    const struct fe difference = fe_sub(&o->e, &c), squared = fe_square(&difference);
    const struct fe product = fe_mul(&twice_u, &squared);
    return fe_mul_small(&product, 8);
}

// Exactly sixteen keys.
static void map_all(struct octet o[OCTETS], const uint8_t (*key)[32])
{
    struct power power[OCTETS];
    struct fe value[OCTETS];
    for (size_t i = 0; i < OCTETS; i++) {
        map(&o[i], key + i * FE_LANES);
        value[i] = find_candidate(&o[i]);
    }
    raise(power, &value[0], &value[1]);
    for (size_t i = 0; i < OCTETS; i++) {
        halve(&o[i], &value[i], &power[i]);
        value[i] = find_discriminant(&o[i]);
    }
    raise(power, &value[0], &value[1]);
    for (size_t i = 0; i < OCTETS; i++)
        value[i] = find_pairing(&o[i], &value[i], &power[i]);
    raise(power, &value[0], &value[1]);
    for (size_t i = 0; i < OCTETS; i++)
        o[i].ok &= is_one(&power[i].quarter);
}

void sp_ed25519_to_x25519_avx512(uint8_t (*out)[32], const uint8_t (*public_key)[32], size_t count,
                                 bool *ok)
{
    uint8_t bytes[KEYS_MAX][32] = {{0}}; // y = 0 has a small order: no key
    struct octet octet[OCTETS];
    for (size_t done = 0; done < count;) {
        const size_t now = count - done < KEYS_MAX ? count - done : KEYS_MAX;
        memcpy(bytes, public_key + done, 32 * now);
        map_all(octet, (const uint8_t(*)[32])bytes);
        for (size_t i = 0; i < OCTETS; i++) {
            const struct fe zero = fe_small(0), u = fe_select(octet[i].ok, &zero, &octet[i].u);
            sp_fe_store(bytes + i * FE_LANES, &u);
        }
        for (size_t i = 0; i < now; i++)
            ok[done + i] = (octet[i / FE_LANES].ok >> i % FE_LANES & 1) != 0;
        memcpy(out + done, bytes, 32 * now);
        done += now;
    }
}
