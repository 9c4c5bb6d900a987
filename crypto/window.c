// The replay window when it moves by more than one counter. The thread that owns the session. Pure.
#include "window.h"

#include <assert.h>
#include <string.h>

// Bits above `highest` are those of counters that leave the window when it moves.
void sp_window_move(struct sp_receiving *r, uint64_t highest)
{
    assert(highest > r->highest);
    if (highest - r->highest >= SP_WINDOW_BITS) {
        memset(r->window, 0, sizeof(r->window));
        r->highest = highest;
    }
    while (r->highest < highest) { // at most SP_WINDOW_BITS - 1 turns
        r->highest++;
        *sp_window_word(r, r->highest) &= ~sp_window_bit(r->highest);
    }
}
