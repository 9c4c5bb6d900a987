// Files of reports: what can be written, told before there is anything to write; and that they are
// there as a whole or not at all.
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output_file.h"

static char folder[] = "/tmp/sealpost-output-XXXXXX";
static char file[sizeof folder + 8], other[sizeof folder + 8];

static void init(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/file", folder);
    snprintf(other, sizeof other, "%s/other", folder);
}

static void fini(void)
{
    unlink(file);
    unlink(other);
    rmdir(folder);
}

static unsigned count_files(void)
{
    unsigned count = 0;
    DIR *dir = opendir(folder);

    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return count;
}

static const char *read_back(const char *path)
{
    static char text[64];
    FILE *f = fopen(path, "r");

    cr_assert_not_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void put_old(void)
{
    cr_assert_eq(output_file_write_text(file, "old"), 0);
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

Test(output_file, write_text)
{
    struct stat st;

    umask(022);
    cr_assert_eq(output_file_write_text(file, "a result"), 0);
    cr_assert_str_eq(read_back(file), "a result\n");
    cr_assert_eq(stat(file, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0644, "as any program makes files");
    cr_assert_eq(count_files(), 1);
    cr_assert_eq(output_file_write_text(NULL, "not wanted"), 0);
    cr_assert_eq(output_file_write_text(NULL, NULL), 0);
    cr_assert_eq(output_file_write_text(file, NULL), -ENOMEM);
    cr_assert_str_eq(read_back(file), "a result\n");
}

static int fill_some(const void *err, FILE *out)
{
    fputs("half", out);
    fflush(out);
    cr_assert_str_eq(read_back(file), "old\n", "nobody sees a part of it");
    return *(const int *)err;
}

Test(output_file, write_shows_nothing_before_it_is_whole)
{
    int fault = -ENODATA, none = 0;

    put_old();
    cr_assert_eq(output_file_write(file, fill_some, &fault), -ENODATA);
    cr_assert_str_eq(read_back(file), "old\n");
    cr_assert_eq(count_files(), 1, "nothing is left beside it");
    cr_assert_eq(output_file_write(file, fill_some, &none), 0);
    cr_assert_str_eq(read_back(file), "half");
    cr_assert_eq(count_files(), 1);
}

static int fill_much(const void *unused, FILE *out)
{
    (void)unused;
    for (unsigned i = 0; i < 100000; i++)
        fputs("and more ", out);
    return 0;
}

// A disk that is full in the middle: the limit on a file's size fails the same call.
Test(output_file, write_that_finds_no_room_leaves_what_was_there)
{
    const struct rlimit room = {4096, 4096};

    signal(SIGXFSZ, SIG_IGN);
    put_old();
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &room), 0);
    cr_assert_eq(output_file_write(file, fill_much, NULL), -EFBIG);
    cr_assert_str_eq(read_back(file), "old\n");
    cr_assert_eq(output_file_write(other, fill_much, NULL), -EFBIG);
    cr_assert_eq(count_files(), 1);
}

static volatile sig_atomic_t interrupts;

static void count_interrupt(int signal_number)
{
    interrupts += signal_number == SIGINT;
}

static int fill_with_interrupt(const void *unused, FILE *out)
{
    (void)unused;
    fputs("begin ", out);
    raise(SIGINT);
    cr_assert_eq(interrupts, 0, "it waits");
    fputs("end", out);
    return 0;
}

Test(output_file, write_is_not_interrupted)
{
    signal(SIGINT, count_interrupt);
    cr_assert_eq(output_file_write(file, fill_with_interrupt, NULL), 0);
    cr_assert_eq(interrupts, 1);
    cr_assert_str_eq(read_back(file), "begin end");
}

Test(output_file, write_keeps_links_and_permissions)
{
    struct stat st;

    put_old();
    cr_assert_eq(chmod(file, 0640), 0);
    cr_assert_eq(symlink("file", other), 0);
    cr_assert_eq(output_file_write_text(other, "new"), 0);
    cr_assert_eq(lstat(other, &st), 0);
    cr_assert(S_ISLNK(st.st_mode));
    cr_assert_eq(stat(file, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0640);
    cr_assert_str_eq(read_back(file), "new\n");
    // A link to nothing makes what it names.
    unlink(file);
    cr_assert_eq(output_file_write_text(other, "made"), 0);
    cr_assert_str_eq(read_back(file), "made\n");
    cr_assert_eq(count_files(), 2);
}

Test(output_file, write_tells_what_is_wrong)
{
    char below[sizeof file + 8];

    cr_assert_eq(output_file_write_text("/dev/full", "x"), -ENOSPC);
    cr_assert_eq(output_file_write_text("/dev/null", "x"), 0, "a device is not replaced");
    cr_assert_eq(output_file_write_text(folder, "x"), -EISDIR);
    cr_assert_eq(output_file_write_text("/no/such/folder/file", "x"), -ENOENT);
    put_old();
    snprintf(below, sizeof below, "%s/file", file);
    cr_assert_eq(output_file_write_text(below, "x"), -ENOTDIR);
}

Test(output_file, write_through_a_descriptor)
{
    char name[32];
    FILE *f;
    int fd;

    put_old();
    f = fopen(file, "r+");
    fd = fileno(f);
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    cr_assert_eq(output_file_write_text(name, "through"), 0);
    // It is the same file still, not one of its name.
    cr_assert_eq(fseek(f, 0, SEEK_SET), 0);
    cr_assert_eq(fgetc(f), 't');
    fclose(f);
}

static void complain(void)
{
    cr_assert(output_file_complain("a", 0));
    cr_assert_not(output_file_complain("/some/where", -ENOSPC));
}

Test(output_file, complain_names_file_and_reason)
{
    char text[128] = "";
    FILE *f = tmpfile();

    fflush(stderr);
    dup2(fileno(f), STDERR_FILENO);
    complain();
    rewind(f);
    cr_assert_not_null(fgets(text, sizeof text, f));
    cr_assert_str_eq(text, "sealpost-load: /some/where: No space left on device\n");
}
