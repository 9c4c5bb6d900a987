// Reads /proc and the control groups at the edges of the measured window.
#include "machine.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

// Groups above one another; deeper ones are left out.
#define DEPTH_MAX 32u

void machine_read_steal(struct machine_mark *m, const char *stat_file)
{
    unsigned long long v[8] = {0};
    FILE *f = fopen(stat_file, "re");

    m->steal = m->total = 0;
    if (!f)
        return;
    if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4],
               &v[5], &v[6], &v[7]) == 8) {
        for (unsigned i = 0; i < COUNT_OF(v); i++)
            m->total += v[i];
        m->steal = v[7];
    }
    fclose(f);
}

// One group's cpu.stat; the quota of each group on the way up counts.
static void add_group(struct machine_mark *m, const char *directory)
{
    char path[PATH_MAX], line[128];
    unsigned long long value;
    FILE *f;

    if (snprintf(path, sizeof path, "%s/cpu.stat", directory) >= (int)sizeof path)
        return;
    f = fopen(path, "re");
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "nr_throttled %llu", &value) == 1)
            m->throttles += value;
        else if (sscanf(line, "throttled_usec %llu", &value) == 1) // version 2
            m->throttled_ns += value * 1000;
        else if (sscanf(line, "throttled_time %llu", &value) == 1) // version 1: ns
            m->throttled_ns += value;
    }
    fclose(f);
}

static void add_groups(struct machine_mark *m, const char *mount, const char *group)
{
    char directory[PATH_MAX];
    size_t mount_len = strlen(mount);

    if (snprintf(directory, sizeof directory, "%s%s", mount, group) >= (int)sizeof directory)
        return;
    for (unsigned i = 0; i < DEPTH_MAX; i++) {
        char *slash = strrchr(directory, '/');

        // "/" is the mount itself.
        if (slash && slash[1] == '\0' && slash > directory)
            *slash = '\0';
        add_group(m, directory);
        slash = strrchr(directory, '/');
        if (!slash || (size_t)(slash - directory) < mount_len)
            return;
        *slash = '\0';
    }
}

static bool has_cpu(char *controllers)
{
    char *rest = controllers;

    for (char *one = strsep(&rest, ","); one; one = strsep(&rest, ",")) {
        if (strcmp(one, "cpu") == 0)
            return true;
    }
    return false;
}

void machine_read_throttling(struct machine_mark *m, const char *cgroup_file, const char *root)
{
    char line[PATH_MAX], mount[PATH_MAX], controllers[256];
    FILE *f = fopen(cgroup_file, "re");

    m->throttles = m->throttled_ns = 0;
    if (!f)
        return;
    // number:controllers:group; version 2 has no controllers.
    while (fgets(line, sizeof line, f)) {
        char *begin = strchr(line, ':'), *group = begin ? strchr(begin + 1, ':') : NULL;

        if (!group)
            continue;
        line[strcspn(line, "\n")] = '\0';
        *group++ = '\0';
        snprintf(controllers, sizeof controllers, "%s", begin + 1);
        if (controllers[0] != '\0' && !has_cpu(controllers))
            continue;
        if (snprintf(mount, sizeof mount, "%s%s%s", root, begin[1] == '\0' ? "" : "/", begin + 1) <
            (int)sizeof mount)
            add_groups(m, mount, group);
    }
    fclose(f);
}

void machine_read(struct machine_mark *m)
{
    machine_read_steal(m, "/proc/stat");
    machine_read_throttling(m, "/proc/self/cgroup", "/sys/fs/cgroup");
}

struct machine_share machine_find_share(const struct options *o, pid_t relay)
{
    cpu_set_t own, theirs, both;
    struct machine_share share = {0};

    if (relay <= 0 || sched_getaffinity(relay, sizeof theirs, &theirs) < 0 ||
        sched_getaffinity(0, sizeof own, &own) < 0)
        return share;
    if (o->pin_count > 0)
        CPU_ZERO(&own);
    for (uint32_t i = 0; i < o->pin_count; i++)
        CPU_SET(o->pin[i], &own);
    CPU_AND(&both, &own, &theirs);
    share.shared = (uint32_t)CPU_COUNT(&both);
    CPU_OR(&both, &own, &theirs);
    share.all = (uint32_t)CPU_COUNT(&both);
    return share;
}
