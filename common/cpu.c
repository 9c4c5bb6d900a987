// Processors: pinning and names.
#include "cpu.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned cpu_count_available(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

int cpu_pin_thread(unsigned cpu)
{
    cpu_set_t set;

    if (cpu >= CPU_SETSIZE)
        return -EINVAL;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) < 0 ? -errno : 0;
}

int cpu_list_parse(const char *text, unsigned cpus[CPU_LIST_MAX])
{
    unsigned count = 0;

    for (const char *at = text;;) {
        char *end;
        unsigned long first, last;

        if (*at < '0' || *at > '9')
            return -EINVAL;
        first = last = strtoul(at, &end, 10);
        if (*end == '-') {
            at = end + 1;
            if (*at < '0' || *at > '9')
                return -EINVAL;
            last = strtoul(at, &end, 10);
        }
        if (last < first || last >= CPU_SETSIZE || count + (last - first) >= CPU_LIST_MAX)
            return -EINVAL;
        for (unsigned long cpu = first; cpu <= last; cpu++)
            cpus[count++] = (unsigned)cpu;
        if (*end == '\0')
            return (int)count;
        if (*end != ',')
            return -EINVAL;
        at = end + 1;
    }
}

// The value after the colon in the first line of /proc/cpuinfo that begins with `key` and a tab.
static bool find_info(FILE *f, const char *key, char *out, size_t cap)
{
    char line[256];
    size_t len = strlen(key);

    rewind(f);
    while (fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');

        if (strncmp(line, key, len) != 0 || line[len] != '\t' || !colon)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, cap, "%s", colon + 1 + strspn(colon + 1, " "));
        return true;
    }
    return false;
}

void cpu_model_name(char *out, size_t cap)
{
    FILE *f = fopen("/proc/cpuinfo", "re");

    if (!f || !find_info(f, "model name", out, cap))
        snprintf(out, cap, "unknown");
    if (f)
        fclose(f);
}

void cpu_model_id(char *out, size_t cap)
{
    FILE *f = fopen("/proc/cpuinfo", "re");
    char maker[32], family[16], model[16];

    if (f && find_info(f, "vendor_id", maker, sizeof maker) &&
        find_info(f, "cpu family", family, sizeof family) &&
        find_info(f, "model", model, sizeof model))
        snprintf(out, cap, "%s %s/%s", maker, family, model);
    else
        snprintf(out, cap, "unknown");
    if (f)
        fclose(f);
}
