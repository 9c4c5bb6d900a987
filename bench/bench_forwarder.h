// The raw forwarder: pairs of connections, bytes from one to the other, nothing else.
#ifndef SEALPOST_BENCH_FORWARDER_H
#define SEALPOST_BENCH_FORWARDER_H

#include <netinet/in.h>
#include <stdint.h>

#include "units.h"

// Listen, print 'listening on ADDRESS:PORT' on standard output, forward until SIGTERM or SIGINT.
// connections: at most so many at once. Errors: -ENOMEM, -EMFILE (more connections than
// descriptors allowed), -EADDRINUSE and its kin, -errno.
NODISCARD int bench_forwarder_run(const struct sockaddr_in *where, uint32_t connections);

#endif
