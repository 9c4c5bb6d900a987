// Eight elements of GF(2^255 - 19) against OpenSSL's integers: random ones, ones at the limits, and
// limbs as large as the bounds allow, with the bounds of what comes out.
#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <string.h>

#include "fe25519_avx512.h"
#include "internal.h"

#define ROUNDS 200
#define OPERAND_LIMIT ((1ull << 51) + (1ull << 18))
#define PRODUCT_LIMIT (1ull << 59)

static BIGNUM *prime;
static BN_CTX *ctx;

static void start(void)
{
    if (!sp_cpu_has_avx512())
        cr_skip_test("this CPU has no avx512");
    ctx = BN_CTX_new();
    prime = BN_new();
    cr_assert(BN_set_bit(prime, 255) && BN_sub_word(prime, 19));
    cr_assert_eq(sp_init(), 0);
}

static void stop(void)
{
    BN_free(prime);
    BN_CTX_free(ctx);
}

TestSuite(fe, .init = start, .fini = stop);

// ---- the lanes as integers ----------------------------------------------------------------------

static uint64_t get(const __m512i *limb, size_t i, size_t lane)
{
    uint64_t lanes[FE_LANES];
    _mm512_storeu_si512(lanes, limb[i]);
    return lanes[lane];
}

static void set(__m512i *limb, size_t i, size_t lane, uint64_t value)
{
    uint64_t lanes[FE_LANES];
    _mm512_storeu_si512(lanes, limb[i]);
    lanes[lane] = value;
    limb[i] = _mm512_loadu_si512(lanes);
}

static BIGNUM *read_lane(const __m512i *limb, size_t lane)
{
    BIGNUM *sum = BN_new();
    for (size_t i = FE_LIMBS; i-- > 0;) {
        cr_assert(BN_lshift(sum, sum, FE_LIMB_BITS));
        cr_assert(BN_add_word(sum, get(limb, i, lane)));
    }
    cr_assert(BN_nnmod(sum, sum, prime, ctx));
    return sum;
}

static void expect_below(const __m512i *limb, uint64_t limit)
{
    for (size_t i = 0; i < FE_LIMBS; i++) {
        for (size_t lane = 0; lane < FE_LANES; lane++)
            cr_assert_lt(get(limb, i, lane), limit, "limb %zu of lane %zu", i, lane);
    }
}

// result = a (op) b in every lane; op leaves it in r, which begins as a.
typedef int operation(BIGNUM *r, const BIGNUM *b);

static void expect(const __m512i *result, operation *op, const __m512i *a, const __m512i *b)
{
    for (size_t lane = 0; lane < FE_LANES; lane++) {
        BIGNUM *x = read_lane(a, lane), *y = read_lane(b, lane), *r = read_lane(result, lane);
        cr_assert(op(x, y) && BN_nnmod(x, x, prime, ctx));
        cr_assert_eq(BN_cmp(x, r), 0, "lane %zu", lane);
        BN_free(x);
        BN_free(y);
        BN_free(r);
    }
}

static int mul(BIGNUM *r, const BIGNUM *b)
{
    return BN_mul(r, r, b, ctx);
}

static int square(BIGNUM *r, const BIGNUM *b)
{
    (void)b;
    return BN_sqr(r, r, ctx);
}

static int add(BIGNUM *r, const BIGNUM *b)
{
    return BN_add(r, r, b);
}

static int sub(BIGNUM *r, const BIGNUM *b)
{
    return BN_sub(r, r, b);
}

static int neg(BIGNUM *r, const BIGNUM *b)
{
    (void)b;
    BN_set_negative(r, !BN_is_zero(r));
    return 1;
}

static int copy(BIGNUM *r, const BIGNUM *b)
{
    (void)b;
    return r != NULL;
}

static int times_121666(BIGNUM *r, const BIGNUM *b)
{
    (void)b;
    return BN_mul_word(r, 121666);
}

static int times_largest(BIGNUM *r, const BIGNUM *b)
{
    (void)b;
    return BN_mul_word(r, (1u << 20) - 1);
}

// Of zero, zero.
static int invert(BIGNUM *r, const BIGNUM *b)
{
    (void)b;
    return BN_is_zero(r) || BN_mod_inverse(r, r, prime, ctx) != NULL;
}

static int pow_p58(BIGNUM *r, const BIGNUM *b)
{
    (void)b;
    BIGNUM *exponent = BN_dup(prime);
    const int done = BN_sub_word(exponent, 5) && BN_rshift(exponent, exponent, 3) &&
                     BN_mod_exp(r, r, exponent, prime, ctx);
    BN_free(exponent);
    return done;
}

// Limbs of any operand: random, full, at the bound, or nothing.
static struct fe random_operand(void)
{
    struct fe out = fe_small(0);
    uint64_t random[2 * FE_LIMBS * FE_LANES];
    cr_assert_eq(sp_random((uint8_t *)random, sizeof(random)), 0);
    for (size_t i = 0; i < FE_LIMBS; i++) {
        for (size_t lane = 0; lane < FE_LANES; lane++) {
            const uint64_t *r = random + 2 * (FE_LANES * i + lane);
            const uint64_t choice[] = {r[0] & FE_LIMB_MASK,
                                       r[0] & FE_LIMB_MASK,
                                       FE_LIMB_MASK,
                                       OPERAND_LIMIT - 1,
                                       FE_LIMB_MASK - 18,
                                       r[0] & 0xFF,
                                       0,
                                       0};
            set(out.limb, i, lane, choice[r[1] % 8]);
        }
    }
    return out;
}

static struct fe largest_operand(void)
{
    const long long l = OPERAND_LIMIT - 1;
    return fe_constant(l, l, l, l, l);
}

static struct fe_wide all_lanes(uint64_t value)
{
    const long long v = (long long)value;
    const struct fe a = fe_constant(v, v, v, v, v);
    return fe_widen(&a);
}

// ---- sums and products --------------------------------------------------------------------------

static void check_operations(const struct fe *a, const struct fe *b)
{
    const struct fe_wide product = fe_mul_wide(a, b), squared = fe_square_wide(a);
    const struct fe_wide small = fe_mul_small_wide(a, (1u << 20) - 1);
    expect(product.limb, mul, a->limb, b->limb);
    expect_below(product.limb, PRODUCT_LIMIT);
    expect(squared.limb, square, a->limb, a->limb);
    expect_below(squared.limb, PRODUCT_LIMIT);
    expect(small.limb, times_largest, a->limb, a->limb);
    expect_below(small.limb, 1ull << 53);
    const struct {
        struct fe result;
        operation *op;
    } each[] = {
        {fe_mul(a, b), mul},       {fe_square(a), square},  {fe_add(a, b), add},
        {fe_sub(a, b), sub},       {fe_neg(a), neg},        {fe_mul_small(a, 121666), times_121666},
        {fe_carry(&product), mul}, {sp_fe_reduce(a), copy},
    };
    for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
        expect(each[i].result.limb, each[i].op, a->limb, b->limb);
        expect_below(each[i].result.limb, OPERAND_LIMIT);
    }
}

Test(fe, operations_agree_with_integers)
{
    for (int i = 0; i < ROUNDS; i++) {
        const struct fe a = random_operand(), b = random_operand();
        check_operations(&a, &b);
    }
}

Test(fe, operations_hold_at_the_largest_operands)
{
    const struct fe largest = largest_operand(), zero = fe_small(0), one = fe_small(1);
    check_operations(&largest, &largest);
    check_operations(&largest, &zero);
    check_operations(&zero, &largest);
    check_operations(&one, &largest);
}

// What comes out of one goes into the next, as long as a ladder is.
Test(fe, operations_hold_in_a_long_chain)
{
    struct fe a = largest_operand();
    const struct fe b = largest_operand();
    for (int i = 0; i < 1000; i++) {
        const struct fe before = a;
        const struct fe_wide product = fe_mul_wide(&a, &b), squared = fe_square_wide(&a);
        const struct fe_wide sum = fe_wide_add(&product, &squared);
        const struct fe_wide difference = fe_wide_sub(&sum, &product);
        a = fe_carry(&difference);
        expect(a.limb, square, before.limb, before.limb);
        expect_below(a.limb, OPERAND_LIMIT);
    }
}

Test(fe, carry_takes_any_lanes)
{
    const struct fe_wide wide = all_lanes(UINT64_MAX);
    const struct fe carried = fe_carry(&wide);
    expect(carried.limb, copy, wide.limb, wide.limb);
    expect_below(carried.limb, OPERAND_LIMIT);
}

Test(fe, wide_sub_holds_at_its_bounds)
{
    const uint64_t a_limit = 1ull << 63, b_limit = (1ull << 61) - (1ull << 15);
    const struct fe_wide zero = all_lanes(0), a = all_lanes(a_limit - 1),
                         b = all_lanes(b_limit - 1);
    const struct fe_wide least = fe_wide_sub(&zero, &b), most = fe_wide_sub(&a, &zero);
    expect(least.limb, sub, zero.limb, b.limb);
    expect(most.limb, copy, a.limb, a.limb);
    expect_below(least.limb, 1ull << 61);
    expect_below(most.limb, a_limit + (1ull << 61));
}

// ---- powers -------------------------------------------------------------------------------------

Test(fe, invert_and_pow_agree_with_integers)
{
    for (int i = 0; i < 10; i++) {
        const struct fe a = i == 0 ? fe_small(0) : random_operand();
        const struct fe_pair pair = {a, random_operand()}, power = sp_fe_pow_p58(&pair);
        const struct fe inverse = sp_fe_invert(&a);
        expect(inverse.limb, invert, a.limb, a.limb);
        expect(power.a.limb, pow_p58, pair.a.limb, pair.a.limb);
        expect(power.b.limb, pow_p58, pair.b.limb, pair.b.limb);
    }
}

// With zeros in some lanes of some, which may not spoil the others; p is zero too.
Test(fe, invert_batch_agrees_with_integers)
{
    struct fe a[9], before[9], scratch[9];
    for (size_t count = 0; count <= 9; count++) {
        for (size_t i = 0; i < count; i++) {
            const struct fe zero = fe_small(0), random = random_operand();
            const struct fe p = fe_constant(FE_LIMB_MASK - 18, FE_LIMB_MASK, FE_LIMB_MASK,
                                            FE_LIMB_MASK, FE_LIMB_MASK);
            a[i] = fe_select((__mmask8)(1 << i), &random, i % 2 == 0 ? &zero : &p);
            before[i] = a[i];
        }
        sp_fe_invert_batch(a, scratch, count);
        for (size_t i = 0; i < count; i++)
            expect(a[i].limb, invert, before[i].limb, before[i].limb);
    }
}

// ---- bytes and predicates -----------------------------------------------------------------------

static void fill_bytes(uint8_t bytes[FE_LANES][32])
{
    cr_assert_eq(sp_random(bytes[0], FE_LANES * 32), 0);
    for (size_t lane = 0; lane < FE_LANES; lane++) {
        if (bytes[lane][1] % 2 == 0) // around p, where the lowest byte is all that differs
            memset(bytes[lane] + 1, 0xFF, 31);
    }
}

Test(fe, load_and_store_agree_with_integers)
{
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t bytes[FE_LANES][32], stored[FE_LANES][32], expected[32];
        fill_bytes(bytes);
        const struct fe a = sp_fe_load((const uint8_t(*)[32])bytes);
        const __mmask8 canonical = sp_fe_is_canonical(&a), odd = sp_fe_is_negative(&a);
        expect_below(a.limb, 1ull << 51);
        sp_fe_store(stored, &a);
        for (size_t lane = 0; lane < FE_LANES; lane++) {
            bytes[lane][31] &= 0x7F;
            BIGNUM *n = BN_lebin2bn(bytes[lane], 32, NULL);
            cr_assert_eq(canonical >> lane & 1, BN_cmp(n, prime) < 0);
            cr_assert(BN_nnmod(n, n, prime, ctx));
            cr_assert_eq(odd >> lane & 1, BN_is_odd(n));
            cr_assert_eq(BN_bn2lebinpad(n, expected, 32), 32);
            cr_assert_arr_eq(stored[lane], expected, 32);
            BN_free(n);
        }
    }
}

Test(fe, reduce_gives_the_one_representation)
{
    for (int i = 0; i < ROUNDS; i++) {
        const struct fe a = i == 0 ? largest_operand() : random_operand();
        const struct fe r = sp_fe_reduce(&a);
        expect(r.limb, copy, a.limb, a.limb);
        expect_below(r.limb, 1ull << 51);
        cr_assert_eq(sp_fe_is_canonical(&r), 0xFF);
    }
}

Test(fe, is_equal_knows_every_representation)
{
    for (int i = 0; i < ROUNDS; i++) {
        const struct fe a = random_operand(), b = random_operand(), one = fe_small(1);
        const struct fe difference = fe_sub(&a, &b), again = fe_add(&difference, &b);
        const struct fe other = fe_add(&a, &one), nothing = fe_sub(&again, &a);
        cr_assert_eq(sp_fe_is_equal(&a, &again), 0xFF);
        cr_assert_eq(sp_fe_is_equal(&a, &other), 0);
        cr_assert_eq(sp_fe_is_zero(&nothing), 0xFF);
        cr_assert_eq(sp_fe_is_zero(&one), 0);
    }
}

Test(fe, select_and_swap_obey_every_mask)
{
    const struct fe a = random_operand(), b = random_operand();
    for (unsigned mask = 0; mask < 256; mask++) {
        struct fe first = a, second = b;
        const struct fe chosen = fe_select((__mmask8)mask, &a, &b);
        fe_swap((__mmask8)mask, &first, &second);
        for (size_t i = 0; i < FE_LIMBS * FE_LANES; i++) {
            const size_t limb = i / FE_LANES, lane = i % FE_LANES;
            const uint64_t in_a = get(a.limb, limb, lane), in_b = get(b.limb, limb, lane);
            const bool taken = (mask >> lane & 1) != 0;
            cr_assert_eq(get(chosen.limb, limb, lane), taken ? in_b : in_a);
            cr_assert_eq(get(first.limb, limb, lane), taken ? in_b : in_a);
            cr_assert_eq(get(second.limb, limb, lane), taken ? in_a : in_b);
        }
    }
}

// ---- bits of words ------------------------------------------------------------------------------

Test(fe, words_from_reads_at_every_bit)
{
    uint8_t bytes[FE_LANES][32];
    fill_bytes(bytes);
    const struct fe_words words = sp_fe_load_words((const uint8_t(*)[32])bytes);
    for (unsigned from = 0; from < 320; from++) {
        const __m512i read = fe_words_from(&words, from);
        for (size_t lane = 0; lane < FE_LANES; lane++) {
            uint64_t expected = 0;
            for (unsigned i = from; i < from + 64 && i < 256; i++)
                expected |= (uint64_t)(bytes[lane][i / 8] >> i % 8 & 1) << (i - from);
            cr_assert_eq(get(&read, 0, lane), expected, "bit %u, lane %zu", from, lane);
        }
    }
}
