// A file that a command writes a report to.
#include "output_file.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int output_file_write(const char *file, int (*write)(const void *what, FILE *out), const void *what)
{
    bool to_stdout = file && strcmp(file, "-") == 0;
    FILE *f;
    int err;

    if (!file)
        return 0;
    f = to_stdout ? stdout : fopen(file, "we");
    err = f ? write(what, f) : -errno;
    if (f && err == 0 && (fflush(f) != 0 || ferror(f)))
        err = errno > 0 ? -errno : -EIO;
    if (f && !to_stdout && fclose(f) != 0 && err == 0)
        err = -errno;
    if (err < 0)
        fprintf(stderr, "sealpost-load: %s: %s\n", file, strerror(-err));
    return err;
}

int output_file_check(const char *file)
{
    char path[PATH_MAX];
    struct stat st;

    if (!file || strcmp(file, "-") == 0)
        return 0;
    if (stat(file, &st) == 0)
        return S_ISDIR(st.st_mode) ? -EISDIR : access(file, W_OK) < 0 ? -errno : 0;
    if (errno != ENOENT)
        return -errno;
    if ((size_t)snprintf(path, sizeof path, "%s", file) >= sizeof path)
        return -ENAMETOOLONG;
    return access(dirname(path), W_OK | X_OK) < 0 ? -errno : 0;
}
