// What the subcommands' command lines have in common: addresses and bounded numbers.
#ifndef SEALPOST_BENCH_ADDRESS_H
#define SEALPOST_BENCH_ADDRESS_H

#include <argp.h>
#include <netinet/in.h>

#define BENCH_ADDRESS_TEXT_MAX 32u

// Parse "ADDRESS:PORT" with a numeric IPv4 address. Errors: -EINVAL.
int bench_address_parse(const char *text, struct sockaddr_in *out);
void bench_address_format(const struct sockaddr_in *address, char out[BENCH_ADDRESS_TEXT_MAX]);

// A whole number in [min, max]; anything else ends the program through argp_error.
long bench_number_parse(struct argp_state *state, const char *option, const char *text, long min,
                        long max);
// Seconds, with a fraction if wanted, in (0, 3600]; likewise. Units: returns ns.
uint64_t bench_seconds_parse(struct argp_state *state, const char *option, const char *text);

#endif
