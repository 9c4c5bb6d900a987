// The directory of connected mailboxes: mailbox id → the connection that has it. Read wait-free by
// every worker, written by the control thread on login and disconnect only.
#ifndef SEALPOST_MAILBOX_H
#define SEALPOST_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "peer.h"
#include "units.h"
#include "wire.h"

struct mailbox_directory;

// `expected`: about how many mailboxes; more work, slower. NULL when memory is short.
struct mailbox_directory *mailbox_directory_create(uint32_t expected);
void mailbox_directory_destroy(struct mailbox_directory *d);

// Thread: the control thread, registered with QSBR RCU. Replaces an older peer. Errors: -ENOMEM.
NODISCARD int mailbox_attach(struct mailbox_directory *d, const uint8_t mailbox[WIRE_MAILBOX_BYTES],
                             struct peer peer);
// Thread: the control thread. Removes the mailbox if it is still this peer's.
void mailbox_detach(struct mailbox_directory *d, const uint8_t mailbox[WIRE_MAILBOX_BYTES],
                    struct peer peer);
// Thread: the control thread, outside any read. Frees what was removed; waits until no worker can
// still be reading it.
void mailbox_reclaim(struct mailbox_directory *d);

// Thread: any registered with QSBR RCU and online. False if nobody connected has this mailbox.
NODISCARD bool mailbox_find(struct mailbox_directory *d, const uint8_t mailbox[WIRE_MAILBOX_BYTES],
                            struct peer *out);

#endif
