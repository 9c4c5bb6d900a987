// The commands of sealpost-load. Each takes argv from its own name on and returns the exit code.
#ifndef SEALPOST_COMMAND_H
#define SEALPOST_COMMAND_H

#include <stdbool.h>

// One run: the default when no command is named.
int command_run(int argc, char **argv);
// A page from saved results.
int command_report(int argc, char **argv);
// Two sets of results against each other.
int command_compare(int argc, char **argv);
// Results in the formats of other tools.
int command_export(int argc, char **argv);

// What every command that makes load needs of the machine: the kernel's features, the cryptography.
// False when something is missing; standard error says what.
bool command_prepare(void);

#endif
