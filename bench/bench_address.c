// Addresses and bounded numbers of the command lines.
#include "bench_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

#define SECONDS_MAX 3600

int bench_address_parse(const char *text, struct sockaddr_in *out)
{
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN];
    char *end;
    long port;

    if (!colon || (size_t)(colon - text) >= sizeof host)
        return -EINVAL;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    errno = 0;
    port = strtol(colon + 1, &end, 10);
    if (end == colon + 1 || *end != '\0' || errno != 0 || port < 0 || port > UINT16_MAX)
        return -EINVAL;
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, host, &out->sin_addr) == 1 ? 0 : -EINVAL;
}

void bench_address_format(const struct sockaddr_in *address, char out[BENCH_ADDRESS_TEXT_MAX])
{
    char host[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &address->sin_addr, host, sizeof host);
    snprintf(out, BENCH_ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(address->sin_port));
}

long bench_number_parse(struct argp_state *state, const char *option, const char *text, long min,
                        long max)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < min || value > max)
        argp_error(state, "%s: '%s' is not a whole number from %ld to %ld", option, text, min, max);
    return value;
}

uint64_t bench_seconds_parse(struct argp_state *state, const char *option, const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value > 0 && value <= SECONDS_MAX))
        argp_error(state, "%s: '%s' is not a number of seconds up to %d", option, text,
                   SECONDS_MAX);
    return (uint64_t)(value * (double)NS_PER_S);
}
