// The timer wheel. Level l holds timers that are 64^l … 64^(l+1)−1 ticks away, in the slot of their
// deadline's l-th base-64 digit. When time reaches a slot of level 1 and up, its timers are placed
// again, nearer; when it reaches one of level 0, they are due.
// One owner; never allocates; an empty stretch of time costs nothing, however long.
#include <assert.h>

#include "timer.h"

#define DIGIT_BITS 6u
#define LONGEST_TICKS (1ull << DIGIT_BITS * TIMER_LEVELS)

static uint32_t digit_of(uint64_t tick, uint32_t level)
{
    return (uint32_t)(tick >> DIGIT_BITS * level) & (TIMER_SLOTS - 1);
}

static uint64_t rotate_right(uint64_t bits, uint32_t by)
{
    return bits >> by | bits << (-by & 63);
}

// Link a timer into the slot for its deadline, as seen from now_tick.
static void place(struct timer_wheel *w, struct timer *t)
{
    if (t->deadline_tick <= w->now_tick) {
        list_push(&w->due, &t->link);
        return;
    }

    uint64_t ticks = t->deadline_tick - w->now_tick;
    if (ticks >= LONGEST_TICKS)
        ticks = LONGEST_TICKS - 1; // placed again when that time comes
    uint32_t level = (63u - (uint32_t)__builtin_clzll(ticks)) / DIGIT_BITS;
    uint32_t slot = digit_of(w->now_tick + ticks, level);
    list_push(&w->slots[level][slot], &t->link);
    w->occupied[level] |= 1ull << slot;
}

// The first tick after now_tick at which a slot that may hold timers begins, UINT64_MAX if none.
// A slot with the current digit begins one whole turn later: it was emptied when time reached it.
static uint64_t next_slot_tick(const struct timer_wheel *w)
{
    uint64_t next = UINT64_MAX;

    for (uint32_t level = 0; level < TIMER_LEVELS; level++) {
        if (w->occupied[level] == 0)
            continue;
        uint64_t position = (w->now_tick >> DIGIT_BITS * level) + 1;
        uint64_t ahead = rotate_right(w->occupied[level], position & (TIMER_SLOTS - 1));
        uint64_t tick = (position + (uint64_t)__builtin_ctzll(ahead)) << DIGIT_BITS * level;
        if (tick < next)
            next = tick;
    }
    return next;
}

// Move all of `from` behind `to`'s nodes; `from` is empty afterwards.
static void move_all(struct list *from, struct list *to)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

// Time has reached now_tick: place again what began there on the upper levels, and take out what is
// due now.
static void enter_tick(struct timer_wheel *w, struct list *due)
{
    for (uint32_t level = TIMER_LEVELS - 1; level > 0; level--) {
        if ((w->now_tick & ((1ull << DIGIT_BITS * level) - 1)) != 0)
            continue;
        uint32_t slot = digit_of(w->now_tick, level);
        struct list moving;
        list_init(&moving);
        move_all(&w->slots[level][slot], &moving);
        w->occupied[level] &= ~(1ull << slot);
        for (struct list *node = list_pop(&moving); node != NULL; node = list_pop(&moving)) {
            struct timer *t = CONTAINER_OF(node, struct timer, link);
            if (t->deadline_tick == w->now_tick)
                list_push(due, node);
            else
                place(w, t);
        }
    }
    uint32_t slot = digit_of(w->now_tick, 0);
    move_all(&w->slots[0][slot], due);
    w->occupied[0] &= ~(1ull << slot);
}

// `fire` may unlink other timers of `due`, and add none.
static void fire_all(struct timer_wheel *w, struct list *due,
                     void (*fire)(struct timer *t, void *ctx), void *ctx)
{
    for (struct list *node = list_pop(due); node != NULL; node = list_pop(due)) {
        w->armed--;
        fire(CONTAINER_OF(node, struct timer, link), ctx);
    }
}

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ns)
{
    for (uint32_t level = 0; level < TIMER_LEVELS; level++) {
        for (uint32_t slot = 0; slot < TIMER_SLOTS; slot++)
            list_init(&w->slots[level][slot]);
        w->occupied[level] = 0;
    }
    list_init(&w->due);
    w->now_tick = now_ns / TIMER_TICK_NS;
    w->armed = 0;
}

void timer_init(struct timer *t)
{
    list_init(&t->link);
    t->deadline_tick = 0;
}

void timer_arm(struct timer_wheel *w, struct timer *t, uint64_t deadline_ns)
{
    timer_cancel(w, t);
    t->deadline_tick = deadline_ns / TIMER_TICK_NS + (deadline_ns % TIMER_TICK_NS != 0);
    place(w, t);
    w->armed++;
}

void timer_cancel(struct timer_wheel *w, struct timer *t)
{
    if (!timer_is_armed(t))
        return;
    // The slot's bit stays: at worst the wheel is advanced once for an empty slot.
    list_remove(&t->link);
    assert(w->armed > 0);
    w->armed--;
}

bool timer_is_armed(const struct timer *t)
{
    return list_is_linked(&t->link);
}

void timer_wheel_advance(struct timer_wheel *w, uint64_t now_ns,
                         void (*fire)(struct timer *t, void *ctx), void *ctx)
{
    uint64_t target_tick = now_ns / TIMER_TICK_NS;
    struct list due;

    // What `fire` arms for the past waits in w->due for the next call, or this might not end.
    list_init(&due);
    move_all(&w->due, &due);
    fire_all(w, &due, fire, ctx);
    for (uint64_t next = next_slot_tick(w); next <= target_tick; next = next_slot_tick(w)) {
        w->now_tick = next;
        enter_tick(w, &due);
        fire_all(w, &due, fire, ctx);
    }
    if (w->now_tick < target_tick)
        w->now_tick = target_tick;
}

uint64_t timer_wheel_wait_ns(const struct timer_wheel *w, uint64_t now_ns)
{
    uint64_t wake_ns;

    if (w->armed == 0)
        return UINT64_MAX;
    if (!list_is_empty(&w->due))
        return 0;
    if (__builtin_mul_overflow(next_slot_tick(w), TIMER_TICK_NS, &wake_ns))
        wake_ns = UINT64_MAX;
    return wake_ns > now_ns ? wake_ns - now_ns : 0;
}
