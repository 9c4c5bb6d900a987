// Queues of references and their memory. See the header for what lives how long.
#include "outbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "conn.h"
#include "worker.h"

// What one message may cause at most before outbox_has_room is asked again: itself forwarded, a
// few answers, and one forced control text.
#define PIECES_MARGIN 64u
#define ANSWERS_MARGIN (2u * LIMIT_CONTROL_BYTES)
#define SEALED_MARGIN (2u * TLS_FLIGHT_MAX_BYTES + 2u * LIMIT_MESSAGE_BYTES)

static void *map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void unmap(void *p, size_t bytes)
{
    if (p)
        munmap(p, bytes);
}

int outbox_arena_init(struct outbox_arena *a, uint32_t connections)
{
    int err;

    *a = (struct outbox_arena){0};
    err = pool_init(&a->chunks, sizeof(struct backlog_chunk), LIMIT_BACKLOG_CHUNKS);
    if (err < 0)
        return err;
    a->pieces = map(LIMIT_PIECES * sizeof *a->pieces);
    a->iovecs = map(LIMIT_SEND_IOVECS_PER_TURN * sizeof *a->iovecs);
    a->flights = map(connections * sizeof *a->flights);
    a->sealed = map(LIMIT_SEALED_BYTES);
    a->answers = map(LIMIT_ANSWER_BYTES);
    a->gather = malloc(TLS_RECORD_PLAINTEXT_MAX);
    if (a->pieces && a->iovecs && a->flights && a->sealed && a->answers && a->gather)
        return 0;
    outbox_arena_free(a, connections);
    return -ENOMEM;
}

void outbox_arena_free(struct outbox_arena *a, uint32_t connections)
{
    unmap(a->pieces, LIMIT_PIECES * sizeof *a->pieces);
    unmap(a->iovecs, LIMIT_SEND_IOVECS_PER_TURN * sizeof *a->iovecs);
    unmap(a->flights, connections * sizeof *a->flights);
    unmap(a->sealed, LIMIT_SEALED_BYTES);
    unmap(a->answers, LIMIT_ANSWER_BYTES);
    free(a->gather);
    pool_free(&a->chunks);
}

bool outbox_has_room(const struct outbox_arena *a)
{
    return a->piece_count + PIECES_MARGIN <= LIMIT_PIECES &&
           a->iovec_count + LIMIT_SEND_IOVECS <= LIMIT_SEND_IOVECS_PER_TURN &&
           a->answers_len + ANSWERS_MARGIN <= LIMIT_ANSWER_BYTES &&
           a->sealed_len + a->to_seal + SEALED_MARGIN <= LIMIT_SEALED_BYTES;
}

void outbox_arena_reset(struct outbox_arena *a)
{
    assert(a->in_flight == 0);
    a->piece_count = 0;
    a->iovec_count = 0;
    a->sealed_len = 0;
    a->to_seal = 0;
    a->answers_len = 0;
}

static void push_piece(struct worker *w, struct conn *c, uint8_t *bytes, size_t len, uint32_t flag)
{
    struct outbox_arena *a = &w->outbox;
    struct piece *last = c->last_piece == OUTBOX_NONE ? NULL : &a->pieces[c->last_piece];

    if (last && flag == 0 && !(last->len & OUTBOX_SEALED) && last->bytes + last->len == bytes) {
        last->len += (uint32_t)len; // it follows right behind: one run of bytes
    } else {
        uint32_t index = a->piece_count++;

        assert(index < LIMIT_PIECES);
        a->pieces[index] = (struct piece){bytes, (uint32_t)len | flag, OUTBOX_NONE};
        if (last)
            last->next = index;
        else
            c->first_piece = index;
        c->last_piece = index;
    }
    c->piece_bytes += (uint32_t)len;
    if (c->tls && flag != OUTBOX_SEALED)
        a->to_seal += tls_write_bound(len);
    if (!list_is_linked(&c->dirty))
        list_push(&w->dirty, &c->dirty);
}

static bool may_push(const struct worker *w, const struct conn *c, size_t len)
{
    return conn_is_alive(c) && c->state != CONN_CLOSING &&
           c->backlog_bytes + c->piece_bytes + len <= w->config->outbox_bytes;
}

bool outbox_push_message(struct worker *w, struct conn *c, enum ws_opcode opcode, uint8_t *payload,
                         size_t len)
{
    size_t header_len = ws_header_len(len, false);

    if (!may_push(w, c, header_len + len))
        return false;
    ws_encode_header(payload - header_len, opcode, len, NULL);
    push_piece(w, c, payload - header_len, header_len + len, 0);
    return true;
}

bool outbox_push_copy(struct worker *w, struct conn *c, int opcode, const void *bytes, size_t len)
{
    struct outbox_arena *a = &w->outbox;
    size_t header_len = opcode == OUTBOX_UNFRAMED ? 0 : ws_header_len(len, false);
    uint8_t *at = a->answers + a->answers_len;

    // A close frame may always be the last thing said.
    if (opcode != WS_CLOSE && !may_push(w, c, header_len + len))
        return false;
    if (!conn_is_alive(c) || a->answers_len + header_len + len > LIMIT_ANSWER_BYTES)
        return false;
    if (opcode != OUTBOX_UNFRAMED)
        ws_encode_header(at, (enum ws_opcode)opcode, len, NULL);
    memcpy(at + header_len, bytes, len);
    a->answers_len += header_len + len;
    push_piece(w, c, at, header_len + len, 0);
    return true;
}

struct tls_out outbox_records_begin(struct worker *w)
{
    struct outbox_arena *a = &w->outbox;

    assert(LIMIT_SEALED_BYTES - a->sealed_len >= TLS_FLIGHT_MAX_BYTES);
    return (struct tls_out){.bytes = a->sealed + a->sealed_len,
                            .cap = LIMIT_SEALED_BYTES - a->sealed_len};
}

void outbox_records_end(struct worker *w, struct conn *c, const struct tls_out *out)
{
    if (out->len == 0)
        return;
    w->outbox.sealed_len += out->len;
    push_piece(w, c, out->bytes, out->len, OUTBOX_SEALED);
}

static struct backlog_chunk *new_chunk(struct worker *w)
{
    struct backlog_chunk *chunk = pool_get(&w->outbox.chunks);

    if (chunk) {
        chunk->next = NULL;
        chunk->begin = chunk->end = 0;
    }
    return chunk;
}

// Append to the chain that ends in *last.
static bool append(struct worker *w, struct backlog_chunk **first, struct backlog_chunk **last,
                   const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        struct backlog_chunk *chunk = *last;
        size_t n;

        if (!chunk || chunk->end == sizeof chunk->bytes) {
            chunk = new_chunk(w);
            if (!chunk)
                return false;
            if (*last)
                (*last)->next = chunk;
            else
                *first = chunk;
            *last = chunk;
        }
        n = sizeof chunk->bytes - chunk->end;
        if (n > len)
            n = len;
        memcpy(chunk->bytes + chunk->end, bytes, n);
        chunk->end += (uint32_t)n;
        bytes += n;
        len -= n;
    }
    return true;
}

bool outbox_append_backlog(struct worker *w, struct conn *c, const uint8_t *bytes, size_t len)
{
    c->backlog_bytes += (uint32_t)len;
    return append(w, &c->backlog_first, &c->backlog_last, bytes, len);
}

bool outbox_keep_rest(struct worker *w, struct conn *c, const struct msghdr *message, size_t sent)
{
    struct backlog_chunk *first = NULL, *last = NULL;
    bool ok = true;

    for (size_t i = 0; i < message->msg_iovlen && ok; i++) {
        const struct iovec *v = &message->msg_iov[i];

        if (sent >= v->iov_len) {
            sent -= v->iov_len;
            continue;
        }
        c->backlog_bytes += (uint32_t)(v->iov_len - sent);
        ok = append(w, &first, &last, (const uint8_t *)v->iov_base + sent, v->iov_len - sent);
        sent = 0;
    }
    if (!last)
        return ok;
    last->next = c->backlog_first;
    c->backlog_first = first;
    if (!c->backlog_last)
        c->backlog_last = last;
    return ok;
}

void outbox_consume_backlog(struct worker *w, struct conn *c, size_t sent)
{
    c->backlog_bytes -= (uint32_t)sent;
    while (sent > 0) {
        struct backlog_chunk *chunk = c->backlog_first;
        uint32_t n = chunk->end - chunk->begin;

        if (sent < n) {
            chunk->begin += (uint32_t)sent;
            return;
        }
        sent -= n;
        c->backlog_first = chunk->next;
        if (!c->backlog_first)
            c->backlog_last = NULL;
        pool_put(&w->outbox.chunks, chunk);
    }
}

void outbox_drop_backlog(struct worker *w, struct conn *c)
{
    while (c->backlog_first) {
        struct backlog_chunk *chunk = c->backlog_first;

        c->backlog_first = chunk->next;
        pool_put(&w->outbox.chunks, chunk);
    }
    c->backlog_last = NULL;
    c->backlog_bytes = 0;
}
