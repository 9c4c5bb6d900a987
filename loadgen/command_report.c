// sealpost-load report: a page from saved results. Thread: the process's main one.
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "command.h"
#include "exit_code.h"
#include "output_file.h"
#include "page.h"
#include "report.h"

#define CAPACITY_SCHEMA "sealpost.capacity/1"
#define DOCUMENT_MAX_BYTES (64u * MIB) // a result is a few hundred KiB

struct pages {
    const char *files[2];
    unsigned file_count;
    const char *out;
    char *result, *capacity; // compact JSON
};

static const char doc[] = "Make a page of saved results: one HTML file that needs no network.\v"
                          "RESULT is what --json of a run wrote, CAPACITY what the capacity "
                          "command did; either alone will "
                          "do.";

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "The page to write; - is standard output", 0},
    {0},
};

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct pages *p = state->input;

    switch (key) {
    case 'o':
        p->out = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (p->file_count == COUNT_OF(p->files))
            argp_error(state, "at most one result and one capacity document; '%s' is too much",
                       arg);
        p->files[p->file_count++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (p->file_count == 0)
            argp_error(state, "the result is missing: give a file that --json wrote");
        if (!p->out)
            argp_error(state, "give the page's file with -o");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool complain(const char *file, const char *what)
{
    fprintf(stderr, "sealpost-load: %s: %s\n", file, what);
    return false;
}

// A file's whole content, zero-terminated; NULL when errno tells why.
static char *read_file(const char *file, size_t *len)
{
    FILE *f = fopen(file, "re");
    char *text = f ? malloc(DOCUMENT_MAX_BYTES + 1) : NULL;

    *len = 0;
    if (text) {
        *len = fread(text, 1, DOCUMENT_MAX_BYTES + 1, f);
        if (ferror(f)) {
            free(text);
            text = NULL;
        }
    }
    if (f)
        fclose(f);
    return text;
}

static bool take_document(struct pages *p, const char *file)
{
    size_t len;
    char *text = read_file(file, &len), **into = NULL;
    yyjson_read_err err;
    yyjson_doc *document;
    const char *schema;
    bool ok = false;

    if (!text)
        return complain(file, strerror(errno));
    if (len > DOCUMENT_MAX_BYTES) {
        free(text);
        return complain(file, "is larger than any result");
    }
    document = yyjson_read_opts(text, len, 0, NULL, &err);
    schema = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(document), "schema"));
    if (!document)
        complain(file, err.msg);
    else if (!schema)
        complain(file, "is no result of sealpost-load: its schema is missing");
    else if (strcmp(schema, REPORT_SCHEMA) == 0)
        into = &p->result;
    else if (strcmp(schema, CAPACITY_SCHEMA) == 0)
        into = &p->capacity;
    else
        complain(file, "has a schema that this version does not know");
    if (into && *into)
        complain(file, "is a second one of its kind");
    else if (into)
        ok = (*into = yyjson_write(document, 0, NULL)) != NULL || complain(file, "out of memory");
    yyjson_doc_free(document);
    free(text);
    return ok;
}

int command_report(int argc, char **argv)
{
    static const struct argp argp = {
        option_table, parse_one, "RESULT.json [CAPACITY.json] -o FILE", doc, 0, 0, 0};
    struct pages p = {0};
    enum exit_code code = EXIT_CODE_BAD_OPTIONS;
    int err;

    argp_err_exit_status = EXIT_CODE_BAD_OPTIONS;
    argp_parse(&argp, argc, argv, 0, NULL, &p);
    for (unsigned i = 0; i < p.file_count; i++) {
        if (!take_document(&p, p.files[i]))
            goto cleanup;
    }
    err = page_write(p.out, p.result, p.capacity);
    code = output_file_complain(p.out, err) ? EXIT_CODE_PASS : EXIT_CODE_INTERNAL;

cleanup:
    free(p.result);
    free(p.capacity);
    return (int)code;
}
