// The timing check: does a kernel take as long for one fixed secret as for random ones? For what
// valgrind cannot run, the tiers avx2 and avx512. One thread, tied to the CPU it starts on.
//
// The two classes come in random order, out of buffers filled alike, through the same memory. What
// an interrupt or a neighbour makes long is cropped at quantiles of both classes together, and
// Welch's t says whether the means differ. No time is judged, only that difference, and a leak has
// to show three times, with twice the measurements each time; the controls, which leak on purpose,
// have to show just so. Source: O. Reparaz, J. Balasch, I. Verbauwhede, "Dude, is my code constant
// time?".
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "internal.h"
#include "sc25519.h"

#define EXIT_SKIPPED 77
#define T_LIMIT 10.0 // 4.5 is certain of quiet machines; a leak only grows with the measurements
#define REPEATS 3u
#define PREPARED_AHEAD 256u // secrets, so that making them is far from measuring
#define SECRET_BYTES_MAX 1024u
#define ROUND_CYCLES 2e9 // of a first round; a leak takes seven of them
#define MEASUREMENTS_MIN 2000u
#define MEASUREMENTS_MAX 100000u
#define CROPS 4u
#define JOBS_MAX 16u

enum class { FIXED, RANDOM, CLASSES };

// What is measured: `prepare` may use the secret as well and is not measured. Both get the subject.
struct subject {
    const char *name;
    bool (*is_supported)(void);
    void (*prepare)(const struct subject *s);
    void (*run)(const struct subject *s);
    size_t secret_len;
    size_t count, len;               // jobs, and bytes of each, where it applies
    const struct sp_aead_tier *aead; // whose
    bool leaks;                      // a control
};

// The secret of the measurement that runs.
static uint8_t secret[SECRET_BYTES_MAX];

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "timing: %s\n", what);
    exit(EXIT_FAILURE);
}

static uint64_t next_random(void)
{
    static uint64_t state = 0x9E3779B97F4A7C15ull; // xorshift64*; a run is like the one before
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Dull;
}

// ---- AES-256-GCM --------------------------------------------------------------------------------

#define TEXT_BYTES_MAX 1024u

static struct sp_aead_job jobs[JOBS_MAX];
static struct sp_aead_key keys[JOBS_MAX];
static uint8_t text[JOBS_MAX][TEXT_BYTES_MAX], out[JOBS_MAX][TEXT_BYTES_MAX], tags[JOBS_MAX][16];
static const uint8_t nonce[12], ad[41], zero_key[32];
static bool ok[JOBS_MAX];

static void set_jobs(const struct subject *s, const uint8_t *in, bool prepared)
{
    for (size_t i = 0; i < s->count; i++) {
        jobs[i] = (struct sp_aead_job){
            .key = prepared ? &keys[i] : NULL,
            .raw_key = prepared ? NULL : secret + 32 * i,
            .nonce = nonce,
            .ad = ad,
            .ad_len = sizeof(ad),
            .in = in + i * (in == secret ? s->len : TEXT_BYTES_MAX),
            .out = out[i],
            .len = s->len,
            .tag = tags[i],
        };
    }
}

static void free_keys(const struct subject *s)
{
    for (size_t i = s->count; i-- > 0;) {
        if (keys[i].state != NULL)
            s->aead->free_key(&keys[i]);
        keys[i].state = NULL;
    }
}

// The same memory each time: the allocator hands out what came back last.
static void prepare_keys(const struct subject *s, bool fixed)
{
    free_keys(s);
    for (size_t i = 0; i < s->count; i++)
        check(s->aead->init_key(&keys[i], fixed ? zero_key : secret + 32 * i) == 0, "no key");
}

static void prepare_raw(const struct subject *s)
{
    set_jobs(s, text[0], false);
}

static void prepare_prepared(const struct subject *s)
{
    prepare_keys(s, false);
    set_jobs(s, text[0], true);
}

static void prepare_text(const struct subject *s)
{
    prepare_keys(s, true);
    set_jobs(s, secret, true);
}

static void seal(const struct subject *s)
{
    check(s->aead->seal_batch(jobs, s->count) == 0, "not sealed");
}

// A genuine message under that key, which is opened where it stands.
static void prepare_open(const struct subject *s)
{
    prepare_prepared(s);
    seal(s);
    for (size_t i = 0; i < s->count; i++)
        jobs[i].in = out[i];
}

static void prepare_open_raw(const struct subject *s)
{
    prepare_raw(s);
    seal(s);
    for (size_t i = 0; i < s->count; i++)
        jobs[i].in = out[i];
}

static void open_all(const struct subject *s)
{
    check(s->aead->open_batch(jobs, s->count, ok), "not opened");
}

// ---- curves and hashes --------------------------------------------------------------------------

static uint8_t public_in[JOBS_MAX][32], results[JOBS_MAX][64], keys_out[JOBS_MAX][32];
static struct sp_ed25519_job signatures[JOBS_MAX];
static struct sp_hkdf_job derivations[JOBS_MAX];

static void prepare_nothing(const struct subject *s)
{
    (void)s;
}

static void x25519(const struct subject *s)
{
    sp_curve_avx512.x25519(keys_out, (const uint8_t(*)[32])secret, (const uint8_t(*)[32])public_in,
                           s->count);
}

static void x25519_base(const struct subject *s)
{
    sp_curve_avx512.x25519_base(keys_out, (const uint8_t(*)[32])secret, s->count);
}

static void ed25519_public(const struct subject *s)
{
    sp_curve_avx512.ed25519_public(keys_out, (const uint8_t(*)[32])secret, s->count);
}

// The public key is only hashed: any will do for the time, and none of this leaves the program.
static void prepare_sign(const struct subject *s)
{
    for (size_t i = 0; i < s->count; i++)
        signatures[i] =
            (struct sp_ed25519_job){public_in[i], secret + 32 * i, text[0], s->len, results[i]};
}

static void ed25519_sign(const struct subject *s)
{
    sp_curve_avx512.ed25519_sign(signatures, s->count);
}

static void multiply_add(const struct subject *s)
{
    (void)s;
    sp_sc25519_multiply_add(results[0], secret, secret + 32, secret + 64);
}

static void reduce(const struct subject *s)
{
    (void)s;
    sp_sc25519_reduce(results[0], secret);
}

static void prepare_hkdf(const struct subject *s)
{
    for (size_t i = 0; i < s->count; i++)
        derivations[i] = (struct sp_hkdf_job){public_in[i], 32, secret + s->len * i, s->len,
                                              ad,           32, results[i],          64};
}

static void hkdf(const struct subject *s)
{
    sp_hash_avx512.hkdf(derivations, s->count);
}

static void chain_step(const struct subject *s)
{
    sp_hash_avx512.chain_step((uint8_t(*)[32])secret, keys_out, s->count);
}

// ---- controls -----------------------------------------------------------------------------------

static volatile uint8_t sink;

static bool any_cpu(void)
{
    return true;
}

static void leak_early_exit(const struct subject *s)
{
    size_t same = 0;
    while (same < s->secret_len && ((volatile uint8_t *)secret)[same] == 0)
        same++;
    sink = (uint8_t)same;
}

// Each entry in a page of its own: the one always taken stays near, others do not.
static void leak_index(const struct subject *s)
{
    static volatile uint8_t table[256][4096];
    for (size_t i = 0; i < s->secret_len; i++)
        sink = table[secret[i]][0];
}

static void leak_branch(const struct subject *s)
{
    for (size_t i = 0; i < s->secret_len; i++) {
        if (((volatile uint8_t *)secret)[i] & 0x10)
            sink = (uint8_t)(sink * 3 + 1);
    }
}

// A single branch, behind a real kernel.
static void leak_behind_seal(const struct subject *s)
{
    seal(s);
    if (((volatile uint8_t *)secret)[0] & 1) {
        for (unsigned i = 0; i < 8; i++)
            sink = (uint8_t)(sink * 3 + 1);
    }
}

// ---- measuring ----------------------------------------------------------------------------------

#define AEAD(tier)                                                                                 \
    {#tier " seal, raw keys",                                                                      \
     sp_cpu_has_##tier,                                                                            \
     prepare_raw,                                                                                  \
     seal,                                                                                         \
     32 * 16,                                                                                      \
     16,                                                                                           \
     64,                                                                                           \
     &sp_aead_##tier,                                                                              \
     false},                                                                                       \
        {#tier " seal, a long message's raw key",                                                  \
         sp_cpu_has_##tier,                                                                        \
         prepare_raw,                                                                              \
         seal,                                                                                     \
         32,                                                                                       \
         1,                                                                                        \
         1000,                                                                                     \
         &sp_aead_##tier,                                                                          \
         false},                                                                                   \
        {#tier " seal, prepared keys",                                                             \
         sp_cpu_has_##tier,                                                                        \
         prepare_prepared,                                                                         \
         seal,                                                                                     \
         32 * 8,                                                                                   \
         8,                                                                                        \
         200,                                                                                      \
         &sp_aead_##tier,                                                                          \
         false},                                                                                   \
        {#tier " seal, a prepared key",                                                            \
         sp_cpu_has_##tier,                                                                        \
         prepare_prepared,                                                                         \
         seal,                                                                                     \
         32,                                                                                       \
         1,                                                                                        \
         300,                                                                                      \
         &sp_aead_##tier,                                                                          \
         false},                                                                                   \
        {#tier " seal, texts",                                                                     \
         sp_cpu_has_##tier,                                                                        \
         prepare_text,                                                                             \
         seal,                                                                                     \
         100 * 8,                                                                                  \
         8,                                                                                        \
         100,                                                                                      \
         &sp_aead_##tier,                                                                          \
         false},                                                                                   \
        {#tier " seal, a long text",                                                               \
         sp_cpu_has_##tier,                                                                        \
         prepare_text,                                                                             \
         seal,                                                                                     \
         1024,                                                                                     \
         1,                                                                                        \
         1024,                                                                                     \
         &sp_aead_##tier,                                                                          \
         false},                                                                                   \
        {#tier " open, raw keys",                                                                  \
         sp_cpu_has_##tier,                                                                        \
         prepare_open_raw,                                                                         \
         open_all,                                                                                 \
         32 * 16,                                                                                  \
         16,                                                                                       \
         64,                                                                                       \
         &sp_aead_##tier,                                                                          \
         false},                                                                                   \
        {#tier " open, a prepared key",                                                            \
         sp_cpu_has_##tier,                                                                        \
         prepare_open,                                                                             \
         open_all,                                                                                 \
         32,                                                                                       \
         1,                                                                                        \
         300,                                                                                      \
         &sp_aead_##tier,                                                                          \
         false},

static const struct subject subjects[] = {
    // clang-format off
    {"control: early exit", any_cpu, prepare_nothing, leak_early_exit, 32, 1, 0, NULL, true},
    {"control: index", any_cpu, prepare_nothing, leak_index, 32, 1, 0, NULL, true},
    {"control: branches", any_cpu, prepare_nothing, leak_branch, 64, 1, 0, NULL, true},
    {"control: one branch behind a seal", sp_cpu_has_aesni, prepare_prepared, leak_behind_seal,
     32, 1, 300, &sp_aead_aesni, true},
    AEAD(aesni)
    AEAD(avx2)
    AEAD(avx512)
    {"x25519", sp_cpu_has_avx512, prepare_nothing, x25519, 32 * 8, 8, 0, NULL, false},
    {"x25519, base point", sp_cpu_has_avx512, prepare_nothing, x25519_base, 32 * 8, 8, 0, NULL,
     false},
    {"ed25519 public", sp_cpu_has_avx512, prepare_nothing, ed25519_public, 32 * 8, 8, 0, NULL,
     false},
    {"ed25519 sign", sp_cpu_has_avx512, prepare_sign, ed25519_sign, 32 * 8, 8, 100, NULL, false},
    {"scalar multiply and add", any_cpu, prepare_nothing, multiply_add, 96, 1, 0, NULL, false},
    {"scalar reduction", any_cpu, prepare_nothing, reduce, 64, 1, 0, NULL, false},
    {"hkdf in lanes", sp_cpu_has_avx512, prepare_hkdf, hkdf, 32 * 16, 16, 32, NULL, false},
    {"hkdf alone", sp_cpu_has_avx512, prepare_hkdf, hkdf, 160, 1, 160, NULL, false},
    {"chain step in lanes", sp_cpu_has_avx512, prepare_nothing, chain_step, 32 * 16, 16, 0, NULL,
     false},
    {"chain step alone", sp_cpu_has_avx512, prepare_nothing, chain_step, 32, 1, 0, NULL, false},
    // clang-format on
};

static uint64_t measure(const struct subject *s, const uint8_t *next)
{
    unsigned unused;
    memcpy(secret, next, s->secret_len);
    s->prepare(s);
    _mm_mfence();
    _mm_lfence();
    const uint64_t start = __rdtsc();
    _mm_lfence();
    s->run(s);
    const uint64_t end = __rdtscp(&unused);
    _mm_lfence();
    return end - start;
}

struct measurement {
    uint64_t cycles;
    enum class class;
};

static void measure_some(const struct subject *s, struct measurement *out_at, size_t count)
{
    static uint8_t ahead[PREPARED_AHEAD][SECRET_BYTES_MAX];
    for (size_t i = 0; i < count; i++) {
        out_at[i].class = next_random() >> 63 ? RANDOM : FIXED;
        for (size_t k = 0; k < s->secret_len; k += 8) {
            // Both are drawn, and both stored: the fixed secret is all zeros.
            const uint64_t word = next_random() & (out_at[i].class == RANDOM ? UINT64_MAX : 0);
            memcpy(ahead[i] + k, &word, sizeof(word));
        }
    }
    for (size_t i = 0; i < count; i++)
        out_at[i].cycles = measure(s, ahead[i]);
}

static int compare_u64(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

// Welch's t of the measurements up to a limit.
static double welch(const struct measurement *m, size_t count, uint64_t limit)
{
    double n[CLASSES] = {0}, mean[CLASSES] = {0}, squares[CLASSES] = {0};
    for (size_t i = 0; i < count; i++) {
        if (m[i].cycles > limit)
            continue;
        const enum class c = m[i].class;
        const double delta = (double)m[i].cycles - mean[c];
        n[c]++;
        mean[c] += delta / n[c];
        squares[c] += delta * ((double)m[i].cycles - mean[c]);
    }
    if (n[FIXED] < 2 || n[RANDOM] < 2) // all of the others are slower: nothing says it better
        return INFINITY;
    const double error =
        squares[FIXED] / (n[FIXED] - 1) / n[FIXED] + squares[RANDOM] / (n[RANDOM] - 1) / n[RANDOM];
    const double difference = mean[FIXED] - mean[RANDOM];
    return difference == 0 ? 0 : fabs(difference) / sqrt(error);
}

// The largest t of all crops.
static double judge(const struct measurement *m, size_t count)
{
    static const double kept[CROPS] = {0.5, 0.75, 0.9, 0.99};
    uint64_t *sorted = calloc(count, sizeof(*sorted));
    double t = 0;
    check(sorted != NULL, "no memory");
    for (size_t i = 0; i < count; i++)
        sorted[i] = m[i].cycles;
    qsort(sorted, count, sizeof(*sorted), compare_u64);
    for (size_t c = 0; c < CROPS; c++)
        t = fmax(t, welch(m, count, sorted[(size_t)(kept[c] * (double)(count - 1))]));
    free(sorted);
    return t;
}

static double measure_round(const struct subject *s, size_t count)
{
    struct measurement *m = calloc(count, sizeof(*m));
    check(m != NULL, "no memory");
    for (size_t i = 0; i < count; i += PREPARED_AHEAD)
        measure_some(s, m + i, count - i < PREPARED_AHEAD ? count - i : PREPARED_AHEAD);
    const double t = judge(m, count);
    free(m);
    return t;
}

// As many as the time allows for, as long as nothing comes in between.
static size_t choose_count(const struct subject *s)
{
    struct measurement warm_up[PREPARED_AHEAD];
    uint64_t sorted[PREPARED_AHEAD];
    measure_some(s, warm_up, PREPARED_AHEAD);
    for (size_t i = 0; i < PREPARED_AHEAD; i++)
        sorted[i] = warm_up[i].cycles;
    qsort(sorted, PREPARED_AHEAD, sizeof(*sorted), compare_u64);
    const double count = ROUND_CYCLES / (double)(sorted[PREPARED_AHEAD / 2] + 1);
    return (size_t)fmin(fmax(count, MEASUREMENTS_MIN), MEASUREMENTS_MAX);
}

// Did it show in every repeat?
static bool is_leaking(const struct subject *s)
{
    size_t count = choose_count(s);
    double t = INFINITY;
    fprintf(stderr, "%s:", s->name);
    for (unsigned i = 0; i < REPEATS && t > T_LIMIT; i++, count *= 2) {
        t = measure_round(s, count);
        fprintf(stderr, " |t| = %.1f of %zu%s", t, count,
                i + 1 < REPEATS && t > T_LIMIT ? "," : "");
    }
    free_keys(s);
    return t > T_LIMIT;
}

static void stay_on_this_cpu(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)sched_getcpu(), &set);
    check(sched_setaffinity(0, sizeof(set), &set) == 0, "not tied to a CPU");
}

int main(void)
{
    unsigned wrong = 0;
    check(sp_init() == 0, "the library does not start");
    if (!sp_cpu_has_avx2()) {
        puts("skipped: this CPU runs neither avx2 nor avx512; valgrind looks at the other tiers");
        return EXIT_SKIPPED;
    }
    stay_on_this_cpu();
    sp_curve_portable.x25519_base(public_in, (const uint8_t(*)[32])text, JOBS_MAX);
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        const struct subject *s = &subjects[i];
        if (!s->is_supported()) {
            fprintf(stderr, "%s: not measured: this CPU cannot run it\n", s->name);
            continue;
        }
        const bool leaks = is_leaking(s);
        fprintf(stderr, "%s\n", leaks == s->leaks ? "" : leaks ? ": LEAKS" : ": NOT SEEN");
        wrong += leaks != s->leaks;
    }
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
