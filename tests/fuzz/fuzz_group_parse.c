// Any text as a group. What parses is within its bounds and can be split; what does not says why.
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "group.h"

#define TEXT_MAX_BYTES 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct group *g)
{
    char reason[GROUP_REASON_BYTES];
    uint32_t unit = group_unit_users(g);

    assert(g->share >= 1 && g->recipients >= 1 && g->recipients <= GROUP_RECIPIENTS_MAX);
    assert(g->read_bytes_per_s >= 1000 && g->messages <= GROUP_MESSAGES_MAX && g->prekeys <= 100);
    assert(g->online_ns > 0 && g->every_ns >= 100 * NS_PER_MS);
    assert(group_split(g, 1, 7 * unit, reason) == 0 && group_units(g) == 7);
    assert(group_senders(g, g->users) <= g->users);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX_BYTES + 1], reason[GROUP_REASON_BYTES] = "";
    size_t len = size < TEXT_MAX_BYTES ? size : TEXT_MAX_BYTES;
    struct group g;
    int err;

    memcpy(text, data, len);
    text[len] = '\0';
    err = group_parse(&g, text, reason);
    assert(err == 0 || err == -EINVAL);
    if (err == 0)
        check(&g);
    else
        assert(reason[0] != '\0' && strlen(reason) < GROUP_REASON_BYTES);
    return 0;
}
