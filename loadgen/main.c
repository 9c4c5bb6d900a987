// sealpost-load: finds the command. `sealpost-load URL …` is short for `sealpost-load run URL …`.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "ring.h"
#include "sealcrypto.h"
#include "units.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", command_run},     {"capacity", command_capacity}, {"report", command_report},
    {"agent", command_agent}, {"compare", command_compare},   {"export", command_export},
};

bool command_prepare(void)
{
    const char *missing = ring_check_kernel();
    int err;

    if (missing) {
        fprintf(stderr, "sealpost-load: %s\n", missing);
        return false;
    }
    err = sp_init();
    if (err < 0)
        fprintf(stderr, "sealpost-load: the cryptography cannot be initialised%s\n",
                err == -ENOTSUP ? ": SEALPOST_CRYPTO_TIER names a tier this machine lacks" : "");
    return err == 0;
}

int main(int argc, char **argv)
{
    static char name[64]; // what --help and usage errors call the program

    for (unsigned i = 0; argc > 1 && i < COUNT_OF(commands); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        snprintf(name, sizeof name, "sealpost-load %s", commands[i].name);
        argv[1] = name;
        return commands[i].run(argc - 1, argv + 1);
    }
    return command_run(argc, argv);
}
