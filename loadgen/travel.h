// Users who leave and come back: churn, storm, offline. A unit (a pair) stops sending, waits until
// nothing is in flight between its two users, and only then do connections end: so the ledger stays
// exact. Sessions live on; a return is a new connection and a login.
//
//            timer, storm                 quiet                gone           timer
//   PRESENT ─────────────→ STOPPING ─────────────→ LEAVING ─────────→ ABSENT ─────→ RETURNING
//      ↑                                                                               │ all there
//      └───────────────────────────────────────────────────────────────────────────────┘
//
// In a storm LEAVING waits until all of the group are quiet; then all drop and return at once.
// Offline, only the recipient leaves, and STOPPING empties its mailbox first. Thread: the shard's.
#ifndef SEALPOST_TRAVEL_H
#define SEALPOST_TRAVEL_H

#include <stdbool.h>
#include <stdint.h>

#include "group.h"
#include "units.h"

struct client;
struct shard;

struct travel_storm {
    uint64_t next_ns;    // UINT64_MAX: none
    uint64_t dropped_ns; // of the one that goes on
    uint32_t not_quiet;  // units
    uint32_t not_back;
    bool is_on;
    bool has_losses; // somebody does not come back: there is no time of recovery
};

struct travels {
    struct client **stopping; // leaders of units that wait to be quiet
    uint32_t stopping_count;
    struct client **returning; // ring: who connects as soon as there is room
    uint32_t returning_head, returning_count;
    struct travel_storm storms[GROUPS_MAX]; // by group
    uint64_t random;
};

// Errors: -ENOMEM.
NODISCARD int travel_init(struct shard *s);
void travel_free(struct shard *s);
void travel_begin_load(struct shard *s);
// The window is over: nobody leaves any more, and who has mail waiting returns.
void travel_end_load(struct shard *s);
// Each turn: whose unit is quiet, is a storm due, who can connect?
void travel_turn(struct shard *s);
// The next storm; UINT64_MAX if there is none.
uint64_t travel_next_ns(const struct shard *s);
// The client's timer fired.
void travel_on_timer(struct shard *s, struct client *c);
// Its connection ended and every operation is back.
void travel_on_gone(struct shard *s, struct client *c);
// It has logged in again.
void travel_on_ready(struct shard *s, struct client *c, uint64_t now_ns);
// Offline, closed loop: the relay took or refused an envelope of c's.
void travel_on_taken(struct shard *s, struct client *c);
// A connection on the way back failed: is there another try?
bool travel_retry(struct shard *s, struct client *c);
// It does not come back.
void travel_on_lost(struct shard *s, struct client *c);

#endif
