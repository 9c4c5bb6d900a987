// Ed25519 against RFC 8032, and against libsodium as the judge of what is accepted: every lane,
// every batch size, keys and signatures that only a careless verifier tells wrongly. Runs for each
// tier.
#include <criterion/criterion.h>
#include <sodium.h>

#include "sealcrypto.h"
#include "vectors.h"

#define KEYS(array) ((const uint8_t(*)[32])(array))
#define COUNT_MAX 40u
#define LEN_MAX 5000u
#define FLIP_ROUNDS 500u // of COUNT_MAX signatures

static void start(void)
{
    cr_assert_eq(sp_init(), 0);
}

TestSuite(sp_ed25519_public_batch, .init = start);
TestSuite(sp_ed25519_sign_batch, .init = start);
TestSuite(sp_ed25519_verify_batch, .init = start);
TestSuite(sp_ed25519_public_to_x25519, .init = start);
TestSuite(sp_ed25519_public_to_x25519_batch, .init = start);

// ---- what the tests work on ---------------------------------------------------------------------

// Keys and messages as libsodium has them.
struct batch {
    uint8_t seed[COUNT_MAX][32], public_key[COUNT_MAX][32], secret[COUNT_MAX][64];
    uint8_t message[COUNT_MAX][LEN_MAX];
    uint8_t expected[COUNT_MAX][64], signature[COUNT_MAX][64];
    struct sp_ed25519_job jobs[COUNT_MAX];
    bool ok[COUNT_MAX];
};

static struct batch batch;

static size_t draw(size_t below)
{
    return randombytes_uniform((uint32_t)below);
}

static void make_job(size_t i, size_t len)
{
    struct batch *b = &batch;
    randombytes_buf(b->seed[i], 32);
    randombytes_buf(b->message[i], len);
    crypto_sign_seed_keypair(b->public_key[i], b->secret[i], b->seed[i]);
    crypto_sign_detached(b->expected[i], NULL, b->message[i], len, b->secret[i]);
    memcpy(b->signature[i], b->expected[i], 64);
    b->jobs[i] = (struct sp_ed25519_job){
        .public_key = b->public_key[i],
        .seed = b->seed[i],
        .message = b->message[i],
        .message_len = len,
        .signature = b->signature[i],
    };
}

static bool sodium_accepts(const struct sp_ed25519_job *job)
{
    return crypto_sign_verify_detached(job->signature, job->message, job->message_len,
                                       job->public_key) == 0;
}

// Ours and libsodium's judgement of the same; how many were accepted.
static size_t expect_sodium(size_t count, const char *what)
{
    size_t accepted = 0;
    memset(batch.ok, 0x55, sizeof(batch.ok));
    const bool all = sp_ed25519_verify_batch(batch.jobs, count, batch.ok);
    for (size_t i = 0; i < count; i++) {
        const bool expected = sodium_accepts(&batch.jobs[i]);
        cr_assert_eq(batch.ok[i], expected, "%s: job %zu of %zu: libsodium says %d", what, i, count,
                     expected);
        accepted += expected;
    }
    cr_assert_eq(all, accepted == count);
    return accepted;
}

static void parse(uint8_t out[32], const char *hex)
{
    size_t len;
    cr_assert_eq(sodium_hex2bin(out, 32, hex, strlen(hex), NULL, &len, NULL), 0);
    cr_assert_eq(len, 32);
}

// Little-endian; whatever does not fit is lost.
static void add_bytes(uint8_t a[32], const uint8_t b[32])
{
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)a[i] + b[i];
        a[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static void add_small(uint8_t a[32], int b)
{
    uint8_t wide[32];
    memset(wide, b < 0 ? 0xFF : 0, 32);
    wide[0] = (uint8_t)b;
    add_bytes(a, wide);
}

static void order(uint8_t out[32])
{
    parse(out, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
}

static void modulus(uint8_t out[32])
{
    parse(out, "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
}

// The eight points of small order, torsion[i] = i · torsion[1].
static void find_torsion(uint8_t torsion[8][32])
{
    memset(torsion, 0, 8 * 32);
    torsion[0][0] = 1;
    parse(torsion[1], "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
    for (size_t i = 2; i < 8; i++)
        cr_assert_eq(crypto_core_ed25519_add(torsion[i], torsion[i - 1], torsion[1]), 0);
}

// ---- keys and signatures ------------------------------------------------------------------------

Test(sp_ed25519_sign_batch, agrees_with_rfc_8032)
{
    static struct vector_record v;
    FILE *in = vector_open("rfc8032.txt");
    uint8_t public_key[32], signature[64];
    bool ok;
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        sp_ed25519_public(public_key, vector_bytes(&v, "seed"));
        cr_assert_arr_eq(public_key, vector_bytes(&v, "public"), 32);
        const struct sp_ed25519_job job = {
            .public_key = public_key,
            .seed = vector_bytes(&v, "seed"),
            .message = vector_bytes(&v, "message"),
            .message_len = vector_get(&v, "message")->len,
            .signature = signature,
        };
        sp_ed25519_sign_batch(&job, 1);
        cr_assert_arr_eq(signature, vector_bytes(&v, "signature"), 64);
        cr_assert(sp_ed25519_verify_batch(&job, 1, &ok));
    }
    fclose(in);
    cr_assert_eq(count, 5);
}

static void expect_signatures(size_t count)
{
    memset(batch.signature, 0, sizeof(batch.signature));
    sp_ed25519_sign_batch(batch.jobs, count);
    for (size_t i = 0; i < count; i++)
        cr_assert_arr_eq(batch.signature[i], batch.expected[i], 64, "job %zu of %zu, %zu bytes", i,
                         count, batch.jobs[i].message_len);
    cr_assert(count == COUNT_MAX || vector_is_zero(batch.signature[count], 64));
    cr_assert(sp_ed25519_verify_batch(batch.jobs, count, batch.ok));
    for (size_t i = 0; i < count; i++)
        cr_assert(batch.ok[i]);
}

Test(sp_ed25519_sign_batch, is_libsodiums_at_every_length)
{
    for (size_t len = 0; len <= 300;) {
        for (size_t i = 0; i < COUNT_MAX; i++)
            make_job(i, len + i <= 300 ? len + i : draw(301));
        expect_signatures(COUNT_MAX);
        len += COUNT_MAX;
    }
    for (size_t i = 0; i < COUNT_MAX; i++)
        make_job(i, i % 5 == 0 ? LEN_MAX - i : 300 + draw(LEN_MAX - 300));
    expect_signatures(COUNT_MAX);
}

Test(sp_ed25519_sign_batch, is_libsodiums_at_every_count)
{
    for (size_t count = 1; count <= COUNT_MAX; count++) {
        for (size_t i = 0; i < count; i++)
            make_job(i, draw(300));
        expect_signatures(count);
    }
}

Test(sp_ed25519_sign_batch, fills_more_than_one_chunk)
{
    enum { COUNT = 141 };
    static uint8_t signature[COUNT][64];
    static struct sp_ed25519_job jobs[COUNT];
    static bool ok[COUNT];
    for (size_t i = 0; i < COUNT_MAX; i++)
        make_job(i, draw(300));
    for (size_t i = 0; i < COUNT; i++) {
        jobs[i] = batch.jobs[i % COUNT_MAX];
        jobs[i].signature = signature[i];
    }
    sp_ed25519_sign_batch(jobs, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_arr_eq(signature[i], batch.expected[i % COUNT_MAX], 64);
    cr_assert(sp_ed25519_verify_batch(jobs, COUNT, ok));
    signature[130][40] ^= 1;
    cr_assert_not(sp_ed25519_verify_batch(jobs, COUNT, ok));
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(ok[i], i != 130);
}

Test(sp_ed25519_public_batch, is_libsodiums_at_every_count)
{
    enum { COUNT = 70 };
    static uint8_t seed[COUNT][32], expected[COUNT][32], out[COUNT + 1][32], secret[64];
    for (size_t count = 1; count <= COUNT; count++) {
        randombytes_buf(seed, sizeof(seed));
        memset(out, 0, sizeof(out));
        for (size_t i = 0; i < count; i++)
            crypto_sign_seed_keypair(expected[i], secret, seed[i]);
        sp_ed25519_public_batch(out, KEYS(seed), count);
        cr_assert_arr_eq(out, expected, 32 * count);
        cr_assert(vector_is_zero(out[count], 32));
    }
}

// ---- refused signatures -------------------------------------------------------------------------

enum part { PART_R, PART_S, PART_MESSAGE, PART_KEY, PARTS };

static uint8_t *find_part(size_t job, enum part part)
{
    switch (part) {
    case PART_R:
        return batch.signature[job] + draw(32);
    case PART_S:
        return batch.signature[job] + 32 + draw(32);
    case PART_MESSAGE:
        return batch.message[job] + draw(batch.jobs[job].message_len);
    default:
        return batch.public_key[job] + draw(32);
    }
}

Test(sp_ed25519_verify_batch, refuses_the_bad_one_in_every_lane)
{
    for (size_t count = 1; count <= COUNT_MAX; count++) {
        for (size_t i = 0; i < count; i++)
            make_job(i, 1 + draw(200));
        for (size_t bad = 0; bad < count; bad++) {
            for (enum part part = PART_R; part < PARTS; part++) {
                uint8_t *byte = find_part(bad, part);
                const uint8_t flip = (uint8_t)(1u << draw(8));
                *byte ^= flip;
                cr_assert_not(sp_ed25519_verify_batch(batch.jobs, count, batch.ok));
                for (size_t i = 0; i < count; i++)
                    cr_assert_eq(batch.ok[i], i != bad, "part %d, %zu of %zu", part, bad, count);
                *byte ^= flip;
            }
        }
        cr_assert(sp_ed25519_verify_batch(batch.jobs, count, batch.ok));
    }
}

Test(sp_ed25519_verify_batch, refuses_every_changed_bit)
{
    for (size_t i = 0; i < 8; i++)
        make_job(i, 33);
    for (size_t bit = 0; bit < 8 * (64 + 32 + 33); bit++) {
        uint8_t *byte = bit / 8 < 64   ? batch.signature[3] + bit / 8
                        : bit / 8 < 96 ? batch.public_key[3] + (bit / 8 - 64)
                                       : batch.message[3] + (bit / 8 - 96);
        *byte ^= (uint8_t)(1u << bit % 8);
        cr_assert_eq(expect_sodium(8, "changed bit"), 7, "bit %zu", bit);
        *byte ^= (uint8_t)(1u << bit % 8);
    }
    batch.jobs[3].message_len--;
    cr_assert_eq(expect_sodium(8, "shorter message"), 7);
    batch.jobs[3].message_len++;
    cr_assert_eq(expect_sodium(8, "unchanged"), 8);
}

Test(sp_ed25519_verify_batch, is_libsodiums_under_random_flips)
{
    size_t accepted = 0;
    for (size_t round = 0; round < FLIP_ROUNDS; round++) {
        for (size_t i = 0; i < COUNT_MAX; i++) {
            if (round % 4 == 0)
                make_job(i, draw(160));
            memcpy(batch.signature[i], batch.expected[i], 64);
            for (size_t flips = draw(4); flips > 0; flips--) {
                const size_t part = draw(2) == 0 ? PART_R : PART_S;
                *find_part(i, part) ^= (uint8_t)(1u << draw(8));
            }
        }
        accepted += expect_sodium(COUNT_MAX, "random flips");
    }
    cr_assert(accepted > 0 && accepted < (size_t)FLIP_ROUNDS * COUNT_MAX);
}

Test(sp_ed25519_verify_batch, refuses_another_key)
{
    for (size_t i = 0; i < COUNT_MAX; i++)
        make_job(i, 33);
    for (size_t i = 0; i < COUNT_MAX; i += 2)
        batch.jobs[i].public_key = batch.public_key[i + 1];
    cr_assert_eq(expect_sodium(COUNT_MAX, "another key"), COUNT_MAX / 2);
}

// S + L satisfies the same equation: RFC 8032 section 5.1.7 wants S below L.
Test(sp_ed25519_verify_batch, refuses_a_malleated_signature)
{
    uint8_t l[32];
    order(l);
    for (size_t i = 0; i < COUNT_MAX; i++) {
        make_job(i, draw(80));
        for (size_t times = i % 8; times > 0; times--)
            add_bytes(batch.signature[i] + 32, l);
    }
    cr_assert_eq(expect_sodium(COUNT_MAX, "S + L"), COUNT_MAX / 8);
}

// ---- edges --------------------------------------------------------------------------------------

#define POINTS_MAX 64u
#define SCALARS_MAX 16u

struct edges {
    uint8_t point[POINTS_MAX][32], scalar[SCALARS_MAX][32];
    size_t points, scalars;
};

static void add_point(struct edges *e, const uint8_t encoding[32])
{
    cr_assert_lt(e->points + 1, POINTS_MAX);
    memcpy(e->point[e->points], encoding, 32);
    memcpy(e->point[e->points + 1], encoding, 32);
    e->point[e->points + 1][31] ^= 0x80;
    e->points += 2;
}

static void add_scalar(struct edges *e, const uint8_t base[32], int offset)
{
    cr_assert_lt(e->scalars, SCALARS_MAX);
    memcpy(e->scalar[e->scalars], base, 32);
    add_small(e->scalar[e->scalars++], offset);
}

// Every encoding of a point of small order, canonical or not, with either sign; y from p on; the
// base point, a y on no point, and an honest key.
static void find_edges(struct edges *e)
{
    uint8_t torsion[8][32], p[32], l[32], y[32] = {0}, seed[32], secret[64];
    memset(e, 0, sizeof(*e));
    find_torsion(torsion);
    for (size_t i = 0; i < 5; i++) // the others are of these with the other sign
        add_point(e, torsion[i]);
    modulus(p);
    for (int i = 0; i < 19; i++, add_small(p, 1))
        add_point(e, p);
    y[0] = 2;
    add_point(e, y);
    memset(y, 0x66, 32);
    y[0] = 0x58;
    add_point(e, y);
    randombytes_buf(seed, 32);
    crypto_sign_seed_keypair(y, secret, seed);
    add_point(e, y);

    const uint8_t zero[32] = {0}, power[32] = {[31] = 0x10};
    order(l);
    add_scalar(e, zero, 0);
    add_scalar(e, zero, 1);
    add_scalar(e, zero, 8);
    for (int i = -1; i <= 1; i++)
        add_scalar(e, l, i);
    add_scalar(e, power, -1);
    add_scalar(e, power, 0);
    add_bytes(l, l);
    add_scalar(e, l, 0);
    for (unsigned bits = 5; bits <= 8; bits++) { // 2^253 − 1 … 2^256 − 1
        memset(y, 0xFF, 32);
        y[31] = (uint8_t)((1u << bits) - 1);
        add_scalar(e, y, 0);
    }
}

Test(sp_ed25519_verify_batch, judges_every_edge_as_libsodium)
{
    static struct edges e;
    size_t count = 0, tried = 0;
    find_edges(&e);
    for (size_t i = 0; i < COUNT_MAX; i++)
        make_job(i, i % 3);
    for (size_t a = 0; a < e.points; a++) {
        for (size_t r = 0; r < e.points; r++) {
            for (size_t s = 0; s < e.scalars; s++) {
                memcpy(batch.public_key[count], e.point[a], 32);
                memcpy(batch.signature[count], e.point[r], 32);
                memcpy(batch.signature[count] + 32, e.scalar[s], 32);
                if (++count == COUNT_MAX || tried + count == e.points * e.points * e.scalars) {
                    (void)expect_sodium(count, "edge");
                    tried += count;
                    count = 0;
                }
            }
        }
    }
    cr_assert_eq(tried, e.points * e.points * e.scalars);
}

// A valid signature but for A or R being of small order, and R = S·B − k·A also as bytes.
Test(sp_ed25519_verify_batch, refuses_small_order_where_the_equation_holds)
{
    uint8_t torsion[8][32], hash[64], k[32], s[32];
    find_torsion(torsion);
    for (size_t i = 0; i < COUNT_MAX; i++) {
        make_job(i, 8);
        if (i % 2 == 0) { // R = 0, S = k·a
            uint8_t secret[32], in[72];
            memcpy(in, torsion[0], 32);
            memcpy(in + 32, batch.public_key[i], 32);
            memcpy(in + 64, batch.message[i], 8);
            crypto_hash_sha512(hash, in, sizeof(in));
            crypto_core_ed25519_scalar_reduce(k, hash);
            sp_ed25519_seed_to_x25519(secret, batch.seed[i]);
            crypto_core_ed25519_scalar_mul(s, k, secret);
            memcpy(batch.signature[i], torsion[0], 32);
            memcpy(batch.signature[i] + 32, s, 32);
        } else { // A = 0: any k
            uint8_t r[32];
            crypto_core_ed25519_scalar_random(r);
            memcpy(batch.public_key[i], torsion[0], 32);
            cr_assert_eq(crypto_scalarmult_ed25519_base_noclamp(batch.signature[i], r), 0);
            memcpy(batch.signature[i] + 32, r, 32);
        }
    }
    cr_assert_eq(expect_sodium(COUNT_MAX, "small order"), 0);
}

// A + torsion: with R = r·B − j·torsion the equation holds if k·torsion = j·torsion. A verifier
// that multiplies by the cofactor would accept all of these.
Test(sp_ed25519_verify_batch, does_without_the_cofactor)
{
    uint8_t torsion[8][32], nonce[32], secret[32], mixed[32], k[32], hash[64], in[72];
    size_t accepted = 0;
    find_torsion(torsion);
    for (size_t round = 0; round < 64; round++) {
        for (size_t i = 0; i < COUNT_MAX; i++) {
            const size_t key_torsion = round % 8, r_torsion = (round / 8 + i) % 8;
            make_job(i, 8);
            sp_ed25519_seed_to_x25519(secret, batch.seed[i]);
            cr_assert_eq(crypto_core_ed25519_add(mixed, batch.public_key[i], torsion[key_torsion]),
                         0);
            memcpy(batch.public_key[i], mixed, 32);
            crypto_core_ed25519_scalar_random(nonce);
            cr_assert_eq(crypto_scalarmult_ed25519_base_noclamp(mixed, nonce), 0);
            cr_assert_eq(crypto_core_ed25519_add(batch.signature[i], mixed, torsion[r_torsion]), 0);
            memcpy(in, batch.signature[i], 32);
            memcpy(in + 32, batch.public_key[i], 32);
            memcpy(in + 64, batch.message[i], 8);
            crypto_hash_sha512(hash, in, sizeof(in));
            crypto_core_ed25519_scalar_reduce(k, hash);
            crypto_core_ed25519_scalar_mul(mixed, k, secret);
            crypto_core_ed25519_scalar_add(batch.signature[i] + 32, mixed, nonce);
        }
        accepted += expect_sodium(COUNT_MAX, "mixed order");
    }
    cr_assert(accepted > 64 * COUNT_MAX / 16 && accepted < 64 * COUNT_MAX / 2, "%zu", accepted);
}

// ---- the birational map -------------------------------------------------------------------------

Test(sp_ed25519_public_to_x25519, commutes_with_the_secret_map)
{
    for (int i = 0; i < 20; i++) {
        uint8_t seed[32], public_key[32], scalar[1][32], mapped[32], expected[1][32];
        cr_assert_eq(sp_random(seed, 32), 0);
        sp_ed25519_public(public_key, seed);
        sp_ed25519_seed_to_x25519(scalar[0], seed);
        sp_x25519_base_batch(expected, KEYS(scalar), 1);
        cr_assert(sp_ed25519_public_to_x25519(mapped, public_key));
        cr_assert_arr_eq(mapped, expected[0], 32);
    }
}

Test(sp_ed25519_public_to_x25519, rejects_what_is_no_key)
{
    // The identity (y = 1), the point of order 2 (y = -1), one of order 4 (y = 0), y = 2, which is
    // on no point of the curve, and an order-8 point.
    static const char *const bad[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0200000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t key[32], out[32];
        parse(key, bad[i]);
        memset(out, 0xAA, sizeof(out));
        cr_assert_not(sp_ed25519_public_to_x25519(out, key), "%s", bad[i]);
        cr_assert(vector_is_zero(out, sizeof(out)));
    }
}

static size_t expect_sodiums_map(const uint8_t (*key)[32], size_t count)
{
    uint8_t out[COUNT_MAX + 1][32], expected[32];
    bool ok[COUNT_MAX];
    size_t accepted = 0;
    memset(out, 0xAA, sizeof(out));
    memset(ok, 0x55, sizeof(ok));
    const bool all = sp_ed25519_public_to_x25519_batch(out, key, count, ok);
    for (size_t i = 0; i < count; i++) {
        const bool mapped = crypto_sign_ed25519_pk_to_curve25519(expected, key[i]) == 0;
        if (!mapped)
            memset(expected, 0, 32);
        cr_assert_eq(ok[i], mapped, "key %zu of %zu: libsodium says %d", i, count, mapped);
        cr_assert_arr_eq(out[i], expected, 32);
        accepted += mapped;
    }
    cr_assert_eq(all, accepted == count);
    cr_assert(out[count][0] == 0xAA && out[count][31] == 0xAA);
    return accepted;
}

// Any encodings: half of them on the curve, an eighth of those in the subgroup.
Test(sp_ed25519_public_to_x25519_batch, judges_random_encodings_as_libsodium)
{
    uint8_t key[COUNT_MAX][32], secret[64];
    size_t accepted = 0, tried = 0;
    for (size_t round = 0; round < 200; round++) {
        const size_t count = 1 + round % COUNT_MAX;
        randombytes_buf(key, sizeof(key));
        for (size_t i = round % 3; i < count; i += 1 + round % 4)
            crypto_sign_seed_keypair(key[i], secret, key[i]);
        accepted += expect_sodiums_map(KEYS(key), count);
        tried += count;
    }
    cr_assert(accepted > tried / 8 && accepted < tried * 7 / 8);
}

Test(sp_ed25519_public_to_x25519_batch, takes_the_prime_order_subgroup_only)
{
    uint8_t torsion[8][32], key[COUNT_MAX][32], honest[32], secret[64];
    find_torsion(torsion);
    for (size_t round = 0; round < 100; round++) {
        for (size_t i = 0; i < COUNT_MAX; i += 8) {
            randombytes_buf(honest, 32);
            crypto_sign_seed_keypair(honest, secret, honest);
            for (size_t j = 0; j < 8; j++)
                cr_assert_eq(crypto_core_ed25519_add(key[i + j], honest, torsion[j]), 0);
        }
        cr_assert_eq(expect_sodiums_map(KEYS(key), COUNT_MAX), COUNT_MAX / 8);
    }
}

Test(sp_ed25519_public_to_x25519_batch, judges_every_edge_as_libsodium)
{
    static struct edges e;
    find_edges(&e);
    for (size_t i = 0; i < e.points; i += COUNT_MAX)
        (void)expect_sodiums_map(KEYS(e.point + i),
                                 e.points - i < COUNT_MAX ? e.points - i : COUNT_MAX);
    for (size_t y = 0; y < 256; y += COUNT_MAX) { // small ones, as they are and from p on
        uint8_t key[COUNT_MAX][32] = {{0}};
        for (size_t i = 0; i < COUNT_MAX; i++)
            add_small(key[i], (int)((y + i) % 128));
        (void)expect_sodiums_map(KEYS(key), COUNT_MAX);
    }
}
