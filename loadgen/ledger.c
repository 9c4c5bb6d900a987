// The ledger of every envelope: records, the window of each direction, the counts. Called from the
// receiving path of a generator thread; never allocates, never reads a clock.
#include "ledger.h"

#include <assert.h>

#define WORDS (LEDGER_WINDOW_BITS / 64)

static uint64_t word_of(uint64_t sequence)
{
    return sequence / 64 % WORDS;
}

static uint64_t bit_of(uint64_t sequence)
{
    return 1ull << (sequence % 64);
}

static bool is_marked(const uint64_t window[WORDS], uint64_t sequence)
{
    return (window[word_of(sequence)] & bit_of(sequence)) != 0;
}

// Sequences next … sequence − 1 were jumped over: they are not seen yet.
static void clear_gap(uint64_t window[WORDS], uint64_t next, uint64_t sequence)
{
    if (sequence - next >= LEDGER_WINDOW_BITS) {
        memset(window, 0, WORDS * sizeof *window);
        return;
    }
    for (uint64_t skipped = next; skipped < sequence; skipped++)
        window[word_of(skipped)] &= ~bit_of(skipped);
}

// Behind the window nobody knows: it counts as marked.
static bool has_been(const uint64_t window[WORDS], uint64_t next, uint64_t sequence)
{
    return sequence < next && (next - sequence > LEDGER_WINDOW_BITS || is_marked(window, sequence));
}

static enum ledger_result place(struct ledger_flow *flow, struct ledger_counts *counts,
                                uint64_t sequence)
{
    if (sequence >= flow->next) {
        if (sequence > flow->next) {
            clear_gap(flow->window, flow->next, sequence);
            counts->gaps++;
        }
        flow->window[word_of(sequence)] |= bit_of(sequence);
        flow->next = sequence + 1;
        return LEDGER_IN_ORDER;
    }
    if (has_been(flow->window, flow->next, sequence))
        return LEDGER_DUPLICATE;
    flow->window[word_of(sequence)] |= bit_of(sequence);
    return LEDGER_REORDERED;
}

static bool was_refused(const struct ledger_flow *flow, uint64_t sequence)
{
    return sequence < flow->refused_next && flow->refused_next - sequence <= LEDGER_WINDOW_BITS &&
           is_marked(flow->refused, sequence);
}

enum ledger_result ledger_check(struct ledger_flow *flow, struct ledger_counts *counts,
                                const struct ledger_record *record, uint64_t run_id,
                                uint32_t partner, uint32_t self, bool late)
{
    enum ledger_result result;

    if (record->run_id != run_id) {
        counts->foreign++;
        return LEDGER_FOREIGN;
    }
    if (record->sender != partner || record->receiver != self) {
        counts->misrouted++;
        return LEDGER_MISROUTED;
    }
    if (record->flags & LEDGER_FLAG_HANDSHAKE)
        return LEDGER_IN_ORDER;
    result = place(flow, counts, record->sequence);
    if (was_refused(flow, record->sequence))
        result = LEDGER_DUPLICATE;
    if (result == LEDGER_DUPLICATE) {
        counts->duplicate++;
        return result;
    }
    counts->received++;
    if (result == LEDGER_REORDERED)
        counts->reordered++;
    if (late && (record->flags & LEDGER_FLAG_MEASURED))
        counts->late++;
    return result;
}

bool ledger_refuse(struct ledger_flow *flow, struct ledger_counts *counts, uint64_t sequence)
{
    if (has_been(flow->window, flow->next, sequence) ||
        has_been(flow->refused, flow->refused_next, sequence)) {
        counts->duplicate++;
        return false;
    }
    if (sequence >= flow->refused_next) {
        clear_gap(flow->refused, flow->refused_next, sequence);
        flow->refused_next = sequence + 1;
    }
    flow->refused[word_of(sequence)] |= bit_of(sequence);
    counts->refused++;
    return true;
}

void ledger_add(struct ledger_counts *into, const struct ledger_counts *from)
{
#define X(name) into->name += from->name;
    LEDGER_COUNTS(X)
#undef X
}

void ledger_settle(struct ledger_counts *counts)
{
    uint64_t accounted = counts->received + counts->refused;

    counts->lost = counts->expected > accounted ? counts->expected - accounted : 0;
}

bool ledger_has_faults(const struct ledger_counts *counts)
{
    return counts->lost || counts->duplicate || counts->reordered || counts->misrouted ||
           counts->auth_fail || counts->foreign;
}
