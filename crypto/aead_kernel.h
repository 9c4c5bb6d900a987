// AES-256-GCM (FIPS 197, NIST SP 800-38D) over vectors of 128-bit lanes: GHASH, key schedule and
// prepared keys, common to both shapes of the kernel. Not a header to share: each tier's file
// defines its vector (`vec`, LANES, CHUNK_VECTORS and the primitives) and then includes this.
// Nothing here branches on a secret nor indexes by one.
//
// GHASH here: a block is byte-reversed, so that bit i of its 128 is the coefficient of x^(127−i).
// The plain product of two such numbers is one place short of the product in this order; hence
// each power of H is kept divided by x, and a product comes out right.
#ifndef SEALCRYPTO_AEAD_KERNEL_H
#define SEALCRYPTO_AEAD_KERNEL_H

#define CHUNK_BYTES (CHUNK_VECTORS * VECTOR_BYTES)
#define CHUNK_BLOCKS (CHUNK_VECTORS * LANES)
#define LINE_BYTES 64u

#define ROUND_KEYS 15u
#define POWERS (CHUNK_BLOCKS + 1) // of a chunk's blocks and the block of lengths

// A prepared key, whole cache lines. The powers come first: a vector of them may reach past the
// last one (against blocks that are zero), and what follows is then still ours. H^1 and the round
// keys make whole vectors.
struct state {
    __m128i power[POWERS]; // power[i] = H^(POWERS−i) / x
    __m128i round[ROUND_KEYS];
};
_Static_assert(sizeof(struct state) % LINE_BYTES == 0, "a key, whole cache lines");

// A sum of products before its reduction, in each lane: coefficients from bit 0, bit 64, bit 128.
struct sum {
    vec low, middle, high;
};

// ---- GHASH --------------------------------------------------------------------------------------

INLINE vec reverse_blocks(vec blocks)
{
    return shuffle_bytes(blocks, splat(_mm_set_epi64x(0x0001020304050607ll, 0x08090A0B0C0D0E0Fll)));
}

INLINE vec zero_vec(void)
{
    return (vec){0};
}

INLINE struct sum zero_sum(void)
{
    const vec zero = zero_vec();
    return (struct sum){zero, zero, zero};
}

// Four multiplications and few instructions, for where rounds of the cipher run beside.
INLINE void add_product(struct sum *sum, vec a, vec b)
{
    sum->low = settle(xor_vec(sum->low, multiply_low(a, b)));
    sum->high = settle(xor_vec(sum->high, multiply_high(a, b)));
    sum->middle = settle(xor3_vec(sum->middle, multiply_low_high(a, b), multiply_high_low(a, b)));
}

// a × b + c × d, which takes fewer additions.
INLINE void add_two_products(struct sum *sum, vec a, vec b, vec c, vec d)
{
    sum->low = settle(xor3_vec(sum->low, multiply_low(a, b), multiply_low(c, d)));
    sum->high = settle(xor3_vec(sum->high, multiply_high(a, b), multiply_high(c, d)));
    sum->middle = settle(xor3_vec(sum->middle, multiply_low_high(a, b), multiply_high_low(a, b)));
    sum->middle = settle(xor3_vec(sum->middle, multiply_low_high(c, d), multiply_high_low(c, d)));
}

INLINE vec halves(vec v)
{
    return xor_vec(v, swap_halves(v));
}

// Karatsuba: three multiplications, for where they are what there is most of. `middle` collects the
// products of the sums of halves; reduce_each_3 is what knows.
INLINE void add_product_3(struct sum *sum, vec a, vec b)
{
    sum->low = settle(xor_vec(sum->low, multiply_low(a, b)));
    sum->high = settle(xor_vec(sum->high, multiply_high(a, b)));
    sum->middle = settle(xor_vec(sum->middle, multiply_low(halves(a), halves(b))));
}

// Modulo x^128 + x^7 + x^2 + x + 1, in reversed order: 64 coefficients from the low end are cleared
// by adding the modulus times them, then the next 64.
INLINE vec reduce(vec low, vec high)
{
    const vec modulus = splat(_mm_set_epi64x(0, (long long)0xC200000000000000ull));
    const vec first = xor_vec(swap_halves(low), multiply_low(low, modulus));
    return xor3_vec(high, swap_halves(first), multiply_low(first, modulus));
}

// Each lane for itself.
INLINE vec reduce_each(const struct sum *sum)
{
    return reduce(xor_vec(sum->low, low_to_high(sum->middle)),
                  xor_vec(sum->high, high_to_low(sum->middle)));
}

INLINE vec reduce_each_3(const struct sum *sum)
{
    struct sum four = *sum;
    four.middle = xor3_vec(sum->middle, sum->low, sum->high);
    return reduce_each(&four);
}

// All lanes together, in lane 0; the others are zero.
INLINE vec reduce_lanes(const struct sum *sum)
{
    return reduce(sum_lanes(xor_vec(sum->low, low_to_high(sum->middle))),
                  sum_lanes(xor_vec(sum->high, high_to_low(sum->middle))));
}

INLINE vec multiply(vec a, vec b)
{
    struct sum sum = zero_sum();
    add_product_3(&sum, a, b);
    return reduce_each_3(&sum);
}

// The cross products cancel.
INLINE vec square(vec a)
{
    return reduce(multiply_low(a, a), multiply_high(a, a));
}

INLINE vec divide_by_x(vec a)
{
    const vec wrapped = spread_sign(spread_last_word(a)); // all ones or none
    const vec shifted = or_vec(double_halves(a), low_to_high(top_bits(a)));
    const vec modulus = splat(_mm_set_epi64x((long long)0xC200000000000000ull, 1));
    return xor_vec(shifted, and_vec(wrapped, modulus));
}

INLINE __m128i lengths_block(const struct sp_aead_job *job)
{
    return _mm_set_epi64x((long long)job->ad_len * 8, (long long)job->len * 8);
}

INLINE size_t count_blocks(size_t len)
{
    return (len + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

// Inline, for what is a few vectors.
INLINE void wipe_vectors(vec *secret, size_t count)
{
    UNROLL
    for (size_t i = 0; i < count; i++)
        secret[i] = zero_vec();
    __asm__ volatile("" : : "r"(secret) : "memory");
}

// ---- keys ---------------------------------------------------------------------------------------

// nonce ‖ 0: the counter is added by whoever uses it.
INLINE __m128i load_nonce(const uint8_t *nonce)
{
    uint32_t last;
    memcpy(&last, nonce + 8, sizeof(last));
    return _mm_insert_epi32(_mm_loadl_epi64((const __m128i *)nonce), (int)last, 2);
}

// A word repeated four times makes ShiftRows do nothing, so the last round is SubWord and Rcon.
INLINE vec next_round_key(vec before_previous, vec previous, size_t i)
{
    const vec rotated_last_word = splat(_mm_set1_epi32(0x0C0F0E0D));
    vec key = before_previous;
    key = xor_vec(key, slide_one_word(key));
    key = xor_vec(key, slide_two_words(key));
    if (i % 2 == 0) // Rcon doubles from 1, far from where it would have to be reduced
        return xor_vec(key, aes_last(shuffle_bytes(previous, rotated_last_word),
                                     splat(_mm_set1_epi32(1 << (i / 2 - 1)))));
    return xor_vec(key, aes_last(spread_last_word(previous), zero_vec()));
}

// Round keys and the lowest `powers` powers of H of LANES keys, each into its own state.
static void expand_keys(struct state *const to[LANES], const uint8_t *const raw[LANES],
                        size_t powers)
{
    vec round[ROUND_KEYS], power[POWERS];
    round[0] = load_lanes(raw, 0);
    round[1] = load_lanes(raw, BLOCK_BYTES);
    vec hash_key = aes_round(round[0], round[1]); // of the zero block
    UNROLL
    for (size_t i = 2; i < ROUND_KEYS; i++) {
        round[i] = next_round_key(round[i - 2], round[i - 1], i);
        hash_key =
            i < ROUND_KEYS - 1 ? aes_round(hash_key, round[i]) : aes_last(hash_key, round[i]);
    }
    power[0] = divide_by_x(reverse_blocks(hash_key));
    for (size_t n = 2; n <= powers; n++)
        power[n - 1] = n % 2 == 0 ? square(power[n / 2 - 1])
                                  : multiply(power[n / 2 - 1], power[(n + 1) / 2 - 1]);
    __m128i lane[LANES];
    for (size_t i = 0; i < ROUND_KEYS; i++) {
        split_lanes(lane, round[i]);
        UNROLL
        for (size_t l = 0; l < LANES; l++)
            to[l]->round[i] = lane[l];
    }
    for (size_t i = 0; i < powers; i++) {
        split_lanes(lane, power[i]);
        UNROLL
        for (size_t l = 0; l < LANES; l++)
            to[l]->power[POWERS - 1 - i] = lane[l];
    }
    sp_wipe(round, sizeof(round));
    sp_wipe(power, powers * sizeof(vec));
}

#endif
