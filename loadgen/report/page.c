// Puts the page together from its files and the documents. No state.
#include "page.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "output_file.h"
#include "page_text.h"

#define HASH_BASE64_BYTES 48u

void page_format_policy(enum page_kind kind, char policy[PAGE_POLICY_BYTES])
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char base64[HASH_BASE64_BYTES];

    crypto_hash_sha256(hash, (const uint8_t *)page_text_js, strlen(page_text_js));
    sodium_bin2base64(base64, sizeof base64, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
    snprintf(
        policy, PAGE_POLICY_BYTES,
        "default-src 'none'; script-src 'sha256-%s'; style-src 'unsafe-inline'; img-src data:; "
        "connect-src '%s'; base-uri 'none'; form-action 'none'",
        base64, kind == PAGE_LIVE ? "self" : "none");
}

void page_put_json(FILE *to, const char *json)
{
    for (const char *at = json; *at; at++) {
        if (*at == '<')
            fputs("\\u003c", to);
        else if (strncmp(at, "\xe2\x80\xa8", 3) == 0 || strncmp(at, "\xe2\x80\xa9", 3) == 0) {
            fprintf(to, "\\u20%s", at[2] == '\xa8' ? "28" : "29");
            at += 2;
        } else
            fputc(*at, to);
    }
}

static void put_part(FILE *to, const char *name, size_t len, enum page_kind kind,
                     const char *result, const char *capacity)
{
    char policy[PAGE_POLICY_BYTES];

    if (strncmp(name, "policy", len) == 0) {
        page_format_policy(kind, policy);
        fputs(policy, to);
    } else if (strncmp(name, "kind", len) == 0)
        fputs(kind == PAGE_LIVE ? "live" : "saved", to);
    else if (strncmp(name, "style", len) == 0)
        fputs(page_text_css, to);
    else if (strncmp(name, "script", len) == 0)
        fputs(page_text_js, to);
    else if (strncmp(name, "result", len) == 0)
        page_put_json(to, result ? result : "");
    else if (strncmp(name, "capacity", len) == 0)
        page_put_json(to, capacity ? capacity : "");
}

static void put_page(FILE *to, enum page_kind kind, const char *result, const char *capacity)
{
    const char *at = page_text_html, *begin;

    while ((begin = strstr(at, "{{")) != NULL) {
        const char *name = begin + 2, *end = strstr(name, "}}");

        fwrite(at, 1, (size_t)(begin - at), to);
        put_part(to, name, (size_t)(end - name), kind, result, capacity);
        at = end + 2;
    }
    fputs(at, to);
}

char *page_format(enum page_kind kind, const char *result, const char *capacity, size_t *len)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, len);

    if (!to)
        return NULL;
    put_page(to, kind, result, capacity);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

static int put_saved(const void *documents, FILE *to)
{
    const char *const *d = documents;

    put_page(to, PAGE_SAVED, d[0], d[1]);
    return 0;
}

int page_write(const char *file, const char *result, const char *capacity)
{
    const char *const documents[] = {result, capacity};

    return output_file_write(file, put_saved, documents);
}
