// A file that a command writes a report to.
#include "output_file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

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
