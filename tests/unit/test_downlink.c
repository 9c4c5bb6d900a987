// The receiving path's honesty: whatever happens to the stream of sealed envelopes on its way, each
// fault is counted exactly, however the bytes are split.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "shard.h"
#include "ws.h"

#define RUN 77u
#define PAYLOAD 100u
#define CIPHERTEXT (PAYLOAD + SP_SESSION_OVERHEAD_BYTES)
#define ENVELOPE (WIRE_HEADER_BYTES + CIPHERTEXT)
#define FRAME (ENVELOPE + 4u)
#define BUFFERS 64u
#define BUFFER_BYTES (64u * KIB)
#define STREAM_MAX 4000u
#define SENT_NS 1u

static struct options options = {.mode = OPTIONS_TALK,
                                 .groups = {{.behaviour = GROUP_CHAT, .share = 1}},
                                 .group_count = 1,
                                 .payload_bytes = PAYLOAD,
                                 .rate_per_s = 1, // open loop: nothing is sent in return
                                 .threads = 1,
                                 .connections = 2};
static struct target target;
static struct shard_clock run_clock;
static struct shard s;
static struct client pair[2]; // alice sends, bob receives
static struct budget_send trails[2][1];
static uint16_t next_buffer;

static void init_user(struct client *c, uint32_t number)
{
    cr_assert_eq(persona_init(&c->persona, RUN, number, false), 0);
    c->number = number;
    c->slot = number;
    c->group = &options.groups[0];
    c->tally = &s.tally.groups[0];
    c->leader = &pair[0];
    c->dialogs = &c->dialog;
    c->dialog_count = 1;
    c->state = CLIENT_READY;
    budget_init_trail(&c->trail, trails[number], 1);
    timer_init(&c->timer);
}

static void setup(void)
{
    struct sp_handshake handshake = {.suite = SP_SUITE_X3DH, .ad_len = 66};

    cr_assert_eq(sp_init(), 0);
    s = (struct shard){.options = &options,
                       .target = &target,
                       .clock = &run_clock,
                       .coordinator = pthread_self(),
                       .client_count = 2,
                       .run_id = RUN,
                       .clients = pair,
                       .phase = SHARD_MEASURE,
                       .now_ns = SENT_NS,
                       .end_ns = UINT64_MAX};
    cr_assert_eq(ring_init(&s.ring, 64, 2), 0);
    cr_assert_eq(bufring_init(&s.receive_buffers, &s.ring, 1, BUFFERS, BUFFER_BYTES), 0);
    cr_assert_eq(pool_init(&s.chunks, SHARD_CHUNK_BYTES, 300), 0);
    cr_assert_eq(tally_init(&s.tally), 0);
    cr_assert_eq(tally_add_groups(&s.tally, 1), 0);
    cr_assert_eq(downlink_init(&s), 0);
    cr_assert_eq(uplink_init(&s), 0);
    timer_wheel_init(&s.timers, 0);
    memset(pair, 0, sizeof pair);
    init_user(&pair[0], 0);
    init_user(&pair[1], 1);
    dialog_join(&pair[0].dialog, &pair[0], 0, &pair[1].dialog, &pair[1]);
    cr_assert_eq(sp_random(handshake.sk, sizeof handshake.sk), 0);
    for (int i = 0; i < 2; i++) {
        struct sp_session_init_job job = {
            .session = &pair[i].dialog.session,
            .handshake = &handshake,
            .initiator = i == 0,
            .local = sp_identity_public(&pair[i].persona.identity),
            .remote = sp_identity_public(&pair[i ^ 1].persona.identity),
            .mode = SP_SESSION_COUNTER,
        };

        sp_session_init_batch(&job, 1);
        cr_assert_eq(job.result, 0);
        pair[i].dialog.has_session = true;
    }
}

static void teardown(void)
{
    client_free(&s, &pair[0]);
    client_free(&s, &pair[1]);
    downlink_free(&s);
    uplink_free(&s);
    tally_free(&s.tally);
    bufring_free(&s.receive_buffers);
    ring_free(&s.ring);
    pool_free(&s.chunks);
}

TestSuite(downlink, .init = setup, .fini = teardown);

static struct ledger_record record_of(uint64_t sequence)
{
    return (struct ledger_record){.run_id = RUN,
                                  .sender = 0,
                                  .receiver = 1,
                                  .sequence = sequence,
                                  .intended_ns = 1,
                                  .sent_ns = SENT_NS,
                                  .flags = LEDGER_FLAG_MEASURED};
}

// One frame as the relay sends it, from alice to bob.
static void make_frame(uint8_t out[FRAME], const struct ledger_record *record)
{
    struct wire_envelope envelope = {.kind = WIRE_KIND_SESSION, .ciphertext_len = CIPHERTEXT};
    uint8_t *ciphertext = out + 4 + WIRE_HEADER_BYTES;
    struct sp_session_job job = {.session = &pair[0].dialog.session,
                                 .in = ciphertext + 16,
                                 .len = PAYLOAD,
                                 .out = ciphertext};

    memset(out, 0, FRAME);
    cr_assert_eq(ws_encode_header(out, WS_BINARY, ENVELOPE, NULL), 4);
    memcpy(envelope.mailbox, pair[1].persona.mailbox, sizeof envelope.mailbox);
    wire_encode_header(out + 4, &envelope);
    ledger_encode_record(ciphertext + 16, record);
    sp_session_seal_batch(&job, 1);
    cr_assert_eq(job.result, 0);
}

static void receive(const uint8_t *bytes, size_t len)
{
    uint16_t id = next_buffer++ % BUFFERS;

    memcpy(bufring_at(&s.receive_buffers, id), bytes, len);
    downlink_on_data(&s, &pair[1], id, len);
    // A turn's end, not after each receive, so that jobs of several buffers meet in a batch.
    if (next_buffer % 16 == 0) {
        downlink_flush(&s);
        bufring_commit(&s.receive_buffers);
    }
}

static void end_turn(void)
{
    downlink_flush(&s);
    bufring_commit(&s.receive_buffers);
    cr_assert_eq(s.receive_buffers.held, 0, "every buffer is back");
}

Test(downlink, on_data_split_at_every_size)
{
    enum { FRAMES = 12 };
    uint64_t sequence = 0;

    for (size_t step = 1; step <= 3 * FRAME; step++) {
        uint8_t stream[FRAMES * FRAME];

        for (int i = 0; i < FRAMES; i++) {
            struct ledger_record r = record_of(sequence++);
            make_frame(stream + i * FRAME, &r);
        }
        for (size_t at = 0; at < sizeof stream; at += step)
            receive(stream + at, step < sizeof stream - at ? step : sizeof stream - at);
        end_turn();
        cr_assert_eq(s.tally.ledger.received, sequence, "in pieces of %zu", step);
        cr_assert_eq(s.chunks.used, 0, "no carry is left");
    }
    cr_assert_eq(s.tally.delivered, sequence);
    cr_assert_eq(s.tally.response.total, sequence);
    cr_assert_eq(pair[1].dialog.received, sequence);
    cr_assert_eq(s.tally.groups[0].response.total, 0, "of one group the total is its own");
    cr_assert_not(ledger_has_faults(&s.tally.ledger));
}

Test(downlink, on_data_more_than_a_batch_in_one_buffer)
{
    enum { FRAMES = 3 * DOWNLINK_BATCH + 5 };
    static uint8_t stream[FRAMES * FRAME];

    for (uint64_t i = 0; i < FRAMES; i++) {
        struct ledger_record r = record_of(i);
        make_frame(stream + i * FRAME, &r);
    }
    receive(stream, sizeof stream < BUFFER_BYTES ? sizeof stream : BUFFER_BYTES);
    if (sizeof stream > BUFFER_BYTES)
        receive(stream + BUFFER_BYTES, sizeof stream - BUFFER_BYTES);
    end_turn();
    cr_assert_eq(s.tally.ledger.received, FRAMES);
}

Test(downlink, on_data_measures_every_part)
{
    struct ledger_record r = record_of(7);
    uint8_t frame[FRAME];

    r.intended_ns = 1000;
    r.lag_16ns = 10;
    r.sent_ns = 2000;
    r.send = 7;
    pair[0].trail.next = 7;
    make_frame(frame, &r);
    budget_push_send(&pair[0].trail, 1, 3000);
    budget_complete_send(&pair[0].trail, 4000);
    s.now_ns = 6000;
    receive(frame, sizeof frame);
    end_turn();
    cr_assert_eq(s.tally.budget.count, 1);
    cr_assert_eq(s.tally.budget.part_ns[BUDGET_schedule_lag], 160);
    cr_assert_eq(s.tally.budget.part_ns[BUDGET_send_queue], 840);
    cr_assert_eq(s.tally.seal.max, 1000);
    cr_assert_eq(s.tally.socket_queue.max, 1000);
    cr_assert_eq(s.tally.server_network.max, 2000);
    cr_assert_eq(s.tally.open.max + 5000, s.tally.response.max);
    cr_assert_eq(s.tally.uncorrected.max + 1000, s.tally.response.max);
    cr_assert_eq(s.tally.budget.response_ns, s.tally.response.max);
}

Test(downlink, on_data_in_the_warm_up_makes_room_in_the_trail)
{
    struct ledger_record r = record_of(0);
    uint8_t frame[FRAME];

    r.flags = 0;
    make_frame(frame, &r);
    budget_push_send(&pair[0].trail, 1, 3000);
    receive(frame, sizeof frame);
    end_turn();
    cr_assert_eq(s.tally.budget.count, 0);
    cr_assert_eq(pair[0].trail.count, 0);
}

Test(downlink, on_data_foreign_run)
{
    struct ledger_record r = record_of(0);
    uint8_t frame[FRAME];

    r.run_id++;
    make_frame(frame, &r);
    receive(frame, sizeof frame);
    end_turn();
    cr_assert_eq(s.tally.ledger.foreign, 1);
    cr_assert_eq(s.tally.ledger.received, 0);
}

Test(downlink, on_data_of_an_offline_group_stays_out_of_the_totals)
{
    struct ledger_record r = record_of(0);
    uint8_t frame[FRAME];

    options.groups[0].behaviour = GROUP_OFFLINE;
    pair[1].is_apart = true;
    make_frame(frame, &r);
    receive(frame, sizeof frame);
    end_turn();
    options.groups[0].behaviour = GROUP_CHAT;
    cr_assert_eq(s.tally.ledger.received, 1);
    cr_assert_eq(s.tally.response.total, 0);
    cr_assert_eq(s.tally.groups[0].response.total, 1);
}

Test(downlink, on_data_without_session)
{
    struct ledger_record r = record_of(0);
    uint8_t frame[FRAME];

    make_frame(frame, &r);
    pair[1].dialog.has_session = false;
    receive(frame, sizeof frame);
    end_turn();
    pair[1].dialog.has_session = true;
    cr_assert_eq(s.tally.ledger.auth_fail, 1);
}

Test(downlink, on_data_after_the_drain_is_ignored)
{
    struct ledger_record r = record_of(0);
    uint8_t frame[FRAME];

    make_frame(frame, &r);
    s.phase = SHARD_CLOSING;
    receive(frame, sizeof frame);
    end_turn();
    cr_assert_eq(s.tally.ledger.received, 0);
}

static void expect_closed(const uint8_t *bytes, size_t len, const char *why)
{
    s.alive = 1;
    receive(bytes, len);
    end_turn();
    cr_assert_eq(pair[1].state, CLIENT_CLOSED);
    cr_assert_eq(s.tally.disconnected, 1);
    cr_assert(strstr(s.disconnect_text, why), "'%s' lacks '%s'", s.disconnect_text, why);
}

Test(downlink, on_data_bad_frame_closes)
{
    expect_closed((uint8_t[]){0x83, 0x00}, 2, "bad_opcode");
}

Test(downlink, on_data_masked_frame_closes)
{
    expect_closed((uint8_t[]){0x82, 0x80, 0, 0, 0, 0}, 6, "masked");
}

Test(downlink, on_data_too_large_closes)
{
    expect_closed((uint8_t[]){0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, 10, "too_large");
}

Test(downlink, on_data_broken_envelope_closes)
{
    expect_closed((uint8_t[]){0x82, 0x02, 1, 2}, 4, "broken envelope");
}

Test(downlink, on_data_close_frame_names_its_code)
{
    expect_closed((uint8_t[]){0x88, 0x02, 0x11, 0x39}, 4, "4409");
}

Test(downlink, on_data_fragment_closes)
{
    expect_closed((uint8_t[]){0x02, 0x01, 'x'}, 3, "fragmented");
}

Test(downlink, on_data_ping_is_answered)
{
    receive((uint8_t[]){0x89, 0x03, 'a', 'b', 'c'}, 5);
    end_turn();
    cr_assert_eq(pair[1].control.len, 2 + 4 + 3);
    cr_assert_eq(pair[1].control.bytes[0], 0x8A);
    ws_mask(pair[1].control.bytes + 6, 3, pair[1].control.bytes + 2);
    cr_assert_eq(memcmp(pair[1].control.bytes + 6, "abc", 3), 0);
}

// ---- a relay that errs
// ---------------------------------------------------------------------------

struct stream {
    uint8_t (*frames)[FRAME];
    size_t count;
    struct ledger_counts counts; // what an honest ledger must say
};

static void put(struct stream *st, const uint8_t frame[FRAME])
{
    memcpy(st->frames[st->count++], frame, FRAME);
}

static void spoil(struct stream *st, uint8_t frame[FRAME], struct ledger_record *r)
{
    switch (random() % 24) {
    case 0: // lost
        return;
    case 1: // twice
        put(st, frame);
        put(st, frame);
        st->counts.duplicate++;
        st->counts.received++;
        return;
    case 2: // a bit flipped on the way
        frame[4 + WIRE_HEADER_BYTES + 16 + (size_t)random() % (PAYLOAD + 16)] ^= 0x10;
        put(st, frame);
        st->counts.auth_fail++;
        return;
    case 3: // handed to the wrong user
        frame[4 + 8] ^= 1;
        put(st, frame);
        st->counts.misrouted++;
        return;
    case 4: // sealed for somebody else of the run
        r->receiver = 9;
        make_frame(frame, r);
        put(st, frame);
        st->counts.misrouted++;
        return;
    case 5: // another session's
        frame[4 + WIRE_HEADER_BYTES] ^= 1;
        put(st, frame);
        st->counts.auth_fail++;
        return;
    default:
        put(st, frame);
        st->counts.received++;
    }
}

// Swap two neighbours that are both untouched: the earlier one then comes after a later one.
static void reorder(struct stream *st, size_t from)
{
    if (st->count - from != 2)
        return;
    uint8_t swap[FRAME];

    memcpy(swap, st->frames[from], FRAME);
    memcpy(st->frames[from], st->frames[from + 1], FRAME);
    memcpy(st->frames[from + 1], swap, FRAME);
    st->counts.reordered++;
}

Test(downlink, on_data_counts_every_injected_fault)
{
    struct stream st = {.frames = malloc(2 * STREAM_MAX * FRAME)};
    struct ledger_counts *got = &s.tally.ledger;
    const uint8_t *bytes = st.frames[0];

    srandom(4711);
    for (uint64_t n = 0; n < STREAM_MAX; n++) {
        struct ledger_record r = record_of(n);
        uint8_t frame[FRAME];

        make_frame(frame, &r);
        if (n % 10 == 5 && n + 1 < STREAM_MAX) {
            size_t from = st.count;

            put(&st, frame);
            r = record_of(++n);
            make_frame(frame, &r);
            put(&st, frame);
            st.counts.received += 2;
            reorder(&st, from);
        } else {
            spoil(&st, frame, &r);
        }
    }
    for (size_t at = 0, len; at < st.count * FRAME; at += len) {
        len = 1 + (size_t)random() % 5000;
        if (len > st.count * FRAME - at)
            len = st.count * FRAME - at;
        receive(bytes + at, len);
    }
    end_turn();
    got->expected = st.counts.expected = STREAM_MAX;
    ledger_settle(got);
    ledger_settle(&st.counts);
    cr_assert_eq(got->received, st.counts.received);
    cr_assert_eq(got->lost, st.counts.lost);
    cr_assert_eq(got->duplicate, st.counts.duplicate);
    cr_assert_eq(got->reordered, st.counts.reordered);
    cr_assert_eq(got->misrouted, st.counts.misrouted);
    cr_assert_eq(got->auth_fail, st.counts.auth_fail);
    cr_assert(st.counts.lost && st.counts.duplicate && st.counts.reordered && st.counts.misrouted &&
              st.counts.auth_fail);
    free(st.frames);
}
