// Slow readers: the recipient of a slow-reader pair takes `read` bytes a second off its socket, so
// that the relay's outbox for it fills. Single receives, driven by the timer wheel, instead of a
// multishot one. In the set-up and in the drain it reads as everybody does: what the relay kept for
// it must arrive. Thread: the shard's.
#ifndef SEALPOST_READER_H
#define SEALPOST_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"

static inline bool reader_is_slow(const struct client *c)
{
    return c->group->behaviour == GROUP_SLOW_READER && !client_is_leader(c);
}

// Little room in the kernel, so that it is the relay that has to keep what is not read.
void reader_limit_socket(int fd);
// How much the next receive may bring, 0 being a buffer. False: nothing yet, the timer is armed.
NODISCARD bool reader_take(struct shard *s, struct client *c, uint32_t *bytes);
void reader_on_received(struct client *c, uint32_t len);
void reader_on_timer(struct shard *s, struct client *c);
// Closed loop: the relay refused an envelope of c's, which is due again a little later.
void reader_rest(struct shard *s, struct client *c);
// The window is over: read what is there.
void reader_end_load(struct shard *s);

#endif
