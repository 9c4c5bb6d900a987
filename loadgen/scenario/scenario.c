// Scenario files through libcyaml: the schema is made from the options, what comes out becomes
// options again. Runs once, before any thread.
#include "scenario.h"

#include <assert.h>
#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "ready_made.h"
#include "scenario_entry.h"

#define DOCUMENT_FIELDS_MAX (2u + SCENARIO_LIST_COUNT + 2 * OPTION_NAMES_MAX + 1u)
#define MESSAGE_BYTES 160u

struct list {
    void *entries; // char *[count], or struct scenario_entry[count]
    uint64_t count;
};

// What libcyaml fills in. Each option has two places: under its name, and with '_' for '-'.
struct document {
    char *name, *description;
    struct list lists[SCENARIO_LIST_COUNT];
    char *values[OPTION_NAMES_MAX][2];
};

struct reading {
    const struct option_names *names;
    struct scenario *out;
    struct scenario_marks *marks;
    struct document *document;
    char *reason;
    // The schema.
    char underscored[OPTION_NAMES_MAX][SCENARIO_MARK_BYTES];
    cyaml_schema_field_t fields[DOCUMENT_FIELDS_MAX];
    cyaml_schema_field_t words[SCENARIO_LIST_COUNT][SCENARIO_ENTRY_WORDS_MAX + 1];
    cyaml_schema_value_t entries[SCENARIO_LIST_COUNT];
    cyaml_schema_value_t top;
    // What libcyaml said.
    char message[MESSAGE_BYTES];
    char key[SCENARIO_MARK_BYTES]; // of the file; where it was
    int entry;
};

static const cyaml_schema_value_t text_entry = {
    .type = CYAML_STRING,
    .flags = CYAML_FLAG_POINTER,
    .data_size = sizeof(char),
    .string = {.min = 1, .max = SCENARIO_VALUE_MAX_BYTES}};

PRINTF_LIKE(3, 4)
static int refuse(struct reading *r, uint32_t line, const char *format, ...)
{
    va_list args;
    int len = snprintf(r->reason, SCENARIO_REASON_BYTES, "%.100s:%u: ", r->out->source, line);

    va_start(args, format);
    vsnprintf(r->reason + len, SCENARIO_REASON_BYTES - (size_t)len, format, args);
    va_end(args);
    return -EINVAL;
}

static bool is_key(const char *option)
{
    // Lists have keys of their own; these two say what to do with the file.
    for (unsigned i = 0; i < SCENARIO_LIST_COUNT; i++) {
        if (strcmp(option, scenario_list_option((enum scenario_list)i)) == 0)
            return false;
    }
    return strcmp(option, "scenario") != 0 && strcmp(option, "check") != 0;
}

static cyaml_schema_field_t text_field(const char *key, size_t offset)
{
    cyaml_schema_field_t field = {.key = key, .data_offset = (uint32_t)offset, .value = text_entry};

    field.value.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL;
    return field;
}

static cyaml_schema_field_t list_field(struct reading *r, enum scenario_list list)
{
    const struct scenario_mark *first = scenario_marks_find(r->marks, scenario_list_key(list), 0);
    size_t offset = offsetof(struct document, lists) + list * sizeof(struct list);

    // All of a list are texts, or all are mappings: the first one tells.
    r->entries[list] = text_entry;
    if (first && first->is_mapping)
        r->entries[list] = (cyaml_schema_value_t){.type = CYAML_MAPPING,
                                                  .data_size = sizeof(struct scenario_entry),
                                                  .mapping = {.fields = r->words[list]}};
    return (cyaml_schema_field_t){
        .key = scenario_list_key(list),
        .data_offset = (uint32_t)(offset + offsetof(struct list, entries)),
        .count_offset = (uint32_t)(offset + offsetof(struct list, count)),
        .count_size = sizeof(uint64_t),
        .value = {.type = CYAML_SEQUENCE,
                  .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                  .data_size =
                      first && first->is_mapping ? sizeof(struct scenario_entry) : sizeof(char *),
                  .sequence = {.entry = &r->entries[list], .min = 0, .max = SCENARIO_LIST_MAX}}};
}

static void build_schema(struct reading *r)
{
    cyaml_schema_field_t *f = r->fields;

    *f++ = text_field("name", offsetof(struct document, name));
    *f++ = text_field("description", offsetof(struct document, description));
    for (unsigned i = 0; i < SCENARIO_LIST_COUNT; i++) {
        const char *const *words = scenario_entry_words((enum scenario_list)i);

        if (option_names_find(r->names, scenario_list_option((enum scenario_list)i)) < 0)
            continue;
        for (unsigned n = 0; words[n]; n++)
            r->words[i][n] = text_field(words[n], n * sizeof(char *));
        *f++ = list_field(r, (enum scenario_list)i);
    }
    for (uint32_t i = 0; i < r->names->count; i++) {
        const char *option = r->names->items[i].name;
        size_t offset = offsetof(struct document, values) + i * sizeof r->document->values[0];

        if (!is_key(option))
            continue;
        *f++ = text_field(option, offset);
        snprintf(r->underscored[i], sizeof r->underscored[i], "%s", option);
        for (char *c = r->underscored[i]; *c; c++)
            *c = *c == '-' ? '_' : *c;
        if (strcmp(r->underscored[i], option) != 0)
            *f++ = text_field(r->underscored[i], offset + sizeof(char *));
    }
    r->top = (cyaml_schema_value_t){.type = CYAML_MAPPING,
                                    .flags = CYAML_FLAG_POINTER,
                                    .data_size = sizeof(struct document),
                                    .mapping = {.fields = r->fields}};
}

// libcyaml tells what is wrong, and then from inside to outside where: the last key is the file's.
static void on_log(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
    struct reading *r = ctx;
    char line[MESSAGE_BYTES];
    const char *at;

    (void)level;
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "Load: Backtrace:") == 0)
        return;
    if (r->message[0] == '\0' && !strstr(line, "(line: ")) {
        snprintf(r->message, sizeof r->message, "%s",
                 strncmp(line, "Load: ", 6) == 0 ? line + 6 : line);
        return;
    }
    at = strstr(line, "mapping field '");
    if (at) {
        snprintf(r->key, sizeof r->key, "%.47s", at + strlen("mapping field '"));
        r->key[strcspn(r->key, "'")] = '\0';
    }
    at = strstr(line, "sequence entry '");
    if (at)
        r->entry = atoi(at + strlen("sequence entry '")) - 1;
}

static int refuse_key(struct reading *r, const char *name)
{
    const struct scenario_mark *mark = scenario_marks_find_name(r->marks, name);
    char words[MESSAGE_BYTES] = "";
    size_t len = 0;

    if (!mark || mark->entry < 0)
        return refuse(r, mark ? mark->line : 1,
                      "there is no key '%.40s'; keys are the long names of options (--help), name, "
                      "description, groups, stages and thresholds",
                      name);
    for (unsigned i = 0; i < SCENARIO_LIST_COUNT; i++) {
        const char *const *word = scenario_entry_words((enum scenario_list)i);

        if (strcmp(scenario_list_key((enum scenario_list)i), mark->key) != 0)
            continue;
        for (; *word; word++)
            len += (size_t)snprintf(words + len, sizeof words - len, "%s%s", len > 0 ? ", " : "",
                                    *word);
    }
    return refuse(r, mark->line, "%s have no key '%.40s'; theirs are %s", mark->key, name, words);
}

// libcyaml's messages in words of the file.
static const char *explain(const char *message)
{
    static const struct {
        const char *part, *words;
    } known[] = {
        {"got event: SEQUENCE", "takes one value, not a list"},
        {"got event: MAPPING", "takes one value here, not a mapping"},
        {"Expecting SEQUENCE", "is a list: each entry begins with '- '"},
        {"Expecting MAPPING", "is a mapping here like the entries before: 'key: value'"},
        {"already seen", "stands here twice"},
        {"Excessive entries", "has more than 32 entries"},
        {"length < ", "has no value"},
        {"length > ", "has a value of more than 255 characters"},
        {"alias", "takes a value of its own, not an alias"},
    };

    for (unsigned i = 0; i < COUNT_OF(known); i++) {
        if (strstr(message, known[i].part))
            return known[i].words;
    }
    return message;
}

static int refuse_load(struct reading *r, cyaml_err_t err)
{
    static const char unknown[] = "Unexpected key: ";
    const struct scenario_mark *mark = NULL;

    if (err == CYAML_ERR_OOM)
        return -ENOMEM;
    if (strncmp(r->message, unknown, sizeof unknown - 1) == 0)
        return refuse_key(r, r->message + sizeof unknown - 1);
    if (r->key[0] == '\0')
        return refuse(r, 1, "the file is not a mapping of keys to values, like 'connections: 100'");
    if (r->entry >= 0)
        mark = scenario_marks_find(r->marks, r->key, r->entry);
    if (!mark)
        mark = scenario_marks_find_name(r->marks, r->key);
    return refuse(r, mark ? mark->line : 1, "%s %s", r->key,
                  explain(r->message[0] != '\0' ? r->message : cyaml_strerror(err)));
}

static int add_setting(struct reading *r, const char *option, const char *value, uint32_t line)
{
    struct scenario *s = r->out;
    struct scenario_setting *setting = &s->settings[s->count];

    assert(s->count < SCENARIO_SETTINGS_MAX);
    if (asprintf(&setting->text, value ? "--%s=%s" : "--%s", option, value) < 0) {
        setting->text = NULL;
        return -ENOMEM;
    }
    setting->option = option;
    setting->line = line;
    s->count++;
    return 0;
}

static int add_list(struct reading *r, enum scenario_list list)
{
    const struct list *l = &r->document->lists[list];
    bool mappings = r->entries[list].type == CYAML_MAPPING;
    int err = 0;

    for (uint64_t i = 0; i < l->count && err == 0; i++) {
        const struct scenario_mark *mark =
            scenario_marks_find(r->marks, scenario_list_key(list), (int)i);
        char text[SCENARIO_ENTRY_BYTES], why[SCENARIO_ENTRY_REASON_BYTES];
        uint32_t line = mark ? mark->line : 1;

        if (!mappings) {
            err = add_setting(r, scenario_list_option(list), ((char **)l->entries)[i], line);
            continue;
        }
        if (scenario_entry_format(text, list, &((struct scenario_entry *)l->entries)[i], why) < 0)
            return refuse(r, line, "an entry of %s %s", scenario_list_key(list), why);
        err = add_setting(r, scenario_list_option(list), text, line);
    }
    return err;
}

static int add_value(struct reading *r, uint32_t index)
{
    const struct option_name *name = &r->names->items[index];
    char *const *values = r->document->values[index];
    const char *value = values[0] ? values[0] : values[1];
    const struct scenario_mark *mark =
        scenario_marks_find(r->marks, values[0] ? name->name : r->underscored[index], -1);
    uint32_t line = mark ? mark->line : 1;

    if (!value)
        return 0;
    if (values[0] && values[1])
        return refuse(r, line, "%s stands here twice, also as %s", name->name,
                      r->underscored[index]);
    if (name->has_value)
        return add_setting(r, name->name, value, line);
    if (strcmp(value, "true") == 0)
        return add_setting(r, name->name, NULL, line);
    if (strcmp(value, "false") == 0)
        return 0;
    return refuse(r, line, "%s takes true or false, not '%.40s'", name->name, value);
}

static int add_settings(struct reading *r)
{
    int err = 0;

    if (!r->document) // an empty file
        return 0;
    r->out->name = r->document->name;
    r->out->description = r->document->description;
    r->document->name = r->document->description = NULL;
    for (uint32_t i = 0; i < r->names->count && err == 0; i++)
        err = add_value(r, i);
    for (unsigned i = 0; i < SCENARIO_LIST_COUNT && err == 0; i++)
        err = add_list(r, (enum scenario_list)i);
    return err;
}

static int read_text(struct reading *r, const char *text, size_t len)
{
    const cyaml_config_t config = {.log_fn = on_log,
                                   .log_ctx = r,
                                   .log_level = CYAML_LOG_ERROR,
                                   .mem_fn = cyaml_mem,
                                   .flags = CYAML_CFG_NO_ALIAS};
    char why[SCENARIO_REASON_BYTES];
    uint32_t line = 1;
    cyaml_err_t cyaml_err;
    int err = scenario_marks_read(r->marks, text, len, &line, why);

    if (err < 0)
        return err == -EINVAL ? refuse(r, line, "%.140s", why) : err;
    build_schema(r);
    cyaml_err = cyaml_load_data((const uint8_t *)text, len, &config, &r->top,
                                (cyaml_data_t **)&r->document, NULL);
    if (cyaml_err != CYAML_OK)
        return refuse_load(r, cyaml_err);
    err = add_settings(r);
    cyaml_free(&config, &r->top, r->document, 0);
    return err;
}

int scenario_create(struct scenario **out, const char *source, const char *text, size_t len,
                    const struct option_names *names, char reason[SCENARIO_REASON_BYTES])
{
    struct reading *r = calloc(1, sizeof *r);
    struct scenario *s = calloc(1, sizeof *s);
    int err = -ENOMEM;

    reason[0] = '\0';
    if (!r || !s)
        goto cleanup;
    *r = (struct reading){.names = names, .out = s, .reason = reason, .entry = -1};
    r->marks = calloc(1, sizeof *r->marks);
    s->source = strdup(source);
    if (r->marks && s->source)
        err = read_text(r, text, len);

cleanup:
    if (err == -ENOMEM)
        snprintf(reason, SCENARIO_REASON_BYTES, "%.100s: out of memory", source);
    if (r)
        free(r->marks);
    free(r);
    if (err < 0) {
        scenario_destroy(s);
        s = NULL;
    }
    *out = s;
    return err;
}

static int load_ready_made(struct scenario **out, const char *name,
                           const struct option_names *names, char reason[SCENARIO_REASON_BYTES])
{
    const struct ready_made *found = ready_made_find(name);
    char list[SCENARIO_REASON_BYTES];

    if (found)
        return scenario_create(out, name, found->text, found->len, names, reason);
    ready_made_list_names(list, sizeof list);
    snprintf(reason, SCENARIO_REASON_BYTES,
             "--scenario '%.60s': no such file; the ready-made ones are %.130s", name, list);
    *out = NULL;
    return -ENOENT;
}

int scenario_load(struct scenario **out, const char *path, const struct option_names *names,
                  char reason[SCENARIO_REASON_BYTES])
{
    char *text = NULL;
    size_t len = 0;
    int err = 0;
    FILE *f = fopen(path, "re");

    *out = NULL;
    if (!f && errno == ENOENT)
        return load_ready_made(out, path, names, reason);
    text = malloc(SCENARIO_FILE_MAX_BYTES + 1);
    if (!f || !text)
        err = -errno;
    else
        len = fread(text, 1, SCENARIO_FILE_MAX_BYTES + 1, f);
    if (err == 0 && ferror(f))
        err = errno ? -errno : -EIO;
    if (err == 0 && len > SCENARIO_FILE_MAX_BYTES)
        err = -EFBIG;
    if (err < 0)
        snprintf(reason, SCENARIO_REASON_BYTES, "--scenario %.120s: %s", path, strerror(-err));
    else
        err = scenario_create(out, path, text, len, names, reason);
    if (f)
        fclose(f);
    free(text);
    return err;
}

void scenario_destroy(struct scenario *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->count; i++)
        free(s->settings[i].text);
    free(s->source);
    free(s->name);
    free(s->description);
    free(s);
}
