// Suspected regressions measured again by a command of the user's. Blocking; main thread.
#include "rerun.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "evidence.h"

extern char **environ;

struct folders {
    char top[64], base[80], new[80];
};

static int refuse(char *reason, int err, const char *what)
{
    snprintf(reason, MEASUREMENT_PARSE_REASON_BYTES, "%s: %s", what, strerror(-err));
    return err;
}

static int make_folders(struct folders *f)
{
    const char *temp = getenv("TMPDIR");

    if (!temp || strlen(temp) > 32)
        temp = "/tmp";
    snprintf(f->top, sizeof f->top, "%s/sealpost-rerun-XXXXXX", temp);
    if (!mkdtemp(f->top))
        return -errno;
    snprintf(f->base, sizeof f->base, "%s/base", f->top);
    snprintf(f->new, sizeof f->new, "%s/new", f->top);
    return mkdir(f->base, 0777) < 0 || mkdir(f->new, 0777) < 0 ? -errno : 0;
}

// Only what lies in it as flat files: a command that made more has its own use for it.
static void remove_folder(const char *path)
{
    DIR *dir = opendir(path);

    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        unlinkat(dirfd(dir), entry->d_name, 0); // "." and ".." refuse
    closedir(dir);
    rmdir(path);
}

// Returns the command's exit code, 128 + signal as the shell has it, or -errno.
static int run_command(const char *command)
{
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)command,
                    NULL};
    posix_spawn_file_actions_t actions;
    int status, err = posix_spawn_file_actions_init(&actions);
    pid_t pid;

    if (err != 0)
        return -err;
    err = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    if (err == 0)
        err = posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (err != 0)
        return -err;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int rerun_measure(const char *command, const char *patterns, struct measurement_list *base,
                  struct measurement_list *new, char reason[MEASUREMENT_PARSE_REASON_BYTES])
{
    struct folders f;
    int err = make_folders(&f);

    if (err < 0)
        return refuse(reason, err, "no folder for the second measurement");
    if (setenv("SEALPOST_RERUN_PATTERNS", patterns, 1) < 0 ||
        setenv("SEALPOST_RERUN_BASE", f.base, 1) < 0 || setenv("SEALPOST_RERUN_NEW", f.new, 1) < 0)
        err = refuse(reason, -errno, "the second measurement");
    if (err == 0)
        err = run_command(command);
    if (err > 0) {
        snprintf(reason, MEASUREMENT_PARSE_REASON_BYTES,
                 "the command of --rerun ended with code %d", err);
        err = -ECHILD;
    } else if (err == 0) {
        err = evidence_load(base, f.base, reason);
        if (err == 0)
            err = evidence_load(new, f.new, reason);
    } else {
        refuse(reason, err, "the command of --rerun");
    }
    remove_folder(f.base);
    remove_folder(f.new);
    rmdir(f.top);
    return err;
}
