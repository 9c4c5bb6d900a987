// Result files and folders of them → measurements. Blocking reads; main thread.
#include "evidence.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int refuse(char reason[MEASUREMENT_PARSE_REASON_BYTES], const char *path, int err,
                  const char *why)
{
    snprintf(reason, MEASUREMENT_PARSE_REASON_BYTES, "%.150s: %s", path, why);
    return err;
}

static int load_file(struct measurement_list *list, const char *path, char *reason)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t len = 0, room = 64 * KIB;
    int err = f ? 0 : -errno;

    if (err < 0)
        return refuse(reason, path, err, strerror(-err));
    // A pipe has no size to ask for beforehand.
    for (;;) {
        char *longer = realloc(text, room);
        size_t n;

        if (!longer) {
            err = refuse(reason, path, -ENOMEM, "out of memory");
            goto cleanup;
        }
        text = longer;
        n = fread(text + len, 1, room - len, f);
        len += n;
        if (len < room)
            break;
        if (room >= EVIDENCE_FILE_MAX_BYTES) {
            err = refuse(reason, path, -EFBIG, "larger than 64 MiB; that is not a result");
            goto cleanup;
        }
        room *= 2;
    }
    if (ferror(f)) {
        err = refuse(reason, path, -EIO, "it cannot be read");
        goto cleanup;
    }
    err = measurement_parse(list, text, len, path, reason);

cleanup:
    free(text);
    fclose(f);
    return err;
}

static int is_result(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot && dot != entry->d_name &&
           (strcmp(dot, ".json") == 0 || strcmp(dot, ".jsonl") == 0 || strcmp(dot, ".ndjson") == 0);
}

static int load_folder(struct measurement_list *list, const char *path, char *reason)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_result, alphasort), err = 0;

    if (count < 0)
        return refuse(reason, path, -errno, strerror(errno));
    if ((unsigned)count > EVIDENCE_FILES_MAX)
        err = refuse(reason, path, -E2BIG, "more than 1000 result files");
    for (int i = 0; i < count; i++) {
        char file[PATH_MAX];

        if (err == 0 &&
            (size_t)snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name) >= sizeof file)
            err = refuse(reason, path, -ENAMETOOLONG, "the name of a file is too long");
        if (err == 0)
            err = load_file(list, file, reason);
        free(entries[i]);
    }
    free(entries);
    return err;
}

int evidence_load(struct measurement_list *list, const char *path,
                  char reason[MEASUREMENT_PARSE_REASON_BYTES])
{
    struct stat st;

    if (stat(path, &st) < 0)
        return refuse(reason, path, -errno, strerror(errno));
    return S_ISDIR(st.st_mode) ? load_folder(list, path, reason) : load_file(list, path, reason);
}
