// Files that are there as a whole or not at all.
#include "output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_TRIES 16u

// Where the bytes go until they are all there.
struct aside {
    char target[PATH_MAX];
    char path[PATH_MAX]; // in the target's folder
    bool has_mode;
    mode_t mode; // of what is replaced
};

static bool is_stdout(const char *file)
{
    return strcmp(file, "-") == 0;
}

// ---- the stream ---------------------------------------------------------------------------------

static int fill_and_flush(FILE *f, output_file_fill *fill, const void *what)
{
    int err;

    errno = 0;
    err = fill(what, f);
    if (err == 0 && (fflush(f) != 0 || ferror(f)))
        err = errno > 0 ? -errno : -EIO;
    return err;
}

static int fill_and_close(FILE *f, output_file_fill *fill, const void *what)
{
    int err = fill_and_flush(f, fill, what);

    if (fclose(f) != 0 && err == 0)
        err = -errno;
    return err;
}

static int write_in_place(const char *file, output_file_fill *fill, const void *what)
{
    FILE *f = fopen(file, "we");

    return f ? fill_and_close(f, fill, what) : -errno;
}

// ---- aside --------------------------------------------------------------------------------------

// A name nobody else has: folders like /tmp are everybody's. Errors: -errno.
static int open_aside(struct aside *a)
{
    char folder[PATH_MAX];
    const char *in;
    uint64_t number;

    memcpy(folder, a->target, sizeof folder);
    in = dirname(folder);
    for (unsigned i = 0; i < NAME_TRIES; i++) {
        int fd;

        if (getrandom(&number, sizeof number, 0) != sizeof number)
            return -errno;
        if ((size_t)snprintf(a->path, sizeof a->path, "%s/.sealpost-%016llx.part", in,
                             (unsigned long long)number) >= sizeof a->path)
            return -ENAMETOOLONG;
        fd = open(a->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd >= 0 ? fd : -errno;
    }
    return -EEXIST;
}

static int fill_aside(struct aside *a, int fd, output_file_fill *fill, const void *what)
{
    int err = 0;
    FILE *f;

    if (a->has_mode && fchmod(fd, a->mode & 07777) < 0)
        err = -errno;
    f = err == 0 ? fdopen(fd, "w") : NULL;
    if (!f && err == 0)
        err = -errno;
    if (f)
        err = fill_and_close(f, fill, what);
    else
        close(fd);
    if (err == 0 && rename(a->path, a->target) < 0)
        err = -errno;
    if (err < 0)
        unlink(a->path);
    return err;
}

static int write_aside(struct aside *a, output_file_fill *fill, const void *what)
{
    sigset_t ends, before;
    int fd, err;

    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &ends, &before);
    fd = open_aside(a);
    err = fd < 0 ? fd : fill_aside(a, fd, fill, what);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    // Who may write this file but no other in its folder still can.
    if (a->has_mode && (fd == -EACCES || fd == -EPERM))
        return write_in_place(a->target, fill, what);
    return err;
}

// Names of open descriptors: a file behind one is written through it, not replaced.
static bool is_descriptor(const char *file)
{
    return strncmp(file, "/dev/", 5) == 0 || strncmp(file, "/proc/", 6) == 0;
}

// What is there already decides how it is written.
static int write_file(const char *file, output_file_fill *fill, const void *what)
{
    struct aside a = {.has_mode = false};
    struct stat st;

    if (stat(file, &st) == 0) {
        if (!S_ISREG(st.st_mode) || is_descriptor(file))
            return write_in_place(file, fill, what);
        // Renaming asks for no right to the file itself.
        if (access(file, W_OK) < 0 || !realpath(file, a.target))
            return -errno;
        a.has_mode = true;
        a.mode = st.st_mode;
    } else if (errno != ENOENT) {
        return -errno;
    } else if (lstat(file, &st) == 0) {
        return write_in_place(file, fill, what); // a link to nothing: that is made
    } else if ((size_t)snprintf(a.target, sizeof a.target, "%s", file) >= sizeof a.target) {
        return -ENAMETOOLONG;
    }
    return write_aside(&a, fill, what);
}

int output_file_write(const char *file, output_file_fill *fill, const void *what)
{
    if (!file)
        return 0;
    return is_stdout(file) ? fill_and_flush(stdout, fill, what) : write_file(file, fill, what);
}

static int put_line(const void *text, FILE *out)
{
    fprintf(out, "%s\n", (const char *)text);
    return 0;
}

int output_file_write_text(const char *file, const char *text)
{
    if (file && !text)
        return -ENOMEM;
    return output_file_write(file, put_line, text);
}

bool output_file_complain(const char *file, int err)
{
    if (err < 0)
        fprintf(stderr, "sealpost-load: %s: %s\n", file, strerror(-err));
    return err == 0;
}

int output_file_check(const char *file)
{
    char path[PATH_MAX];
    struct stat st;

    if (!file || is_stdout(file))
        return 0;
    if (stat(file, &st) == 0)
        return S_ISDIR(st.st_mode) ? -EISDIR : access(file, W_OK) < 0 ? -errno : 0;
    if (errno != ENOENT)
        return -errno;
    if ((size_t)snprintf(path, sizeof path, "%s", file) >= sizeof path)
        return -ENAMETOOLONG;
    return access(dirname(path), W_OK | X_OK) < 0 ? -errno : 0;
}
