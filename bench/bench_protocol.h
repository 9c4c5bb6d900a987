// What the driver must know of a server's protocol: the bytes of a subscription, the bytes around a
// published message, and how a delivered message begins. One codec for each protocol, pure: no
// I/O, no state. The stream in bench_stream.h feeds them.
#ifndef SEALPOST_BENCH_PROTOCOL_H
#define SEALPOST_BENCH_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The first bytes of every payload. Written and read by the same process: host byte order.
struct bench_stamp {
    uint64_t sequence; // of its sender, from 0
    uint64_t sent_ns;
    uint32_t sender; // connection index
    uint32_t mark;   // BENCH_STAMP_MARK
};

#define BENCH_STAMP_MARK 0x5EA17057u
#define BENCH_STAMP_BYTES sizeof(struct bench_stamp)
#define BENCH_HELLO_MAX 512u // longest connect-and-subscribe
#define BENCH_HEAD_MAX 96u   // longest head in front of a published payload

enum bench_protocol_error {
    BENCH_PROTOCOL_E_SYNTAX = -1,  // not this protocol
    BENCH_PROTOCOL_E_REFUSED = -2, // the server answered with an error
    BENCH_PROTOCOL_E_LENGTH = -3,  // a payload that is not as long as ours
    BENCH_PROTOCOL_E_FOREIGN = -4, // a payload that does not begin with a stamp
    BENCH_PROTOCOL_E_TOO_LONG = -5 // a frame head longer than BENCH_CARRY_BYTES
};

enum bench_frame_kind {
    BENCH_FRAME_OTHER,   // an acknowledgement or a greeting
    BENCH_FRAME_MESSAGE, // a delivered message; `stamp` points into the input
    BENCH_FRAME_READY,   // the subscription stands
    BENCH_FRAME_PING,    // to be answered with `pong`
};

struct bench_frame {
    enum bench_frame_kind kind;
    const uint8_t *stamp; // BENCH_STAMP_BYTES long, unaligned
    size_t skip_bytes;    // that follow the decoded ones and belong to the frame
};

struct bench_protocol {
    const char *name;
    const char *tail; // behind every published payload
    const char *pong; // NULL if the protocol has none
    // Connect and subscribe connection `index`. Returns the bytes written; 0: nothing to say, the
    // connection is ready at once.
    size_t (*encode_hello)(uint8_t out[BENCH_HELLO_MAX], uint32_t index);
    // What stands in front of a payload published to connection `partner`. Returns its length.
    size_t (*encode_head)(uint8_t out[BENCH_HEAD_MAX], uint32_t partner, size_t payload_bytes);
    // Decode the head of a frame up to its stamp. Returns the bytes used, 0: need more, < 0:
    // enum bench_protocol_error (SYNTAX, REFUSED, LENGTH).
    ssize_t (*decode)(const uint8_t *in, size_t len, size_t payload_bytes, struct bench_frame *out);
};

extern const struct bench_protocol bench_protocol_raw;
extern const struct bench_protocol bench_protocol_nats;
extern const struct bench_protocol bench_protocol_redis;
extern const struct bench_protocol bench_protocol_mqtt;

// NULL if there is no such protocol.
const struct bench_protocol *bench_protocol_find(const char *name);
const char *bench_protocol_error_text(ssize_t err);

// For the codecs: the subject connection `index` listens to ("b00007"), equally long for all.
#define BENCH_SUBJECT_FORMAT "b%05u"
#define BENCH_SUBJECT_LEN 6
// The length of the line at `in` with its CR LF, 0 if it is not there yet.
size_t bench_protocol_line_len(const uint8_t *in, size_t len);
// A decimal number that fills [at, end) exactly. Returns -1 if it is none or too large.
int64_t bench_protocol_decimal(const uint8_t *at, const uint8_t *end);
// Finish a message frame whose payload begins after `head_bytes`: what decode() returns.
ssize_t bench_protocol_take_message(const uint8_t *in, size_t len, size_t head_bytes,
                                    size_t payload_bytes, size_t tail_bytes,
                                    struct bench_frame *out);

#endif
