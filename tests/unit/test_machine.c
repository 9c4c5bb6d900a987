// Counters of steal and throttling from files as kernels write them; processors shared.
#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine.h"

static char root[] = "/tmp/sealpost-machine-XXXXXX";
static struct machine_mark m;

static void make_path(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}

static void write_file(const char *name, const char *text)
{
    char path[256];
    FILE *f;

    make_path(name, path);
    f = fopen(path, "w");
    cr_assert_not_null(f, "%s", path);
    fputs(text, f);
    fclose(f);
}

static void read_groups(const char *groups)
{
    char file[256];

    write_file("cgroup", groups);
    make_path("cgroup", file);
    machine_read_throttling(&m, file, root);
}

static void setup(void)
{
    cr_assert_not_null(mkdtemp(root));
}

static void teardown(void)
{
    char command[300];

    snprintf(command, sizeof command, "rm -r %s", root);
    cr_assert_eq(system(command), 0);
}

TestSuite(machine, .init = setup, .fini = teardown);

Test(machine, read_throttling_version_2_with_parents)
{
    write_file("a/b/cpu.stat",
               "usage_usec 99\nnr_periods 10\nnr_throttled 3\nthrottled_usec 250\n");
    write_file("a/cpu.stat", "nr_throttled 4\nthrottled_usec 1000\n");
    write_file("cpu.stat", "usage_usec 5\n");
    read_groups("0::/a/b\n");
    cr_assert_eq(m.throttles, 7);
    cr_assert_eq(m.throttled_ns, 1250000);
    read_groups("0::/\n");
    cr_assert_eq(m.throttles, 0, "not the groups below");
}

Test(machine, read_throttling_version_2_in_a_container)
{
    write_file("cpu.stat", "nr_throttled 2\nthrottled_usec 30\n");
    read_groups("0::/\n");
    cr_assert_eq(m.throttles, 2, "once");
    cr_assert_eq(m.throttled_ns, 30000);
}

Test(machine, read_throttling_version_1)
{
    write_file("cpu,cpuacct/box/cpu.stat", "nr_periods 9\nnr_throttled 5\nthrottled_time 123456\n");
    write_file("cpuset/box/cpu.stat", "nr_throttled 100\n");
    read_groups("5:cpuset:/box\n4:cpu,cpuacct:/box\n1:name=systemd:/\n0::/\n");
    cr_assert_eq(m.throttles, 5);
    cr_assert_eq(m.throttled_ns, 123456);
}

Test(machine, read_throttling_nothing_to_read)
{
    m.throttles = 9;
    read_groups("nonsense\n7\n:\n2:cpu:/absent/group\n");
    cr_assert_eq(m.throttles, 0);
    machine_read_throttling(&m, "/no/such/file", root);
    cr_assert_eq(m.throttled_ns, 0);
}

Test(machine, read_steal)
{
    char file[256];

    write_file("stat", "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n");
    make_path("stat", file);
    machine_read_steal(&m, file);
    cr_assert_eq(m.steal, 8);
    cr_assert_eq(m.total, 36);
    machine_read_steal(&m, "/no/such/file");
    cr_assert_eq(m.total, 0);
}

Test(machine, read_of_this_machine)
{
    machine_read(&m);
    cr_assert_gt(m.total, 0);
}

Test(machine, find_share_with_ourselves)
{
    struct options o = {0};
    cpu_set_t own;
    struct machine_share share = machine_find_share(&o, getpid());

    cr_assert_eq(sched_getaffinity(0, sizeof own, &own), 0);
    cr_assert_eq(share.shared, CPU_COUNT(&own));
    cr_assert_eq(share.all, CPU_COUNT(&own));
    o.pin[0] = 1000; // pinned elsewhere
    o.pin_count = 1;
    share = machine_find_share(&o, getpid());
    cr_assert_eq(share.shared, 0);
    cr_assert_eq(share.all, CPU_COUNT(&own) + 1);
    share = machine_find_share(&o, 0);
    cr_assert_eq(share.all, 0, "no relay is known");
}
