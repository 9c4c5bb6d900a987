// What a process costs, read from outside.
#include "procstat.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

int procstat_cpu_ns(pid_t pid, uint64_t *cpu_ns)
{
    struct timespec t;
    clockid_t clock;
    int err = clock_getcpuclockid(pid, &clock);

    if (err != 0)
        return -err;
    if (clock_gettime(clock, &t) < 0)
        return errno == EINVAL ? -ESRCH : -errno;
    *cpu_ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
    return 0;
}

int procstat_read(pid_t pid, struct procstat *out)
{
    char path[64], line[128];
    unsigned long long kib;
    FILE *f;
    int err;

    *out = (struct procstat){0};
    err = procstat_cpu_ns(pid, &out->cpu_ns);
    if (err < 0)
        return err;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return errno == ENOENT ? -ESRCH : -errno;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "VmRSS: %llu kB", &kib) == 1)
            out->rss_bytes = kib * KIB;
        else if (sscanf(line, "RssAnon: %llu kB", &kib) == 1)
            out->anon_bytes = kib * KIB;
    }
    fclose(f);
    return 0;
}
