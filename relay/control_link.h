// The control thread and the rings to and from it.
#ifndef SEALPOST_CONTROL_LINK_H
#define SEALPOST_CONTROL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/control.h"
#include "peer.h"
#include "stats.h"
#include "units.h"

struct config;
struct control_link;
struct mailbox_directory;
struct worker;

// Start the control thread for these workers. NULL when memory or a thread is not to be had.
struct control_link *control_link_create(const struct config *config, struct worker *workers,
                                         struct mailbox_directory *directory);
// The workers must have ended. Ends the thread.
void control_link_destroy(struct control_link *l);
const struct stats *control_link_stats(const struct control_link *l);

// Thread: a worker. Copies `len` bytes (NULL: none). False when the ring or memory is short.
NODISCARD bool control_link_push(struct worker *w, enum control_event_op op, struct peer peer,
                                 const void *bytes, size_t len);
// Thread: a worker. Carry out what the control plane wants of its connections.
void control_link_deliver(struct worker *w);
// Thread: a worker, once per turn.
void control_link_wake(struct worker *w);
bool control_link_is_idle(const struct worker *w);

#endif
