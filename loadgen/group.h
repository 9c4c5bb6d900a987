// Groups: which users of a run behave how. A group is a text
//
//     BEHAVIOUR[,key=value]...      for instance  fan-out,share=2,recipients=16
//
// Parsing, checking, and the split of the users over groups and threads. Pure, no I/O.
#ifndef SEALPOST_GROUP_H
#define SEALPOST_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "units.h"

#define GROUPS_MAX 16u
#define GROUP_REASON_BYTES 256u
#define GROUP_RECIPIENTS_MAX 256u
// The relay keeps so many envelopes for one mailbox.
#define GROUP_MESSAGES_MAX 1024u
#define GROUP_MESSAGES_DEFAULT 100u

enum group_behaviour {
    GROUP_CHAT,         // pairs, both send
    GROUP_FAN_OUT,      // one sends the same to `recipients` others, sealed for each
    GROUP_HANDSHAKE,    // pairs, a new key agreement after the other
    GROUP_PREKEY_DRAIN, // the same, and nobody replaces the one-time prekeys
    GROUP_CHURN,        // pairs that talk, leave, and come back
    GROUP_STORM,        // pairs that talk, lose their connections all at once, and come back
    GROUP_SLOW_READER,  // pairs; one sends, the other reads `read` bytes a second
    GROUP_OFFLINE,      // pairs; one sends while the other is away
    GROUP_IDLE,         // connected, silent
};

struct group {
    enum group_behaviour behaviour;
    uint32_t share;            // weight
    uint32_t recipients;       // fan-out: of each sender
    uint64_t online_ns;        // churn: mean time between arrival and departure
    uint64_t offline_ns;       // churn: mean time away; offline: time away
    uint64_t every_ns;         // storm: from one to the next
    uint32_t read_bytes_per_s; // slow-reader
    uint32_t messages;         // offline, closed loop: envelopes in each absence; 0: not given
    uint32_t prekeys;          // prekey-drain: one-time prekeys of each responder; 0: not given
    bool resumes;              // who comes back goes on with the TLS session there was
    uint32_t users;            // group_split fills it in
};

// Errors: -EINVAL with one sentence in reason.
NODISCARD int group_parse(struct group *g, const char *text, char reason[GROUP_REASON_BYTES]);
// Give `users` to the groups by their shares (largest remainder), in whole units.
// Errors: -EINVAL with one sentence in reason: a group gets nobody, or users are left over.
NODISCARD int group_split(struct group *groups, uint32_t count, uint32_t users,
                          char reason[GROUP_REASON_BYTES]);
// Users of each group that thread `part` of `parts` gets, whole units dealt in turn; their sum.
uint32_t group_deal(const struct group *groups, uint32_t count, uint32_t part, uint32_t parts,
                    uint32_t users[GROUPS_MAX]);

// Users that belong together and share a thread.
uint32_t group_unit_users(const struct group *g);
uint32_t group_units(const struct group *g);
// Of `users` of this group: those who send envelopes by the schedule or the closed loop.
uint32_t group_senders(const struct group *g, uint32_t users);
// Do its users make one handshake after the other?
static inline bool group_is_handshaking(const struct group *g)
{
    return g->behaviour == GROUP_HANDSHAKE || g->behaviour == GROUP_PREKEY_DRAIN;
}
// Are recipients away while others send to them?
static inline bool group_is_offline(const struct group *g)
{
    return g->behaviour == GROUP_OFFLINE;
}
// Do its users leave and come back?
static inline bool group_is_travelling(const struct group *g)
{
    return g->behaviour == GROUP_CHURN || g->behaviour == GROUP_STORM ||
           g->behaviour == GROUP_OFFLINE;
}
const char *group_behaviour_name(enum group_behaviour behaviour);

#endif
