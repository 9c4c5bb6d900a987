// Files and folders of results.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence.h"

#define ROW(name) "{\"pattern\":\"" name "\",\"server\":\"s\"}"

static char folder[64];
static struct measurement_list list;
static char reason[MEASUREMENT_PARSE_REASON_BYTES];

static void init(void)
{
    strcpy(folder, "/tmp/test_evidence-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
}

static void fini(void)
{
    char command[128];

    measurement_list_free(&list);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert(system(command) == 0);
}

TestSuite(evidence, .init = init, .fini = fini);

static char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "w");

    cr_assert(f != NULL);
    fputs(text, f);
    fclose(f);
}

Test(evidence, load_folder_in_order)
{
    write_file("2.jsonl", ROW("c") "\n" ROW("d"));
    write_file("1.json", "[" ROW("a") "," ROW("b") "]");
    write_file("3.ndjson", ROW("e"));
    write_file("notes.txt", "not read");
    write_file(".json", "neither");
    cr_assert(eq(int, evidence_load(&list, folder, reason), 0), "%s", reason);
    cr_assert(eq(sz, list.count, 5));
    cr_expect(eq(str, list.items[0].name, "a/s"));
    cr_expect(eq(str, list.items[4].name, "e/s"));
    cr_expect(eq(str, list.items[2].source, path_of("2.jsonl")));
}

Test(evidence, load_empty_folder)
{
    cr_expect(eq(int, evidence_load(&list, folder, reason), 0));
    cr_expect(eq(sz, list.count, 0));
}

Test(evidence, load_missing)
{
    char expected[256];

    cr_expect(eq(int, evidence_load(&list, path_of("none"), reason), -ENOENT));
    snprintf(expected, sizeof expected, "%s: No such file or directory", path_of("none"));
    cr_expect(eq(str, reason, expected));
}

Test(evidence, load_long_file)
{
    FILE *f = fopen(path_of("long.json"), "w");

    // Longer than the first read, and as long as it exactly would be.
    fputs(ROW("a"), f);
    for (unsigned i = 0; i < 200 * KIB; i++)
        fputc('\n', f);
    fputs(ROW("b"), f);
    fclose(f);
    cr_assert(eq(int, evidence_load(&list, path_of("long.json"), reason), 0));
    cr_expect(eq(sz, list.count, 2));
    write_file("exact.json", "");
    cr_assert(truncate(path_of("exact.json"), 0) == 0);
    f = fopen(path_of("exact.json"), "w");
    fprintf(f, "%s%*s", ROW("a"), (int)(64 * KIB - strlen(ROW("a"))), "");
    fclose(f);
    cr_assert(eq(int, evidence_load(&list, path_of("exact.json"), reason), 0), "%s", reason);
    cr_expect(eq(sz, list.count, 3));
}

Test(evidence, load_too_large)
{
    write_file("huge.json", "[");
    cr_assert(truncate(path_of("huge.json"), (off_t)EVIDENCE_FILE_MAX_BYTES + 1) == 0);
    cr_expect(eq(int, evidence_load(&list, path_of("huge.json"), reason), -EFBIG));
    cr_expect(strstr(reason, "larger than 64 MiB; that is not a result") != NULL);
}

Test(evidence, load_wrong_file_of_a_folder)
{
    write_file("1.json", ROW("a"));
    write_file("2.json", "{");
    cr_expect(eq(int, evidence_load(&list, folder, reason), -EBADMSG));
    cr_expect(strstr(reason, "2.json: not JSON") != NULL);
}
