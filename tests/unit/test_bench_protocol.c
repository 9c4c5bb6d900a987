// The bench's protocol codecs, through the stream that feeds them: whole, byte by byte,
// interleaved, truncated, garbage; and the delivery ledger.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_ledger.h"
#include "bench_stream.h"

#define PAYLOAD 40
#define MESSAGES 5
#define EVENTS_MAX 64

static const struct bench_protocol *const protocols[] = {
    &bench_protocol_raw, &bench_protocol_nats, &bench_protocol_redis, &bench_protocol_mqtt};

// What a server sends, built up piece by piece.
struct wire {
    uint8_t bytes[65536];
    size_t len;
};

static void put(struct wire *w, const void *bytes, size_t len)
{
    memcpy(w->bytes + w->len, bytes, len);
    w->len += len;
}

static void put_text(struct wire *w, const char *text)
{
    put(w, text, strlen(text));
}

static void put_payload(struct wire *w, uint64_t sequence, size_t payload_bytes)
{
    struct bench_stamp stamp = {
        .sequence = sequence, .sent_ns = 1000 + sequence, .sender = 7, .mark = BENCH_STAMP_MARK};
    uint8_t payload[4096];

    memset(payload, '\n', sizeof payload); // line ends in a payload must not matter
    memcpy(payload, &stamp, sizeof stamp);
    put(w, payload, payload_bytes);
}

static void put_message(struct wire *w, const struct bench_protocol *p, uint64_t sequence)
{
    if (p == &bench_protocol_nats) {
        put_text(w, "MSG b00006 1 40\r\n");
        put_payload(w, sequence, PAYLOAD);
        put_text(w, "\r\n");
    } else if (p == &bench_protocol_redis) {
        put_text(w, ">3\r\n$7\r\nmessage\r\n$6\r\nb00006\r\n$40\r\n");
        put_payload(w, sequence, PAYLOAD);
        put_text(w, "\r\n");
    } else if (p == &bench_protocol_mqtt) {
        put(w,
            "\x30\x30\x00\x06"
            "b00006",
            10);
        put_payload(w, sequence, PAYLOAD);
    } else {
        put_payload(w, sequence, PAYLOAD);
    }
}

static void put_greeting(struct wire *w, const struct bench_protocol *p)
{
    if (p == &bench_protocol_nats)
        put_text(w, "INFO {\"server_id\":\"X\",\"max_payload\":1048576} \r\nPONG\r\n");
    else if (p == &bench_protocol_redis)
        put_text(w,
                 "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n$7\r\nmodules\r\n*0\r\n"
                 ">3\r\n$9\r\nsubscribe\r\n$6\r\nb00006\r\n:1\r\n");
    else if (p == &bench_protocol_mqtt)
        put(w, "\x20\x02\x00\x00\x90\x03\x00\x01\x00", 9);
}

// What stands between messages and is not one.
static void put_interleaved(struct wire *w, const struct bench_protocol *p)
{
    if (p == &bench_protocol_nats)
        put_text(w, "+OK\r\nPING\r\n");
    else if (p == &bench_protocol_redis)
        put_text(w, ":1\r\n");
}

// Feed in pieces of `step` bytes. Returns the events, or the error of the stream.
static int feed(const struct bench_protocol *p, const struct wire *w, size_t step,
                struct bench_event events[EVENTS_MAX])
{
    struct bench_stream *s = malloc(sizeof *s);
    int count = 0, more = 0;

    bench_stream_init(s, p, PAYLOAD);
    for (size_t at = 0; at < w->len && more >= 0; at += step) {
        size_t len = w->len - at < step ? w->len - at : step;
        // A copy of its own, so that a sanitizer sees every read beyond it.
        uint8_t *piece = malloc(len);
        const uint8_t *in = piece;

        memcpy(piece, w->bytes + at, len);
        while ((more = bench_stream_next(s, &in, &len, &events[count])) > 0)
            count++;
        if (more == 0)
            cr_assert(eq(sz, len, 0));
        free(piece);
    }
    free(s);
    return more < 0 ? more : count;
}

static void check_messages(const struct bench_event *events, int count, int from)
{
    for (int i = from; i < count; i++) {
        cr_assert(eq(int, events[i].kind, BENCH_FRAME_MESSAGE));
        cr_assert(eq(u64, events[i].stamp.sequence, (uint64_t)(i - from)));
        cr_assert(eq(u64, events[i].stamp.sent_ns, (uint64_t)(1000 + i - from)));
        cr_assert(eq(u32, events[i].stamp.sender, 7));
    }
}

Test(bench_protocol, stream_every_cut)
{
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        struct wire w = {.len = 0};
        struct bench_event events[EVENTS_MAX];
        int greeted = protocols[i] != &bench_protocol_raw;

        put_greeting(&w, protocols[i]);
        for (uint64_t m = 0; m < MESSAGES; m++)
            put_message(&w, protocols[i], m);
        for (size_t step = 1; step <= w.len; step++) {
            int count = feed(protocols[i], &w, step, events);

            cr_assert(eq(int, count, MESSAGES + greeted), "%s in pieces of %zu", protocols[i]->name,
                      step);
            if (greeted)
                cr_assert(eq(int, events[0].kind, BENCH_FRAME_READY));
            check_messages(events, count, greeted);
        }
    }
}

Test(bench_protocol, stream_interleaved)
{
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        struct wire w = {.len = 0};
        struct bench_event events[EVENTS_MAX];
        int messages = 0, pings = 0, count;

        for (uint64_t m = 0; m < MESSAGES; m++) {
            put_interleaved(&w, protocols[i]);
            put_message(&w, protocols[i], m);
        }
        count = feed(protocols[i], &w, 7, events);
        for (int e = 0; e < count; e++) {
            messages += events[e].kind == BENCH_FRAME_MESSAGE;
            pings += events[e].kind == BENCH_FRAME_PING;
        }
        cr_assert(eq(int, messages, MESSAGES));
        cr_assert(eq(int, pings, protocols[i] == &bench_protocol_nats ? MESSAGES : 0));
    }
}

// A message is delivered by its last byte, not by its stamp.
Test(bench_protocol, stream_truncated)
{
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        struct wire w = {.len = 0};
        struct bench_event events[EVENTS_MAX];
        size_t whole;

        put_message(&w, protocols[i], 0);
        for (whole = w.len, w.len = 0; w.len < whole; w.len++)
            cr_assert(eq(int, feed(protocols[i], &w, 4096, events), 0), "%s cut at %zu",
                      protocols[i]->name, w.len);
        cr_assert(eq(int, feed(protocols[i], &w, 4096, events), 1));
    }
}

static int feed_text(const struct bench_protocol *p, const char *text)
{
    struct bench_event events[EVENTS_MAX];
    struct wire w = {.len = 0};
    int whole, single;

    put_text(&w, text);
    whole = feed(p, &w, w.len, events);
    single = feed(p, &w, 1, events);
    cr_assert(eq(int, whole, single), "%s: '%s'", p->name, text);
    return whole;
}

Test(bench_protocol, stream_garbage)
{
    cr_assert(
        eq(int, feed_text(&bench_protocol_nats, "HTTP/1.1 400\r\n"), BENCH_PROTOCOL_E_SYNTAX));
    cr_assert(eq(int, feed_text(&bench_protocol_nats, "\n"), BENCH_PROTOCOL_E_SYNTAX));
    cr_assert(eq(int, feed_text(&bench_protocol_nats, "PING\n"), BENCH_PROTOCOL_E_SYNTAX));
    cr_assert(eq(int, feed_text(&bench_protocol_nats, "MSG b 1 4x\r\n"), BENCH_PROTOCOL_E_SYNTAX));
    cr_assert(eq(int, feed_text(&bench_protocol_nats, "MSG b 1 9999999999999\r\n"),
                 BENCH_PROTOCOL_E_SYNTAX));
    cr_assert(
        eq(int, feed_text(&bench_protocol_redis, "HTTP/1.1 400\r\n"), BENCH_PROTOCOL_E_SYNTAX));
    cr_assert(eq(int, feed_text(&bench_protocol_redis, ":1\n"), BENCH_PROTOCOL_E_SYNTAX));
    cr_assert(eq(int, feed_text(&bench_protocol_redis, "$-1\r\n"), BENCH_PROTOCOL_E_SYNTAX));
    cr_assert(
        eq(int, feed_text(&bench_protocol_redis, ">2\r\n$3\r\nfoo\r\n"), BENCH_PROTOCOL_E_SYNTAX));
    cr_assert(eq(int, feed_text(&bench_protocol_redis, ">3\r\n$7\r\nmessage\r\nb00006\r\n"),
                 BENCH_PROTOCOL_E_SYNTAX));
    cr_assert(
        eq(int, feed_text(&bench_protocol_mqtt, "HTTP/1.1 400\r\n"), BENCH_PROTOCOL_E_SYNTAX));
    // A remaining length of five bytes; a CONNACK of one.
    cr_assert(eq(int, feed_text(&bench_protocol_mqtt, "\x30\xff\xff\xff\xff\x01"),
                 BENCH_PROTOCOL_E_SYNTAX));
    cr_assert(eq(int, feed_text(&bench_protocol_mqtt, "\x20\x01\x01"), BENCH_PROTOCOL_E_SYNTAX));
    // A topic longer than the packet.
    cr_assert(
        eq(int, feed_text(&bench_protocol_mqtt, "\x30\x04\x01\x06zz"), BENCH_PROTOCOL_E_SYNTAX));
}

Test(bench_protocol, stream_refused)
{
    struct bench_event events[EVENTS_MAX];
    struct wire connack = {.len = 0}, suback = {.len = 0};

    cr_assert(eq(int, feed_text(&bench_protocol_nats, "-ERR 'Authorization Violation'\r\n"),
                 BENCH_PROTOCOL_E_REFUSED));
    cr_assert(eq(int, feed_text(&bench_protocol_redis, "-NOAUTH Authentication required.\r\n"),
                 BENCH_PROTOCOL_E_REFUSED));
    put(&connack, "\x20\x02\x00\x05", 4);
    cr_assert(eq(int, feed(&bench_protocol_mqtt, &connack, 1, events), BENCH_PROTOCOL_E_REFUSED));
    put(&suback, "\x90\x03\x00\x01\x80", 5);
    cr_assert(eq(int, feed(&bench_protocol_mqtt, &suback, 1, events), BENCH_PROTOCOL_E_REFUSED));
}

Test(bench_protocol, stream_other_length)
{
    struct bench_event events[EVENTS_MAX];
    struct wire w = {.len = 0};

    cr_assert(
        eq(int, feed_text(&bench_protocol_nats, "MSG b00006 1 41\r\n"), BENCH_PROTOCOL_E_LENGTH));
    cr_assert(eq(int,
                 feed_text(&bench_protocol_redis, ">3\r\n$7\r\nmessage\r\n$6\r\nb00006\r\n$39\r\n"),
                 BENCH_PROTOCOL_E_LENGTH));
    put(&w,
        "\x30\x31\x00\x06"
        "b00006",
        10);
    cr_assert(eq(int, feed(&bench_protocol_mqtt, &w, 1, events), BENCH_PROTOCOL_E_LENGTH));
}

Test(bench_protocol, stream_foreign_payload)
{
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        struct bench_event events[EVENTS_MAX];
        struct wire w = {.len = 0};
        size_t tail = strlen(protocols[i]->tail);

        put_message(&w, protocols[i], 0);
        w.bytes[w.len - tail - PAYLOAD + offsetof(struct bench_stamp, mark)] ^= 1;
        cr_assert(eq(int, feed(protocols[i], &w, 1, events), BENCH_PROTOCOL_E_FOREIGN));
    }
}

Test(bench_protocol, stream_overlong_line)
{
    struct bench_event events[EVENTS_MAX];
    struct wire w = {.len = 0};

    put_text(&w, "INFO ");
    memset(w.bytes + w.len, 'x', 4096);
    w.len += 4096;
    for (size_t step = 1; step <= w.len; step *= 3)
        cr_assert(eq(int, feed(&bench_protocol_nats, &w, step, events), BENCH_PROTOCOL_E_TOO_LONG));
}

// What is published is what the codec's own server would deliver: same sizes for every partner, so
// that messages can be laid side by side.
Test(bench_protocol, encode_head_equal_lengths)
{
    uint8_t first[BENCH_HEAD_MAX], last[BENCH_HEAD_MAX];

    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        cr_assert(eq(sz, protocols[i]->encode_head(first, 0, 288),
                     protocols[i]->encode_head(last, 16383, 288)));
}

Test(bench_protocol, encode_head_bytes)
{
    uint8_t head[BENCH_HEAD_MAX];
    size_t len;

    len = bench_protocol_nats.encode_head(head, 6, 288);
    cr_assert(len == 16 && memcmp(head, "PUB b00006 288\r\n", len) == 0);
    len = bench_protocol_redis.encode_head(head, 6, 288);
    cr_assert(len == 35 &&
              memcmp(head, "*3\r\n$7\r\nPUBLISH\r\n$6\r\nb00006\r\n$288\r\n", len) == 0);
    // 2 + 6 + 288 = 296 = 0x28 + 2 × 128
    len = bench_protocol_mqtt.encode_head(head, 6, 288);
    cr_assert(len == 11 && memcmp(head,
                                  "\x30\xa8\x02\x00\x06"
                                  "b00006",
                                  len) == 0);
    cr_assert(eq(sz, bench_protocol_raw.encode_head(head, 6, 288), 0));
}

Test(bench_protocol, encode_hello_bytes)
{
    uint8_t hello[BENCH_HELLO_MAX];
    size_t len = bench_protocol_mqtt.encode_hello(hello, 7);

    cr_assert(len == 36 && memcmp(hello,
                                  "\x10\x15\x00\x04MQTT\x04\x02\x00\x00\x00\x09sealpost7"
                                  "\x82\x0b\x00\x01\x00\x06"
                                  "b00007\x00",
                                  len) == 0);
    len = bench_protocol_redis.encode_hello(hello, 7);
    cr_assert(len == 27 && memcmp(hello, "HELLO 3\r\nSUBSCRIBE b00007\r\n", len) == 0);
    len = bench_protocol_nats.encode_hello(hello, 7);
    cr_assert(len > 20 && memcmp(hello, "CONNECT {", 9) == 0);
    cr_assert(memcmp(hello + len - 20, "SUB b00007 1\r\nPING\r\n", 20) == 0);
}

Test(bench_protocol, find_by_name)
{
    cr_assert(bench_protocol_find("redis") == &bench_protocol_redis);
    cr_assert(bench_protocol_find("amqp") == NULL);
}

Test(bench_ledger, take_in_order)
{
    struct bench_ledger l = {0};

    for (uint64_t i = 0; i < 1000; i++)
        cr_assert(eq(int, bench_ledger_take(&l, i), BENCH_LEDGER_FRESH));
    cr_assert(eq(u64, l.next, 1000));
}

Test(bench_ledger, take_duplicate_and_reordered)
{
    struct bench_ledger l = {0};

    cr_assert(eq(int, bench_ledger_take(&l, 0), BENCH_LEDGER_FRESH));
    cr_assert(eq(int, bench_ledger_take(&l, 0), BENCH_LEDGER_DUPLICATE));
    cr_assert(eq(int, bench_ledger_take(&l, 3), BENCH_LEDGER_FRESH));
    cr_assert(eq(int, bench_ledger_take(&l, 1), BENCH_LEDGER_REORDERED));
    cr_assert(eq(int, bench_ledger_take(&l, 1), BENCH_LEDGER_DUPLICATE));
    cr_assert(eq(int, bench_ledger_take(&l, 3), BENCH_LEDGER_DUPLICATE));
    cr_assert(eq(int, bench_ledger_take(&l, 2), BENCH_LEDGER_REORDERED));
    cr_assert(eq(int, bench_ledger_take(&l, 4), BENCH_LEDGER_FRESH));
}

Test(bench_ledger, take_window_edges)
{
    struct bench_ledger l = {0};

    cr_assert(eq(int, bench_ledger_take(&l, 63), BENCH_LEDGER_FRESH));
    cr_assert(eq(int, bench_ledger_take(&l, 0), BENCH_LEDGER_REORDERED)); // the oldest it knows
    cr_assert(eq(int, bench_ledger_take(&l, 64), BENCH_LEDGER_FRESH));
    cr_assert(eq(int, bench_ledger_take(&l, 0), BENCH_LEDGER_DUPLICATE)); // beyond it
    cr_assert(eq(int, bench_ledger_take(&l, 1000), BENCH_LEDGER_FRESH));
    cr_assert(eq(int, bench_ledger_take(&l, 999), BENCH_LEDGER_REORDERED));
    cr_assert(eq(int, bench_ledger_take(&l, 1000), BENCH_LEDGER_DUPLICATE));
}
