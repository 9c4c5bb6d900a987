// The poisoning check: secrets are marked as undefined memory, and memcheck reports every branch
// and every index that depends on one. Needs valgrind, which runs the tiers portable and aesni: it
// knows neither VAES nor AVX-512. One thread.
//
//     usage: valgrind --suppressions=poison.supp poison TIER
//
// Fails when the tier that runs is another one, when a subject was reported, and when a control, a
// function that leaks on purpose, was not. Source: A. Langley's ctgrind.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "poison.h"

#define EXIT_SKIPPED 77
#define LANES_MAX 16u // of the widest kernel; one more job begins another round of it

void poison_fill(void *bytes, size_t len)
{
    static uint32_t state = 1;
    uint8_t *to = bytes;
    for (size_t i = 0; i < len; i++) {
        state = state * 1664525u + 1013904223u;
        to[i] = (uint8_t)(state >> 24);
    }
}

// ---- AES-256-GCM --------------------------------------------------------------------------------

#define TEXT_BYTES_MAX 2100u
#define AD_BYTES_MAX 80u

struct message {
    uint8_t key[32], nonce[12], ad[AD_BYTES_MAX], text[TEXT_BYTES_MAX], sealed[TEXT_BYTES_MAX];
    uint8_t opened[TEXT_BYTES_MAX], tag[16];
    struct sp_aead_key prepared;
};

static struct message messages[LANES_MAX + 1];

static struct sp_aead_job job_of(struct message *m, bool prepared, size_t ad_len, size_t len)
{
    return (struct sp_aead_job){
        .key = prepared ? &m->prepared : NULL,
        .raw_key = prepared ? NULL : m->key,
        .nonce = m->nonce,
        .ad = m->ad,
        .ad_len = ad_len,
        .in = m->text,
        .out = m->sealed,
        .len = len,
        .tag = m->tag,
    };
}

// Sealed and opened again, key and text poisoned all the while.
static void seal_and_open(bool prepared, size_t count, size_t ad_len, size_t len)
{
    struct sp_aead_job jobs[LANES_MAX + 1] = {{0}};
    bool ok[LANES_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        struct message *m = &messages[i];
        poison_fill(m, offsetof(struct message, opened));
        poison_secret(m->key, sizeof(m->key));
        poison_secret(m->text, sizeof(m->text));
        if (prepared)
            poison_check(sp_aead_key_init(&m->prepared, m->key) == 0, "no key");
        jobs[i] = job_of(m, prepared, ad_len, len);
    }
    poison_check(sp_aead_seal_batch(jobs, count) == 0, "not sealed");
    for (size_t i = 0; i < count; i++) {
        struct message *m = &messages[i];
        poison_public(m->sealed, len);
        poison_public(m->tag, sizeof(m->tag));
        jobs[i].in = m->sealed;
        jobs[i].out = m->opened;
    }
    (void)!sp_aead_open_batch(jobs, count, ok);
    for (size_t i = 0; i < count; i++) {
        struct message *m = &messages[i];
        poison_public(&ok[i], sizeof(ok[i]));
        poison_public(m, sizeof(*m));
        poison_check(ok[i] && memcmp(m->opened, m->text, len) == 0, "not opened");
        if (prepared)
            sp_aead_key_free(&m->prepared);
    }
}

// Alone and in company, each shape of the kernels: empty, parts of a block, whole ones, many.
static void aead(bool prepared)
{
    static const size_t lens[] = {0, 1, 16, 63, 64, 100, 256, 300, 1024, TEXT_BYTES_MAX};
    static const size_t counts[] = {1, 2, 7, LANES_MAX + 1};
    for (size_t l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
        for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
            seal_and_open(prepared, counts[c], 41, lens[l]);
            seal_and_open(prepared, counts[c], l % 2 == 0 ? 0 : AD_BYTES_MAX, lens[l]);
        }
    }
}

static void aead_raw(void)
{
    aead(false);
}

static void aead_prepared(void)
{
    aead(true);
}

// A forged message is refused, which is public, and its text never.
static void aead_forged(void)
{
    struct message *m = &messages[0];
    bool ok;
    poison_fill(m, offsetof(struct message, opened));
    poison_secret(m->key, sizeof(m->key));
    struct sp_aead_job job = job_of(m, false, 41, 100);
    (void)!sp_aead_open_batch(&job, 1, &ok);
    poison_public(&ok, sizeof(ok));
    poison_public(m, sizeof(*m));
    poison_check(!ok, "a forged message was opened");
}

// ---- curves -------------------------------------------------------------------------------------

static void x25519(void)
{
    uint8_t out[LANES_MAX + 1][32], scalar[LANES_MAX + 1][32], point[LANES_MAX + 1][32];
    bool ok[LANES_MAX + 1];
    poison_fill(scalar, sizeof(scalar));
    poison_fill(point, sizeof(point));
    memset(point[1], 0, sizeof(point[1])); // leads to zero
    poison_secret(scalar, sizeof(scalar));
    (void)!sp_x25519_batch(out, (const uint8_t(*)[32])scalar, (const uint8_t(*)[32])point,
                           LANES_MAX + 1, ok);
    poison_public(ok, sizeof(ok));
    poison_check(ok[0] && !ok[1], "another verdict on points");
}

static void x25519_base(void)
{
    uint8_t out[LANES_MAX + 1][32], scalar[LANES_MAX + 1][32];
    poison_fill(scalar, sizeof(scalar));
    poison_secret(scalar, sizeof(scalar));
    sp_x25519_base_batch(out, (const uint8_t(*)[32])scalar, LANES_MAX + 1);
}

// Public key, signature, and the X25519 image of the seed. That the signature verifies says that
// poisoned bytes were computed with as any others.
static void ed25519(void)
{
    uint8_t seed[LANES_MAX + 1][32], public_key[LANES_MAX + 1][32], image[32];
    uint8_t signature[LANES_MAX + 1][64], message[200];
    struct sp_ed25519_job jobs[LANES_MAX + 1];
    bool ok[LANES_MAX + 1];
    poison_fill(seed, sizeof(seed));
    poison_fill(message, sizeof(message));
    poison_secret(seed, sizeof(seed));
    sp_ed25519_public_batch(public_key, (const uint8_t(*)[32])seed, LANES_MAX + 1);
    poison_public(public_key, sizeof(public_key));
    sp_ed25519_seed_to_x25519(image, seed[0]);
    for (size_t i = 0; i <= LANES_MAX; i++)
        jobs[i] = (struct sp_ed25519_job){public_key[i], seed[i], message, 10 * i, signature[i]};
    sp_ed25519_sign_batch(jobs, LANES_MAX + 1);
    poison_public(signature, sizeof(signature));
    poison_check(sp_ed25519_verify_batch(jobs, LANES_MAX + 1, ok), "a signature does not verify");
}

// ---- hashes -------------------------------------------------------------------------------------

static void hkdf(void)
{
    static const size_t ikm_lens[] = {0, 32, 55, 64, 160, 192};
    uint8_t salt[80], ikm[192], info[40], out[LANES_MAX + 1][144];
    struct sp_hkdf_job jobs[LANES_MAX + 1];
    poison_fill(info, sizeof(info));
    for (size_t i = 0; i <= LANES_MAX; i++)
        jobs[i] = (struct sp_hkdf_job){salt, 10 * (i % 9), ikm,    ikm_lens[i % 6],
                                       info, i * 2,        out[i], 1 + 8 * i};
    poison_secret(salt, sizeof(salt)); // the root key of a KDF chain is one
    poison_secret(ikm, sizeof(ikm));
    poison_check(sp_hkdf_sha256_batch(jobs, LANES_MAX + 1) == 0, "no derivation");
}

static void chain_step(void)
{
    uint8_t chain[LANES_MAX + 1][32], message_key[LANES_MAX + 1][32];
    poison_fill(chain, sizeof(chain));
    poison_secret(chain, sizeof(chain));
    for (size_t count = 1; count <= LANES_MAX + 1; count += 4)
        sp_active->hash->chain_step(chain, message_key, count);
}

static const struct poison_subject subjects[] = {
    {"AES-256-GCM, raw key", aead_raw},
    {"AES-256-GCM, prepared key", aead_prepared},
    {"AES-256-GCM, forged", aead_forged},
    {"X25519", x25519},
    {"X25519, base point", x25519_base},
    {"Ed25519 and its X25519 image", ed25519},
    {"HKDF-SHA-256", hkdf},
    {"chain step", chain_step},
    {"X3DH and its session", poison_x3dh},
    {"X3DH and its ratchet", poison_x3dh_ratchet},
    {"PQXDH and its session", poison_pqxdh},
};

// ---- controls: each leaks one byte of a secret --------------------------------------------------

static volatile uint8_t sink;

static void leak_by_branch(void)
{
    volatile uint8_t secret = 1;
    poison_secret((const void *)&secret, sizeof(secret));
    if (secret != 0)
        sink = 1;
}

static void leak_by_index(void)
{
    static volatile uint8_t table[256];
    volatile uint8_t secret = 1;
    poison_secret((const void *)&secret, sizeof(secret));
    sink = table[secret];
}

static void leak_by_comparison(void)
{
    uint8_t tag[16] = {0}, expected[16] = {0};
    volatile size_t len = sizeof(tag); // known lengths may be compared without a branch
    poison_secret(expected, sizeof(expected));
    sink = memcmp(tag, expected, len) == 0;
}

// Through the library: what an answer is, is found out by everybody who tries messages.
static void leak_by_text(void)
{
    struct message *m = &messages[0];
    poison_fill(m, offsetof(struct message, opened));
    poison_secret(m->key, sizeof(m->key));
    const struct sp_aead_job job = job_of(m, false, 41, 100);
    poison_check(sp_aead_seal_batch(&job, 1) == 0, "not sealed");
    if (m->sealed[99] & 1)
        sink = 1;
    poison_public(m, sizeof(*m));
}

static const struct poison_subject controls[] = {
    {"branch", leak_by_branch},
    {"index", leak_by_index},
    {"comparison", leak_by_comparison},
    {"branch on what was computed", leak_by_text},
};

// How often memcheck reported the subject.
static unsigned count_reports(const struct poison_subject *subject)
{
    const unsigned before = VALGRIND_COUNT_ERRORS;
    subject->run();
    return VALGRIND_COUNT_ERRORS - before;
}

int main(int argc, char **argv)
{
    bool good = true;
    poison_check(argc == 2 && RUNNING_ON_VALGRIND, "usage: valgrind poison TIER");
    poison_check(sp_init() == 0, "the library does not start");
    if (strcmp(argv[1], "aesni") == 0 && !sp_cpu_has_aesni()) {
        puts("skipped: this CPU has no AES-NI");
        return EXIT_SKIPPED;
    }
    poison_check(strcmp(sp_tier(), argv[1]) == 0, "another tier runs");
    for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
        const unsigned reports = count_reports(&controls[i]);
        fprintf(stderr, "control: %s: %s\n", controls[i].name, reports ? "seen" : "NOT SEEN");
        good = good && reports > 0;
    }
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        const unsigned reports = count_reports(&subjects[i]);
        fprintf(stderr, "%s: %s: %u reported\n", sp_tier(), subjects[i].name, reports);
        good = good && reports == 0;
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
