// Slow readers and the pauses of those who write to them. Runs on the shard's thread; never
// allocates.
#include "reader.h"

#include <sys/socket.h>

#include "shard.h"

#define SOCKET_BYTES (16 * KIB)
#define INTERVAL_NS (50 * NS_PER_MS)
// A reader that was late takes at most what it may take in so many intervals.
#define INTERVALS_MAX 4u
// The sender tries again a refused envelope's slot.
#define REST_NS (20 * NS_PER_MS)

void reader_limit_socket(int fd)
{
    int bytes = SOCKET_BYTES;

    // Without it the reader is slow all the same, it only takes longer until the relay notices.
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

bool reader_take(struct shard *s, struct client *c, uint32_t *bytes)
{
    uint64_t passed_ns = s->now_ns - c->last_read_ns;

    *bytes = 0;
    if (!shard_is_loading(s))
        return true;
    if (passed_ns >= INTERVAL_NS) {
        if (passed_ns > INTERVALS_MAX * INTERVAL_NS)
            passed_ns = INTERVALS_MAX * INTERVAL_NS;
        c->read_credit = (uint32_t)(c->group->read_bytes_per_s * passed_ns / NS_PER_S);
        c->last_read_ns = s->now_ns;
    }
    if (c->read_credit == 0) {
        timer_arm(&s->timers, &c->timer, c->last_read_ns + INTERVAL_NS);
        return false;
    }
    *bytes = c->read_credit < s->receive_buffers.buffer_bytes ? c->read_credit
                                                              : s->receive_buffers.buffer_bytes;
    return true;
}

void reader_on_received(struct client *c, uint32_t len)
{
    c->read_credit -= len < c->read_credit ? len : c->read_credit;
}

void reader_rest(struct shard *s, struct client *c)
{
    c->resting++;
    if (!timer_is_armed(&c->timer))
        timer_arm(&s->timers, &c->timer, s->now_ns + REST_NS);
}

void reader_on_timer(struct shard *s, struct client *c)
{
    if (client_is_gone(c))
        return;
    if (reader_is_slow(c)) {
        if (!c->is_receiving && !c->needs_rearm)
            client_arm_receive(s, c);
        return;
    }
    while (c->resting > 0 && c->is_talking && shard_is_loading(s) && s->now_ns < s->end_ns &&
           uplink_push_due(s, c, s->now_ns, s->now_ns))
        c->resting--;
    c->resting = 0;
}

void reader_end_load(struct shard *s)
{
    for (uint32_t i = 0; i < s->client_count; i++) {
        struct client *c = &s->clients[i];

        if (!reader_is_slow(c) || client_is_gone(c) || c->is_receiving || c->needs_rearm)
            continue;
        timer_cancel(&s->timers, &c->timer);
        client_arm_receive(s, c);
    }
}
