// Envelopes between workers.
#include "link.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "send.h"
#include "worker.h"

static struct link *link_between(const struct worker *w, uint32_t from, uint32_t to)
{
    return &w->links[from * w->worker_count + to];
}

int link_init(struct link *l)
{
    int err;

    *l = (struct link){0};
    err = spsc_init(&l->there, sizeof(struct link_item), LIMIT_LINK_ITEMS);
    if (err < 0)
        return err;
    err = spsc_init(&l->back, sizeof(struct link_item), LIMIT_LINK_ITEMS);
    if (err < 0)
        goto cleanup;
    l->turn = malloc(LIMIT_LINK_ITEMS * sizeof *l->turn);
    if (l->turn)
        return 0;
    err = -ENOMEM;
    spsc_free(&l->back);
cleanup:
    spsc_free(&l->there);
    return err;
}

void link_free(struct link *l)
{
    spsc_free(&l->there);
    spsc_free(&l->back);
    free(l->turn);
}

bool link_push(struct worker *w, struct peer to, struct peer from, uint8_t *message, size_t len,
               const uint8_t message_id[WIRE_MESSAGE_ID_BYTES])
{
    struct link *l = link_between(w, w->number, to.worker);
    struct link_item item = {.message = message,
                             .len = (uint32_t)len,
                             .hold = w->receive.current,
                             .to = to,
                             .from = from};

    // Everything pushed fits on the way back, so the other worker never has to wait for us.
    if (l->outstanding == LIMIT_LINK_ITEMS)
        return false;
    memcpy(item.message_id, message_id, sizeof item.message_id);
    receive_hold_get(w, item.hold);
    if (!spsc_push(&l->there, &item)) {
        receive_hold_put(w, item.hold);
        return false;
    }
    l->outstanding++;
    l->wake = true;
    return true;
}

void link_deliver(struct worker *w)
{
    for (uint32_t i = 0; i < w->worker_count; i++) {
        struct link *l = link_between(w, i, w->number);
        struct link_item *item = &l->turn[l->turn_count];

        if (i == w->number)
            continue;
        for (; l->turn_count < LIMIT_LINK_ITEMS && spsc_pop(&l->there, item);
             item = &l->turn[l->turn_count]) {
            item->result =
                route_deliver(w, item->to.slot, item->to.generation, item->message, item->len);
            l->turn_count++;
            send_make_room(w);
        }
    }
}

void link_return_turn(struct worker *w)
{
    for (uint32_t i = 0; i < w->worker_count; i++) {
        struct link *l = link_between(w, i, w->number);

        if (i == w->number || l->turn_count == 0)
            continue;
        for (uint32_t k = 0; k < l->turn_count; k++) {
            bool fits = spsc_push(&l->back, &l->turn[k]);

            assert(fits); // outstanding is bounded by the capacity
        }
        l->turn_count = 0;
        waker_wake(&w->workers[i].waker);
    }
}

void link_collect(struct worker *w)
{
    for (uint32_t i = 0; i < w->worker_count; i++) {
        struct link *l = link_between(w, w->number, i);
        struct link_item item;

        if (i == w->number)
            continue;
        while (spsc_pop(&l->back, &item)) {
            struct conn *sender;

            l->outstanding--;
            receive_hold_put(w, item.hold);
            if (item.result == ROUTE_DELIVERED)
                continue;
            sender = conn_find(w, item.from.slot, item.from.generation);
            if (sender)
                route_refuse(w, sender, item.result, item.message_id);
            send_make_room(w);
        }
    }
}

void link_wake(struct worker *w)
{
    for (uint32_t i = 0; i < w->worker_count; i++) {
        struct link *l = link_between(w, w->number, i);

        if (i == w->number || !l->wake)
            continue;
        l->wake = false;
        waker_wake(&w->workers[i].waker);
    }
}

bool link_is_idle(const struct worker *w)
{
    for (uint32_t i = 0; i < w->worker_count; i++) {
        if (i == w->number)
            continue;
        if (!spsc_is_empty(&link_between(w, i, w->number)->there) ||
            !spsc_is_empty(&link_between(w, w->number, i)->back))
            return false;
    }
    return true;
}

bool link_is_settled(const struct worker *w)
{
    for (uint32_t i = 0; i < w->worker_count; i++) {
        const struct link *in = link_between(w, i, w->number);

        if (i == w->number)
            continue;
        if (link_between(w, w->number, i)->outstanding > 0 || in->turn_count > 0 ||
            !spsc_is_empty(&in->there))
            return false;
    }
    return true;
}
