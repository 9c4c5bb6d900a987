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
    return shuffle_bytes(blocks, reversal());
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

INLINE struct sum first_product(vec a, vec b)
{
    return (struct sum){multiply_low(a, b),
                        xor_vec(multiply_low_high(a, b), multiply_high_low(a, b)),
                        multiply_high(a, b)};
}

// Two products in turn take fewer additions together: those of the first wait for the second.
struct waiting {
    vec low, high;
};

INLINE void add_first_product(struct sum *sum, struct waiting *w, vec a, vec b)
{
    w->low = settle(multiply_low(a, b));
    w->high = settle(multiply_high(a, b));
    sum->middle = settle(xor3_vec(sum->middle, multiply_low_high(a, b), multiply_high_low(a, b)));
}

INLINE void add_second_product(struct sum *sum, const struct waiting *w, vec a, vec b)
{
    sum->low = settle(xor3_vec(sum->low, w->low, multiply_low(a, b)));
    sum->high = settle(xor3_vec(sum->high, w->high, multiply_high(a, b)));
    sum->middle = settle(xor3_vec(sum->middle, multiply_low_high(a, b), multiply_high_low(a, b)));
}

INLINE void add_no_product(struct sum *sum, const struct waiting *w)
{
    sum->low = xor_vec(sum->low, w->low);
    sum->high = xor_vec(sum->high, w->high);
}

// Modulo x^128 + x^7 + x^2 + x + 1, in reversed order: 64 coefficients from the low end are cleared
// by adding the modulus times them. What is left of `low`, and that, begins where `above` does.
INLINE vec times_modulus(vec low)
{
    return multiply_low(low, low_halves((long long)0xC200000000000000ull));
}

INLINE vec fold(vec low, vec above)
{
    return xor3_vec(above, swap_halves(low), times_modulus(low));
}

// Each lane for itself.
INLINE vec reduce_each(const struct sum *sum)
{
    return fold(fold(sum->low, sum->middle), sum->high);
}

// Of one block, in the first lane.
INLINE void add_block_product(struct sum *sum, __m128i a, __m128i b)
{
    const __m128i middle =
        _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x10), _mm_clmulepi64_si128(a, b, 0x01));
    sum->low = xor_vec(sum->low, widen(_mm_clmulepi64_si128(a, b, 0x00)));
    sum->middle = xor_vec(sum->middle, widen(middle));
    sum->high = xor_vec(sum->high, widen(_mm_clmulepi64_si128(a, b, 0x11)));
}

// Computed here and now; see settle.
INLINE __m128i settle_block(__m128i block)
{
    __asm__ volatile("" : "+x"(block));
    return block;
}

// A sum on its way to its remainder, all lanes together.
struct reduction {
    vec folded;
    __m128i hash;
};

// Each step waits for the one before: there should be other work between them.
#define REDUCTION_STEPS 3u
INLINE void reduce_step(struct reduction *r, const struct sum *sum, size_t step)
{
    if (step == 0)
        r->folded = settle(fold(sum->low, sum->middle));
    else if (step == 1)
        r->folded = settle(fold(r->folded, sum->high));
    else
        r->hash = settle_block(sum_lanes(r->folded));
}

INLINE __m128i reduce_lanes(const struct sum *sum)
{
    struct reduction r;
    UNROLL
    for (size_t step = 0; step < REDUCTION_STEPS; step++)
        reduce_step(&r, sum, step);
    return r.hash;
}

INLINE __m128i reverse_block(__m128i block)
{
    return _mm_shuffle_epi8(block, _mm_set_epi64x(0x0001020304050607ll, 0x08090A0B0C0D0E0Fll));
}

INLINE vec multiply(vec a, vec b)
{
    const struct sum sum = first_product(a, b);
    return reduce_each(&sum);
}

// The cross products cancel.
INLINE vec square(vec a)
{
    const vec low = multiply_low(a, a);
    return fold(xor_vec(swap_halves(low), times_modulus(low)), multiply_high(a, a));
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

// A call of a kernel leaves secrets where it had its variables: keys and sums by name, and what was
// spilled for want of registers. With a tag and its text a sum gives H away. So whoever calls one
// wipes afterwards what was below its own frame, by calling a function of the same depth. A test
// reads in the machine code that no kernel goes deeper. (Where the compiler is told not to
// optimise, or instruments, frames are what they are; so nothing ships.) Plain stores: the compiler
// must not know that these are zeros, or it takes a string instruction, which is slow to begin; nor
// may it put a guard on top, where the kernel has variables.
#define WIPE_FRAMES(name, bytes)                                                                   \
    static __attribute__((noinline, no_stack_protector)) void name(void)                           \
    {                                                                                              \
        const vec zero = settle(zero_vec());                                                       \
        vec below[(bytes) / sizeof(vec)];                                                          \
        UNROLL                                                                                     \
        for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++)                              \
            below[i] = zero;                                                                       \
        __asm__ volatile("" : : "r"(below) : "memory");                                            \
    }

// ---- keys ---------------------------------------------------------------------------------------

// nonce ‖ 0: the counter is added by whoever uses it.
INLINE __m128i load_nonce(const uint8_t *nonce)
{
    uint32_t last;
    memcpy(&last, nonce + 8, sizeof(last));
    return _mm_insert_epi32(_mm_loadl_epi64((const __m128i *)nonce), (int)last, 2);
}

#define COLUMNS 4u
#define NO_ADDEND 0x52 // a byte whose substitute is 0, which adds nothing to its column
// A column of a block before a round that adds to it what the block number `n` needs.
#define COLUMN(n) (int)((uint32_t)(n) << 24 | NO_ADDEND * 0x010101u)

#define COUNT_ROUND 9u // beside it the next chunk is counted
struct counter {
    vec blocks, lanes; // consecutive ones, byte-reversed, from number 0 on; which number each has
    uint32_t next;     // number of the first one to come
    // What the first round makes of a chunk from there on is known, in part (see count_ahead):
    bool ahead;
    vec others, columns[CHUNK_VECTORS / COLUMNS];
    vec first_column, last_key_byte, numbers, by; // which that is made of
};

// From number `next` on. `lanes` has in each lane's words how far ahead of the first one's its
// number is.
INLINE void start_counter(struct counter *c, vec nonces, vec lanes, uint32_t next)
{
    const vec zero = zero_vec(), first_word = splat(_mm_set_epi32(0, 0, 0, -1));
    c->blocks = add_words(reverse_blocks(nonces), and_vec(lanes, first_word));
    c->lanes = lanes;
    c->next = next;
    c->ahead = false;
    // Not used until it is ahead, which not every compiler sees.
    c->others = c->first_column = c->last_key_byte = c->numbers = c->by = zero;
    UNROLL
    for (size_t i = 0; i < CHUNK_VECTORS / COLUMNS; i++)
        c->columns[i] = zero;
}

// The next blocks, byte-reversed. Their numbers wrap in 32 bits, as inc32 does.
INLINE vec next_blocks(const struct counter *c)
{
    return add_words(c->blocks, splat(_mm_set_epi32(0, 0, 0, (int)c->next)));
}

INLINE void count_others(struct counter *c, vec key, vec next_key, uint32_t step)
{
    const vec same = and_vec(xor_vec(reverse_blocks(next_blocks(c)), key),
                             splat(_mm_set_epi32(0x00FFFFFF, -1, -1, -1)));
    const vec columns = splat(_mm_set_epi32(COLUMN(c->next), COLUMN(c->next + 3 * step),
                                            COLUMN(c->next + 2 * step), COLUMN(c->next + step)));
    c->others =
        settle(aes_round(or_vec(same, splat(_mm_set_epi32(NO_ADDEND << 24, 0, 0, 0))), next_key));
    c->first_column = spread_first_word(c->others);
    c->last_key_byte = shuffle_bytes(key, splat_word(0x0F808080));
    c->numbers = add_words(columns, words_to_last_byte(c->lanes));
    c->by = settle(splat_word((int)(COLUMNS * step << 24)));
}

// What the first round makes of the next chunk's blocks, for count_on; vectors are `step` apart. As
// long as the last byte does not carry over they differ in that byte alone, and after the round in
// the first column alone: the others are computed once for all, and the first columns of COLUMNS
// blocks as those of one.
INLINE void count_ahead(struct counter *c, vec key, vec next_key, uint32_t step)
{
    if (!c->ahead || c->next % 256 < CHUNK_VECTORS * step) // it has carried over meanwhile
        count_others(c, key, next_key, step);
    c->ahead = true;
    UNROLL
    for (size_t i = 0; i < CHUNK_VECTORS / COLUMNS; i++) {
        c->columns[i] = settle(aes_round(xor_vec(c->numbers, c->last_key_byte), c->first_column));
        c->numbers = add_words(c->numbers, c->by);
    }
}

// The next `count` vectors of counter blocks, after the first round.
INLINE void count_on(struct counter *c, vec *v, size_t count, vec key, vec next_key, uint32_t step)
{
    if (c->ahead && c->next % 256 + count * step <= 256) {
        UNROLL
        for (size_t i = 0; i < count; i++)
            v[i] = set_first_column(c->others, c->columns[i / COLUMNS], i % COLUMNS);
    } else {
        const vec blocks = next_blocks(c);
        UNROLL
        for (size_t i = 0; i < count; i++) {
            const vec after = splat(_mm_set_epi32(0, 0, 0, (int)(i * step)));
            v[i] = aes_round(xor_vec(reverse_blocks(add_words(blocks, after)), key), next_key);
        }
    }
    c->next += (uint32_t)(count * step);
}

// A word repeated four times makes ShiftRows do nothing, so the last round is SubWord and adds the
// rest.
INLINE vec next_round_key(vec before_previous, vec previous, size_t i)
{
    const vec rotated_last_word = splat_word(0x0C0F0E0D);
    const vec two = xor_vec(before_previous, slide_one_word(before_previous));
    const vec four = xor_vec(two, slide_two_words(two));
    if (i % 2 == 0) // Rcon doubles from 1, far from where it would have to be reduced
        return aes_last(shuffle_bytes(previous, rotated_last_word),
                        xor_vec(four, splat_word(1 << (i / 2 - 1))));
    return aes_last(spread_last_word(previous), four);
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

// Vector n of a key's powers, from 1: H^(n·LANES) and the LANES − 1 below it.
INLINE __m128i *powers_of_vector(struct state *s, size_t n)
{
    return &s->power[POWERS - LANES * n];
}

// The same of one key, whose powers fill vectors once there are the first LANES of them. What it
// computes is in registers and in the state alone, so that there is nothing else to wipe.
static void expand_key(struct state *to, const uint8_t *raw, size_t powers)
{
    vec key[2], low[LANES + 1];
    __m128i lowest[LANES];
    key[0] = splat(_mm_loadu_si128((const __m128i *)raw));
    key[1] = splat(_mm_loadu_si128((const __m128i *)(raw + BLOCK_BYTES)));
    vec hash_key = aes_round(key[0], key[1]);
    to->round[0] = first_lane(key[0]);
    to->round[1] = first_lane(key[1]);
    UNROLL
    for (size_t i = 2; i < ROUND_KEYS; i++) {
        vec *const next = &key[i % 2];
        *next = next_round_key(*next, key[(i + 1) % 2], i);
        hash_key = i < ROUND_KEYS - 1 ? aes_round(hash_key, *next) : aes_last(hash_key, *next);
        to->round[i] = first_lane(*next);
    }
    low[1] = divide_by_x(reverse_blocks(hash_key));
    lowest[LANES - 1] = first_lane(low[1]);
    UNROLL
    for (size_t n = 2; n <= LANES; n++) {
        low[n] = n % 2 == 0 ? square(low[n / 2]) : multiply(low[n / 2], low[(n + 1) / 2]);
        lowest[LANES - n] = first_lane(low[n]);
    }
    store_vec((uint8_t *)powers_of_vector(to, 1), join_lanes(lowest));
    size_t count = 1; // vectors
    for (; count * LANES < powers && count < POWERS / LANES; count++) {
        const size_t half = (count + 1) / 2;
        const vec other = load_vec((const uint8_t *)powers_of_vector(to, count + 1 - half));
        store_vec((uint8_t *)powers_of_vector(to, count + 1),
                  multiply(other, splat_load(powers_of_vector(to, half))));
    }
    if (count * LANES < powers) // by one
        to->power[0] = first_lane(multiply(splat_load(powers_of_vector(to, count)), low[1]));
}
_Static_assert(POWERS % LANES <= 1, "whole vectors of powers, and at most one more");

#endif
