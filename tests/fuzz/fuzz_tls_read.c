// Records after the handshake: sealed ones of any type and content, key updates, edited ones and
// raw bytes, in any pieces. However they are cut the outcome is the same; what is read is a prefix
// of the data that was sealed; what is sent is nothing or one fatal alert, then the answer to a
// write, and the peer can read it.
// Input: role (bit 0), suite (bits 1 …) and a seed for the cuts; then items of
// kind, length (2), what else the kind needs, bytes.
#include <assert.h>
#include <stdlib.h>

// The channel's own source: channels are opened with given secrets, without a handshake.
#include "tls.c"

#define STREAM_MAX_BYTES (256u * 1024)
#define ITEM_MAX_BYTES 16384u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum item {
    ITEM_DATA,
    ITEM_TYPED,
    ITEM_PADDED,
    ITEM_KEY_UPDATE,
    ITEM_EDITED,
    ITEM_RAW,
    ITEM_COUNT
};

struct input {
    const uint8_t *at;
    size_t left;
};

// Records for the channel, and the data that was sealed into them.
struct stream {
    struct tls_direction d;
    uint8_t bytes[STREAM_MAX_BYTES], data[STREAM_MAX_BYTES];
    size_t len, data_len;
};

struct outcome {
    uint8_t plain[STREAM_MAX_BYTES], sent[TLS_FLIGHT_MAX_BYTES];
    size_t plain_len, sent_len;
    ssize_t result;
};

static struct tls_context *context;
static struct pool partials;
static struct stream stream;
static struct outcome whole, pieces, echo;

static uint8_t take_byte(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static const uint8_t *take_bytes(struct input *in, size_t *len)
{
    const uint8_t *bytes = in->at;

    if (*len > in->left)
        *len = in->left;
    in->at += *len;
    in->left -= *len;
    return bytes;
}

// A channel as it is after a handshake: `client` and `server` as secrets.
static struct tls *open_channel(bool is_server, const struct tls_suite *suite)
{
    static const uint8_t secrets[2][TLS_SECRET_MAX_BYTES] = {"client", "server"};
    struct tls *t = calloc(1, sizeof *t);

    assert(t != NULL);
    t->context = context;
    t->partials = &partials;
    t->is_server = is_server;
    t->group = "X25519";
    int err = tls_direction_init(&t->reading, suite, secrets[is_server ? 0 : 1], 0);
    assert(err == 0);
    err = tls_direction_init(&t->writing, suite, secrets[is_server ? 1 : 0], 1);
    assert(err == 0);
    return t;
}

// What of an inner plaintext is data: the type is its last byte that is not zero.
static void note_data(struct stream *s, const uint8_t *inner, size_t len)
{
    while (len > 0 && inner[len - 1] == 0)
        len--;
    if (len == 0 || inner[len - 1] != TLS_TYPE_DATA)
        return;
    memcpy(s->data + s->data_len, inner, len - 1);
    s->data_len += len - 1;
}

static void seal_record(struct stream *s, uint8_t type, const uint8_t *bytes, size_t len)
{
    uint8_t inner[ITEM_MAX_BYTES + 1];
    ssize_t n = tls_record_seal(&s->d, (enum tls_record_type)type, bytes, len, s->bytes + s->len);

    assert(n > 0);
    s->len += (size_t)n;
    memcpy(inner, bytes, len);
    inner[len] = type;
    note_data(s, inner, len + 1);
}

// Padding is made of content that ends in a type and zeros, under the type 0.
static void seal_padded(struct stream *s, uint8_t type, const uint8_t *bytes, size_t len,
                        size_t padding)
{
    uint8_t inner[ITEM_MAX_BYTES] = {0};

    if (len + 1 > sizeof inner)
        len = sizeof inner - 1;
    if (padding > sizeof inner - len - 1)
        padding = sizeof inner - len - 1;
    memcpy(inner, bytes, len);
    inner[len] = type;
    seal_record(s, 0, inner, len + 1 + padding);
}

static void add_key_update(struct stream *s, uint8_t request)
{
    const uint8_t message[5] = {HANDSHAKE_KEY_UPDATE, 0, 0, 1, request};

    seal_record(s, TLS_TYPE_HANDSHAKE, message, sizeof message);
    int err = tls_direction_update(&s->d);
    assert(err == 0);
}

static void add_item(struct stream *s, struct input *in)
{
    enum item kind = take_byte(in) % ITEM_COUNT;
    uint8_t high = take_byte(in), extra, more;
    size_t len = (size_t)(high & 0x3F) << 8 | take_byte(in), start = s->len;
    const uint8_t *bytes;

    extra = kind == ITEM_DATA || kind == ITEM_RAW ? 0 : take_byte(in);
    more = kind == ITEM_PADDED || kind == ITEM_EDITED ? take_byte(in) : 0;
    bytes = take_bytes(in, &len);
    switch (kind) {
    case ITEM_DATA:
        seal_record(s, TLS_TYPE_DATA, bytes, len);
        break;
    case ITEM_TYPED:
        seal_record(s, extra, bytes, len);
        break;
    case ITEM_PADDED:
        seal_padded(s, extra, bytes, len, more);
        break;
    case ITEM_KEY_UPDATE:
        add_key_update(s, extra);
        break;
    case ITEM_EDITED:
        seal_record(s, TLS_TYPE_DATA, bytes, len);
        s->data_len -= len;
        s->bytes[start + (extra * 256u + more) % (s->len - start)] ^= (uint8_t)(1 + (more & 0x7F));
        break;
    default:
        memcpy(s->bytes + s->len, bytes, len);
        s->len += len;
    }
}

static void feed(struct tls *t, const uint8_t *bytes, size_t len, struct outcome *o)
{
    uint8_t *copy = malloc(len + 1), *plain = malloc(TLS_RECORD_CIPHERTEXT_MAX);

    assert(copy != NULL && plain != NULL);
    memcpy(copy, bytes, len);
    tls_feed(t, copy, len);
    do {
        struct tls_out out = {o->sent, o->sent_len, sizeof o->sent};

        o->result = tls_read(t, plain, TLS_RECORD_CIPHERTEXT_MAX, &out);
        o->sent_len = out.len;
        if (o->result > 0) {
            assert((size_t)o->result <= TLS_RECORD_PLAINTEXT_MAX);
            memcpy(o->plain + o->plain_len, plain, (size_t)o->result);
            o->plain_len += (size_t)o->result;
        }
    } while (o->result > 0);
    assert(t->in_len == 0 && ERR_peek_error() == 0);
    assert(o->result == 0 || t->partial == NULL);
    free(copy);
    free(plain);
}

// Cuts that follow from the seed: mostly short pieces, some of many records.
static size_t next_piece(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % 5 == 0 ? 1 + (*seed >> 12) % 20000 : 1 + (*seed >> 20) % 40;
}

static void check_sent(struct tls *t, struct tls *peer)
{
    static const uint8_t text[] = "what is written at the end";

    if (whole.result != TLS_FAILED)
        assert(whole.sent_len == 0);
    else
        assert(whole.sent_len == 0 || whole.sent_len == 2 + TLS_RECORD_OVERHEAD_BYTES);
    struct tls_out out = {whole.sent, whole.sent_len, sizeof whole.sent};
    int err = tls_write(t, text, sizeof text, &out);
    assert(err == 0);
    assert((out.len == whole.sent_len) == (whole.result == TLS_FAILED));
    echo.plain_len = echo.sent_len = 0;
    feed(peer, whole.sent, out.len, &echo);
    assert(echo.sent_len == 0);
    if (whole.result == TLS_FAILED) {
        assert(echo.plain_len == 0 && echo.result == (out.len == 0 ? 0 : TLS_FAILED));
        return;
    }
    assert(echo.result == 0 && echo.plain_len == sizeof text);
    assert(memcmp(echo.plain, text, sizeof text) == 0);
}

static void set_up(void)
{
    char reason[TLS_REASON_BYTES];

    context = tls_context_create_server(NULL, NULL, reason);
    assert(context != NULL);
    int err = pool_init(&partials, TLS_RECORD_MAX_BYTES, 3);
    assert(err == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t mode = take_byte(&in);
    uint32_t seed = take_byte(&in);

    if (!context)
        set_up();
    const struct tls_suite *suite = &context->suites[(mode >> 1) % SUITE_COUNT];
    struct tls *one = open_channel(mode & 1, suite), *other = open_channel(mode & 1, suite);
    struct tls *peer = open_channel(!(mode & 1), suite);

    stream.len = stream.data_len = 0;
    int err = tls_direction_init(&stream.d, suite, one->reading.secret, 1);
    assert(err == 0);
    while (in.left > 0 &&
           stream.len + ITEM_MAX_BYTES + TLS_RECORD_OVERHEAD_BYTES <= sizeof stream.bytes)
        add_item(&stream, &in);

    whole.plain_len = whole.sent_len = pieces.plain_len = pieces.sent_len = 0;
    feed(one, stream.bytes, stream.len, &whole);
    pieces.result = 0;
    for (size_t at = 0, n; at < stream.len; at += n) {
        n = next_piece(&seed);
        if (n > stream.len - at)
            n = stream.len - at;
        feed(other, stream.bytes + at, n, &pieces);
    }
    assert(whole.result == pieces.result);
    assert(whole.plain_len == pieces.plain_len && whole.sent_len == pieces.sent_len);
    assert(memcmp(whole.plain, pieces.plain, whole.plain_len) == 0);
    assert(memcmp(whole.sent, pieces.sent, whole.sent_len) == 0);
    assert(whole.plain_len <= stream.data_len);
    assert(memcmp(whole.plain, stream.data, whole.plain_len) == 0);
    check_sent(one, peer);
    tls_direction_free(&stream.d);
    tls_destroy(one);
    tls_destroy(other);
    tls_destroy(peer);
    assert(partials.used == 0);
    return 0;
}
