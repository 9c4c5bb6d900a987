// Drives sp_session_open_batch, and with it re-keying, the window, the ratchet and its store: A
// seals and re-keys, B gets batches of what A sealed, edited, cut, out of order and more than once.
// Properties: what opens is genuine and opens once; what does not leaves a zeroed output; a batch
// of which nothing opens leaves the session as it was. Where nothing is ever too far ahead or
// behind, all that is genuine opens.
//
// The first byte of the input chooses: bit 0 ratchet, bit 1 a small store of skipped keys, bit 2 in
// place. The rest are operations of three bytes: what to do, the message it is done to, an
// argument.
#include <assert.h>
#include <string.h>

#include "sealcrypto.h"

#define IS_RATCHET 0x01u
#define SMALL_STORE 0x02u
#define IN_PLACE 0x04u

#define SENT_MAX 80u // more than a chunk of the library
#define BATCH_MAX 80u
#define TEXT_BYTES 8u
#define MESSAGE_BYTES (TEXT_BYTES + SP_SESSION_OVERHEAD_BYTES)
#define HEADER_BYTES 16u

enum operation { SEAL, REKEY, DELIVER, DELIVER_EDITED, DELIVER_CUT, OPEN, OPERATIONS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct sp_session a, b;
static struct {
    uint8_t message[MESSAGE_BYTES], text[TEXT_BYTES];
    bool is_opened;
} sent[SENT_MAX];
static size_t sent_count;

static struct {
    uint8_t message[MESSAGE_BYTES], out[TEXT_BYTES];
    uint8_t pristine[MESSAGE_BYTES]; // `message` as it was delivered
} batch[BATCH_MAX];
static struct sp_session_job jobs[BATCH_MAX];
static size_t batch_count;

static bool is_in_place, opens_all_genuine;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    const int error = sp_init();
    assert(error == 0);
    return 0;
}

static void open_sessions(unsigned choice)
{
    static const struct sp_handshake handshake = {SP_SUITE_X3DH, {1}, {2}, {3}, 66};
    static const uint8_t identity_a[32] = {4}, identity_b[32] = {5};
    const struct sp_identity_key key_a = {identity_a, NULL}, key_b = {identity_b, NULL};
    struct sp_session_init_job job = {
        .session = &a,
        .handshake = &handshake,
        .initiator = true,
        .local = key_a,
        .remote = key_b,
        .mode = choice & IS_RATCHET ? SP_SESSION_RATCHET : SP_SESSION_COUNTER,
        .skipped_max = choice & SMALL_STORE ? 3 : SENT_MAX + 1,
    };
    sp_session_init_batch(&job, 1);
    assert(job.result == 0);
    job.session = &b;
    job.initiator = false;
    job.local = key_b;
    job.remote = key_a;
    sp_session_init_batch(&job, 1);
    assert(job.result == 0);
}

static void seal(void)
{
    if (sent_count == SENT_MAX)
        return;
    memset(sent[sent_count].text, (int)sent_count + 1, TEXT_BYTES);
    sent[sent_count].is_opened = false;
    struct sp_session_job job = {
        .session = &a,
        .in = sent[sent_count].text,
        .len = TEXT_BYTES,
        .out = sent[sent_count].message,
    };
    sp_session_seal_batch(&job, 1);
    assert(job.result == 0);
    sent_count++;
}

static void rekey(void)
{
    const int error = sp_session_rekey(&a);
    assert((error == 0) == (a.mode == SP_SESSION_COUNTER));
    opens_all_genuine = opens_all_genuine && error != 0;
}

static void deliver(size_t at, size_t len, size_t edit_at, uint8_t edit)
{
    if (sent_count == 0 || batch_count == BATCH_MAX)
        return;
    uint8_t *message = batch[batch_count].message;
    memcpy(message, sent[at % sent_count].message, MESSAGE_BYTES);
    message[edit_at % MESSAGE_BYTES] ^= edit;
    memcpy(batch[batch_count].pristine, message, MESSAGE_BYTES);
    memset(batch[batch_count].out, 0xAA, TEXT_BYTES);
    jobs[batch_count] = (struct sp_session_job){
        .session = &b,
        .in = message,
        .len = len,
        .out = is_in_place ? message + HEADER_BYTES : batch[batch_count].out,
        .result = 1,
    };
    batch_count++;
}

// The message that was sealed with these bytes; SENT_MAX if none was.
static size_t find_genuine(size_t job)
{
    for (size_t i = 0; i < sent_count && jobs[job].len == MESSAGE_BYTES; i++) {
        if (memcmp(sent[i].message, batch[job].pristine, MESSAGE_BYTES) == 0)
            return i;
    }
    return SENT_MAX;
}

static void check(size_t i)
{
    const size_t genuine = find_genuine(i);
    const bool may_open = genuine != SENT_MAX && !sent[genuine].is_opened;
    if (jobs[i].result == 0) {
        assert(may_open && memcmp(jobs[i].out, sent[genuine].text, TEXT_BYTES) == 0);
        sent[genuine].is_opened = true;
        return;
    }
    assert(jobs[i].result <= SP_SESSION_TRUNCATED && jobs[i].result >= SP_SESSION_AHEAD);
    assert(!may_open || !opens_all_genuine);
    for (size_t k = 0; k + SP_SESSION_OVERHEAD_BYTES < jobs[i].len; k++)
        assert(jobs[i].out[k] == 0);
}

static void open_batch(void)
{
    const struct sp_session before = b;
    bool has_opened = false;
    sp_session_open_batch(jobs, batch_count);
    for (size_t i = 0; i < batch_count; i++) {
        check(i);
        has_opened = has_opened || jobs[i].result == 0;
    }
    assert(has_opened || memcmp(&before, &b, sizeof(b)) == 0);
    batch_count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    is_in_place = data[0] & IN_PLACE;
    opens_all_genuine = (data[0] & (IS_RATCHET | SMALL_STORE)) != (IS_RATCHET | SMALL_STORE);
    sent_count = batch_count = 0;
    open_sessions(data[0]);
    for (size_t i = 1; i + 2 < size; i += 3) {
        switch ((enum operation)(data[i] % OPERATIONS)) {
        case SEAL:
            seal();
            break;
        case REKEY:
            rekey();
            break;
        case DELIVER:
            deliver(data[i + 1], MESSAGE_BYTES, 0, 0);
            break;
        case DELIVER_EDITED:
            deliver(data[i + 1], MESSAGE_BYTES, data[i + 2], (uint8_t)(1u << data[i + 2] % 8));
            break;
        case DELIVER_CUT:
            deliver(data[i + 1], data[i + 2] % MESSAGE_BYTES, 0, 0);
            break;
        case OPEN:
            open_batch();
            break;
        case OPERATIONS:
            break;
        }
    }
    open_batch();
    sp_session_free(&a);
    sp_session_free(&b);
    return 0;
}
