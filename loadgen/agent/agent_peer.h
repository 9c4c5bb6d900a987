// The coordinator's view of one agent: how far it is, what it said last, by when it must say more.
// Never blocks. Thread: the coordinator's.
//
//   CONNECTING → GREETING → SETTING_UP → READY → RUNNING → DONE
//
// and LOST from any of them but DONE. A set-up that failed goes from SETTING_UP to DONE.
#ifndef SEALPOST_AGENT_PEER_H
#define SEALPOST_AGENT_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_channel.h"
#include "agent_list.h"
#include "live.h"
#include "run.h"

#define AGENT_PEER_CONNECT_NS (10 * NS_PER_S) // connect and welcome
// Nothing heard for so long: lost. Pulses come twice a second once the relay's name is resolved.
#define AGENT_PEER_SILENCE_NS (20 * NS_PER_S)
#define AGENT_PEER_REASON_BYTES 512u

enum agent_peer_state {
    AGENT_PEER_CONNECTING,
    AGENT_PEER_GREETING,
    AGENT_PEER_SETTING_UP,
    AGENT_PEER_READY,
    AGENT_PEER_RUNNING,
    AGENT_PEER_DONE,
    AGENT_PEER_LOST,
};

// What every agent is told.
struct agent_peer_run {
    const struct options *options;
    const struct target *target;
    uint64_t run_id;
    const char *token, *ca;
    char **argv;
    uint32_t argc;
};

struct agent_peer {
    const struct agent_peer_run *run;
    const char *name;
    uint32_t first_thread, thread_count;
    enum agent_peer_state state;
    struct agent_channel channel;
    uint64_t deadline_ns; // of its next word
    struct live live;     // its last pulse
    bool has_outcome;
    struct outcome outcome;
    enum exit_code code;                  // LOST: why, as an exit code
    char reason[AGENT_PEER_REASON_BYTES]; // LOST
};

// Begin to connect to HOST:PORT. The name is resolved at once.
void agent_peer_connect(struct agent_peer *p);
// The same for a process that is there; takes `fd`.
void agent_peer_adopt(struct agent_peer *p, int fd);
void agent_peer_free(struct agent_peer *p);

// For poll(): -1 when there is nothing to wait for.
int agent_peer_fd(const struct agent_peer *p);
short agent_peer_events(const struct agent_peer *p);
// Do what the socket allows; to be called when poll() returned, whatever it said.
void agent_peer_step(struct agent_peer *p, bool is_readable, bool is_writable, uint64_t now_ns);

// Tell it. Harmless when it is DONE or LOST.
void agent_peer_start(struct agent_peer *p, uint64_t in_ns);
void agent_peer_stop(struct agent_peer *p);
// It is over with this one.
PRINTF_LIKE(3, 4)
void agent_peer_lose(struct agent_peer *p, enum exit_code code, const char *format, ...);

static inline bool agent_peer_is_over(const struct agent_peer *p)
{
    return p->state >= AGENT_PEER_DONE;
}

#endif
