// The commands of sealpost-load. Each takes argv from its own name on and returns the exit code.
#ifndef SEALPOST_COMMAND_H
#define SEALPOST_COMMAND_H

#include <stdbool.h>

#include "exit_code.h"
#include "options.h"
#include "target.h"
#include "tls.h"

// One run: the default when no command is named.
int command_run(int argc, char **argv);
// The highest rate that holds an objective, a sweep over sizes, a plan.
int command_capacity(int argc, char **argv);
// A page from saved results.
int command_report(int argc, char **argv);
// Waits for coordinators and makes their load.
int command_agent(int argc, char **argv);
// Two sets of results against each other.
int command_compare(int argc, char **argv);
// Results in the formats of other tools.
int command_export(int argc, char **argv);

// What every command that makes load needs of the machine: the kernel's features, the cryptography.
// False when something is missing; standard error says what.
bool command_prepare(void);
// The options' URL and what belongs to it, without looking for the relay. Standard error says what
// is wrong.
bool command_check_target(const struct options *o, struct target *t);
// What a coordinator checks: the same, the relay's process, and the CA, whose text it sends to the
// agents. Looks for the relay's address, which only agents may be able to find.
// Owner: *ca is for free(), NULL without one. Standard error says what is wrong.
enum exit_code command_open_agents(const struct options *o, struct target *t, char **ca);
// The options' relay: checked, resolved, with certificates to verify it (NULL: ws); pins the thread
// and raises the limit of descriptors. Standard error says what is wrong.
// Owner: `tls` is the caller's, for tls_context_destroy, whatever is returned.
enum exit_code command_open_target(const struct options *o, struct target *t,
                                   struct tls_context **tls);

#endif
