// The replay window of a direction in counter mode (RFC 6479: bits by counter modulo, nothing is
// ever shifted). The thread that owns the session. Pure.
#include <assert.h>
#include <string.h>

#include "internal.h"

static uint64_t *window_word(struct sp_receiving *r, uint64_t counter)
{
    return &r->window[counter % SP_WINDOW_BITS / 64];
}

static uint64_t window_bit(uint64_t counter)
{
    return UINT64_C(1) << counter % 64;
}

bool sp_window_accepts(const struct sp_receiving *r, uint64_t counter)
{
    if (counter > r->highest)
        return true;
    if (r->highest - counter >= SP_WINDOW_BITS)
        return false;
    return (r->window[counter % SP_WINDOW_BITS / 64] & window_bit(counter)) == 0;
}

// Bits above `highest` are those of counters that leave the window when it moves.
static void move_window(struct sp_receiving *r, uint64_t highest)
{
    if (highest - r->highest >= SP_WINDOW_BITS) {
        memset(r->window, 0, sizeof(r->window));
        r->highest = highest;
    }
    while (r->highest < highest) { // at most SP_WINDOW_BITS - 1 turns
        r->highest++;
        *window_word(r, r->highest) &= ~window_bit(r->highest);
    }
}

void sp_window_mark(struct sp_receiving *r, uint64_t counter)
{
    assert(sp_window_accepts(r, counter));
    if (counter > r->highest)
        move_window(r, counter);
    *window_word(r, counter) |= window_bit(counter);
}
