// Any bytes as a message of an agent: refused, or its members are within their bounds; what it
// carries is decoded, too.
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "agent_channel.h"
#include "agent_message.h"
#include "pulse_codec.h"
#include "tally_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_body(const struct agent_message *m)
{
    static struct live live;
    static struct tally tally;
    int err;

    if (!tally.response.counts) {
        err = tally_init(&tally);
        assert(err == 0);
        err = tally_add_groups(&tally, 1);
        assert(err == 0);
    }
    err = pulse_codec_decode(&live, m->body, 2);
    assert(err == 0 || err == -EBADMSG);
    err = tally_codec_decode(&tally, yyjson_obj_get(m->body, "tally"));
    assert(err == 0 || err == -EBADMSG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ssize_t whole = agent_channel_decode_head(data, size, 64 * KIB);
    struct agent_message m;
    yyjson_doc *d;
    int err;

    assert(whole == -EMSGSIZE || (whole >= 0 && (size_t)whole <= size));
    if (whole <= 0)
        return 0;
    d = yyjson_read((const char *)data + 4, (size_t)whole - 4, 0);
    err = agent_message_decode(&m, d);
    assert(err == 0 || err == -EBADMSG);
    if (err == 0 && m.type == AGENT_MESSAGE_start)
        assert(m.in_ns <= AGENT_MESSAGE_START_MAX_NS);
    if (err == 0 && m.type == AGENT_MESSAGE_prepare)
        assert(yyjson_arr_size(m.argv) <= AGENT_MESSAGE_ARGS_MAX && m.ca);
    if (err == 0 && m.body)
        check_body(&m);
    yyjson_doc_free(d);
    return 0;
}
