// Files of reports: what can be written, told before there is anything to write.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output_file.h"

static char folder[] = "/tmp/sealpost-output-XXXXXX";
static char file[sizeof folder + 8];

static void init(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/file", folder);
}

static void fini(void)
{
    unlink(file);
    rmdir(folder);
}

TestSuite(output_file, .init = init, .fini = fini);

Test(output_file, check_leaves_no_trace)
{
    struct stat st;

    cr_assert_eq(output_file_check(NULL), 0);
    cr_assert_eq(output_file_check("-"), 0);
    cr_assert_eq(output_file_check(file), 0);
    cr_assert_lt(stat(file, &st), 0, "it was not made");
}

Test(output_file, check_keeps_what_is_there)
{
    FILE *f = fopen(file, "w");
    struct stat st;

    cr_assert(fputs("kept", f) >= 0 && fclose(f) == 0);
    cr_assert_eq(output_file_check(file), 0);
    cr_assert_eq(stat(file, &st), 0);
    cr_assert_eq(st.st_size, 4);
}

Test(output_file, check_tells_what_is_wrong)
{
    char below[sizeof file + 8];

    cr_assert_eq(output_file_check(folder), -EISDIR);
    cr_assert_eq(output_file_check("/no/such/folder/file"), -ENOENT);
    fclose(fopen(file, "w"));
    snprintf(below, sizeof below, "%s/file", file);
    cr_assert_eq(output_file_check(below), -ENOTDIR);
}
