// The control plane with nothing around it: events by call, actions recorded, a clock to set, and
// memory that runs out when told to. For the tests of relay/control.
#ifndef SEALPOST_CONTROL_FAKE_H
#define SEALPOST_CONTROL_FAKE_H

#include <criterion/criterion.h>
#include <sodium.h>

#include "relay/control/control.h"
#include "relay/limits.h"

#define FAKE_ACTIONS 16384u
#define FAKE_WORKERS 2u
#define FAKE_SLOTS 64u
#define FAKE_ML_DSA_KEY_BYTES 1952u
#define FAKE_ML_DSA_SIGNATURE_BYTES 3309u

struct fake {
    struct control *control;
    struct stats stats;
    uint64_t now_ns;
    bool attach_fails;
    struct control_action actions[FAKE_ACTIONS];
    bool taken[FAKE_ACTIONS];
    uint32_t action_count;
    // What is attached: the directory of the hot path.
    uint8_t mailboxes[FAKE_SLOTS][WIRE_MAILBOX_BYTES];
    struct peer attached[FAKE_SLOTS];
    uint32_t attached_count;
};

// A client: a name, its key pairs, and the connection it is on.
struct fake_client {
    const char *name;
    bool is_hybrid;
    uint8_t ml_dsa_65[FAKE_ML_DSA_KEY_BYTES]; // public; the pair comes from the seed
    uint8_t ml_dsa_seed[32];
    uint8_t identity_key[32];
    uint8_t secret_key[64];
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    uint8_t challenge[32]; // of the last hello
    struct peer peer;
};

// Default limits; change what the test needs before fake_start.
struct control_config fake_config(void);
// NULL when the control plane cannot be made, which only memory told to run out brings about.
struct fake *fake_start(const struct control_config *config);
void fake_stop(struct fake *f);

// Key pairs derived from the name. A hybrid client has the Ed25519 key of the other of its name.
void fake_client_init(struct fake_client *client, const char *name);
void fake_hybrid_init(struct fake_client *client, const char *name);
// A new connection; takes its hello and keeps the challenge.
void fake_open(struct fake *f, struct fake_client *client, uint32_t slot, uint32_t generation);
void fake_close(struct fake *f, struct fake_client *client);
// The message that registers or logs in, signed with this client's keys.
const char *fake_login_text(const struct fake_client *client, const char *verb);
// The same of a hybrid client, its ML-DSA-65 key or signature left out.
const char *fake_cut_login_text(const struct fake_client *client, const char *verb, bool with_key,
                                bool with_signature);
// Open, register or log in, take the answers up to and with "registered" / "logged_in".
void fake_join(struct fake *f, struct fake_client *client, const char *name, uint32_t slot);
void fake_join_hybrid(struct fake *f, struct fake_client *client, const char *name, uint32_t slot);
void fake_rejoin(struct fake *f, struct fake_client *client, uint32_t slot, uint32_t generation,
                 uint32_t queued);

void fake_text_len(struct fake *f, struct peer peer, const char *text, size_t len);
PRINTF_LIKE(3, 4) void fake_text(struct fake *f, struct peer peer, const char *format, ...);

// An envelope with a ciphertext of `len` bytes; the message id is made of `number`.
size_t fake_envelope(uint8_t *out, const uint8_t mailbox[WIRE_MAILBOX_BYTES], uint32_t number,
                     uint8_t flags, uint32_t ttl_s, uint32_t len);
void fake_durable(struct fake *f, struct peer peer, const uint8_t mailbox[WIRE_MAILBOX_BYTES],
                  uint32_t number, uint8_t flags, uint32_t ttl_s, uint32_t len);
// base64url; the result stays good for some calls.
const char *fake_base64(const uint8_t *bytes, size_t len);
// The message id of this number in base64url.
const char *fake_id(uint32_t number);

// The next action for this peer, which must be of this kind.
struct control_action *fake_take(struct fake *f, struct peer peer, enum control_action_op op);
PRINTF_LIKE(3, 4) void fake_expect(struct fake *f, struct peer peer, const char *format, ...);
// An error; `tail` is what follows the message for people: `,"id":3` or a message id or nothing.
void fake_expect_error(struct fake *f, struct peer peer, const char *code, const char *tail);
void fake_expect_close(struct fake *f, struct peer peer, uint16_t close_code);
void fake_expect_envelope(struct fake *f, struct peer peer, uint32_t number);
void fake_expect_nothing(struct fake *f, struct peer peer);
// How many actions for this peer are not taken yet.
uint32_t fake_count(const struct fake *f, struct peer peer);
// Whom the mailbox leads to; NULL if nobody.
const struct peer *fake_attached(const struct fake *f, const uint8_t mailbox[WIRE_MAILBOX_BYTES]);
uint64_t fake_stat(const struct fake *f, enum stats_counter counter);

// Of the allocations inside the control plane from now on, OpenSSL's included, let `count` fail
// after the first `skip`; none with count 0.
void fake_fail_allocations(unsigned skip, unsigned count);

#endif
