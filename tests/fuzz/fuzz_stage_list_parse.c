// Any text as a stage, line by line as a list. What is taken lies within the bounds, and its
// schedule is one: arrivals never go back, and there are as many as the stages say.
#include <assert.h>
#include <math.h>
#include <string.h>

#include "schedule.h"

#define ARRIVALS 2000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_stage(const struct stage *stage)
{
    assert(stage->len_ns > 0 && stage->len_ns <= STAGE_TIME_MAX_NS);
    assert(stage->from_per_s >= 0 && stage->from_per_s <= STAGE_RATE_MAX_PER_S);
    assert(stage->to_per_s >= 0 && stage->to_per_s <= STAGE_RATE_MAX_PER_S);
    assert(stage->name[0] != '\0' && memchr(stage->name, '\0', sizeof stage->name));
}

static void check_smooth(const struct schedule *s)
{
    double total = s->pieces[s->count - 1].smooth_after;
    uint64_t last_ns = 0;
    uint32_t piece = 0;

    for (unsigned i = 0; i < ARRIVALS; i++) {
        uint64_t at_ns = schedule_smooth_ns(s, total * i / ARRIVALS, &piece);

        assert(at_ns == SCHEDULE_NEVER_NS || (at_ns >= last_ns && at_ns < s->end_ns));
        if (at_ns != SCHEDULE_NEVER_NS)
            last_ns = at_ns;
    }
    assert(schedule_smooth_ns(s, total, &piece) == SCHEDULE_NEVER_NS);
}

static void check_bursts(const struct schedule *s)
{
    uint64_t total = s->pieces[s->count - 1].bursts_after, last_ns = 0;
    uint32_t piece = 0;

    for (uint64_t i = 0; i < ARRIVALS && total > 0; i++) {
        uint64_t at_ns = schedule_burst_ns(s, total / ARRIVALS * i, &piece);

        assert(at_ns >= last_ns && at_ns < s->end_ns);
        assert(schedule_find_stage(s, at_ns) >= 0);
        last_ns = at_ns;
    }
    assert(schedule_burst_ns(s, total, &piece) == SCHEDULE_NEVER_NS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char reason[STAGE_REASON_BYTES], text[STAGE_TEXT_MAX_BYTES + 16];
    struct stage_list list = {0};
    struct schedule schedule;

    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size, used = len + (end != NULL);
        uint32_t before = list.count;

        if (len >= sizeof text)
            len = sizeof text - 1;
        memcpy(text, data, len);
        text[len] = '\0';
        if (stage_list_parse(&list, text, reason) < 0) {
            assert(list.count == before && reason[0] != '\0');
            assert(memchr(reason, '\0', sizeof reason));
        }
        assert(list.count <= STAGE_MAX);
        data += used;
        size -= used;
    }
    if (list.count == 0)
        return 0;
    for (uint32_t i = 0; i < list.count; i++)
        check_stage(&list.stages[i]);
    assert(stage_list_len_ns(&list) <= STAGE_TIME_MAX_NS);
    schedule_init(&schedule, &list, 0);
    check_smooth(&schedule);
    check_bursts(&schedule);
    return 0;
}
