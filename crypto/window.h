// The replay window of a direction in counter mode (RFC 6479: bits by counter modulo, nothing is
// ever shifted). Inline, since every message received asks twice. Thread: the session's.
#ifndef SEALCRYPTO_WINDOW_H
#define SEALCRYPTO_WINDOW_H

#include "sealcrypto.h"

static inline uint64_t *sp_window_word(struct sp_receiving *r, uint64_t counter)
{
    return &r->window[counter % SP_WINDOW_BITS / 64];
}

static inline uint64_t sp_window_bit(uint64_t counter)
{
    return UINT64_C(1) << counter % 64;
}

// Is this counter still acceptable?
SP_MUST_CHECK static inline bool sp_window_accepts(const struct sp_receiving *r, uint64_t counter)
{
    if (counter > r->highest)
        return true;
    if (r->highest - counter >= SP_WINDOW_BITS)
        return false;
    return (r->window[counter % SP_WINDOW_BITS / 64] & sp_window_bit(counter)) == 0;
}

// Move on to `highest`, which is above the window's and not marked yet.
void sp_window_move(struct sp_receiving *r, uint64_t highest);

// Mark the counter of a message that opened. False, nothing changed, if it is not acceptable.
SP_MUST_CHECK static inline bool sp_window_take(struct sp_receiving *r, uint64_t counter)
{
    if (!sp_window_accepts(r, counter))
        return false;
    if (counter > r->highest && counter - r->highest > 1)
        sp_window_move(r, counter);
    else if (counter > r->highest)
        r->highest = counter; // its own bit is all that leaves the window, and is set below
    *sp_window_word(r, counter) |= sp_window_bit(counter);
    return true;
}

#endif
