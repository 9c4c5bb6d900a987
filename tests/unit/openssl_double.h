// What stands between the library and OpenSSL in tests: calls that fail when told to, and a watch
// over what is freed. For programs linked with --wrap for each call named.
#ifndef SEALPOST_TEST_OPENSSL_DOUBLE_H
#define SEALPOST_TEST_OPENSSL_DOUBLE_H

#include <criterion/criterion.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// DOUBLE(type, name, failure, (parameters), (arguments)): once `name##_fails_after` calls went
// through, one of `name` returns `failure`.
#define DOUBLE(type, name, failure, parameters, arguments)                                         \
    static unsigned name##_fails_after = UINT_MAX;                                                 \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return name##_fails_after-- == 0 ? failure : __real_##name arguments;                      \
    }

// ---- a watch for secrets in what OpenSSL frees --------------------------------------------------

#define WATCH_BYTES 16u // any so many bytes of a secret in a row are noticed
#define WATCH_SECRETS_MAX 4u
#define WATCH_SECRET_BYTES_MAX 64u

static struct {
    uint8_t bytes[WATCH_SECRET_BYTES_MAX];
    size_t len;
} watch_secret[WATCH_SECRETS_MAX];
static size_t watch_count, watch_found, watch_blocks; // blocks: allocated and not freed

static inline void watch_look(const uint8_t *block)
{
    if (block == NULL)
        return;
    const size_t len = malloc_usable_size((void *)block);
    for (size_t i = 0; i < watch_count; i++) {
        for (size_t at = 0; at + WATCH_BYTES <= watch_secret[i].len; at += WATCH_BYTES)
            watch_found += memmem(block, len, watch_secret[i].bytes + at, WATCH_BYTES) != NULL;
    }
}

static inline void *watch_malloc(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    watch_blocks++;
    return malloc(len);
}

static inline void watch_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    watch_look(block);
    watch_blocks -= block != NULL;
    free(block);
}

// Always to another place, so that the old one is looked at.
static inline void *watch_realloc(void *block, size_t len, const char *file, int line)
{
    void *moved = watch_malloc(len, file, line);
    const size_t old_len = block == NULL ? 0 : malloc_usable_size(block);
    cr_assert_not_null(moved);
    if (old_len > 0)
        memcpy(moved, block, old_len < len ? old_len : len);
    watch_free(block, file, line);
    return moved;
}

static inline void watch_for(const uint8_t *secret, size_t len)
{
    cr_assert_lt(watch_count, WATCH_SECRETS_MAX);
    cr_assert_leq(len, WATCH_SECRET_BYTES_MAX);
    memcpy(watch_secret[watch_count].bytes, secret, len);
    watch_secret[watch_count++].len = len;
}

// Comes before anything else that OpenSSL does in this process. Proves itself.
static inline void watch_start(void)
{
    static const uint8_t known[WATCH_BYTES] = "found by a watch";
    cr_assert_eq(CRYPTO_set_mem_functions(watch_malloc, watch_realloc, watch_free), 1);
    watch_for(known, sizeof(known));
    uint8_t *block = OPENSSL_zalloc(100);
    memcpy(block + 7, known, sizeof(known));
    OPENSSL_free(block);
    cr_assert_eq(watch_found, 1);
    watch_found = 0;
}

#endif
