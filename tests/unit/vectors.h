// Reads the files of tests/vectors: records of `name = hex` lines, a blank line after each record,
// comments from `#`. For tests only: whatever is wrong with a file ends the test.
#ifndef SEALPOST_TEST_VECTORS_H
#define SEALPOST_TEST_VECTORS_H

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define VECTOR_FIELDS_MAX 48u
#define VECTOR_BYTES_MAX 8192u
#define VECTOR_NAME_BYTES 32u

struct vector_field {
    char name[VECTOR_NAME_BYTES];
    uint8_t bytes[VECTOR_BYTES_MAX];
    size_t len;
};

struct vector_record {
    struct vector_field field[VECTOR_FIELDS_MAX];
    size_t count;
};

static inline FILE *vector_open(const char *file)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", SEALPOST_VECTORS, file);
    FILE *in = fopen(path, "r");
    cr_assert_not_null(in, "cannot open %s", path);
    return in;
}

static inline void vector_parse(struct vector_field *field, const char *line)
{
    int at = 0;
    cr_assert_eq(sscanf(line, "%31s =%n", field->name, &at), 1);
    cr_assert_gt(at, 0, "no `=` in: %s", line);
    const char *hex = line + at;
    unsigned byte;
    field->len = 0;
    while (sscanf(hex, " %2x%n", &byte, &at) == 1) {
        cr_assert_lt(field->len, VECTOR_BYTES_MAX);
        field->bytes[field->len++] = (uint8_t)byte;
        hex += at;
    }
    cr_assert_str_eq(hex, "\n");
}

// False at the end of the file.
static inline bool vector_next(FILE *in, struct vector_record *out)
{
    char line[2 * VECTOR_BYTES_MAX + 2 * VECTOR_NAME_BYTES];
    out->count = 0;
    while (fgets(line, sizeof(line), in) != NULL) {
        if (line[0] == '\n' && out->count > 0)
            break;
        if (line[0] == '\n' || line[0] == '#')
            continue;
        cr_assert_lt(out->count, VECTOR_FIELDS_MAX);
        vector_parse(&out->field[out->count++], line);
    }
    return out->count > 0;
}

// NULL when the record has no such field.
static inline struct vector_field *vector_find(struct vector_record *record, const char *name)
{
    for (size_t i = 0; i < record->count; i++) {
        if (strcmp(record->field[i].name, name) == 0)
            return &record->field[i];
    }
    return NULL;
}

static inline struct vector_field *vector_get(struct vector_record *record, const char *name)
{
    struct vector_field *field = vector_find(record, name);
    cr_assert_not_null(field, "no field %s", name);
    return field;
}

static inline uint8_t *vector_bytes(struct vector_record *record, const char *name)
{
    return vector_get(record, name)->bytes;
}

static inline bool vector_is_zero(const void *bytes, size_t len)
{
    uint8_t all = 0;
    for (size_t i = 0; i < len; i++)
        all |= ((const uint8_t *)bytes)[i];
    return all == 0;
}

#endif
