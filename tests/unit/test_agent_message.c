// Messages of agents, over a socket in pieces of every size, and what is refused.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent_channel.h"
#include "agent_list.h"
#include "agent_message.h"

static struct agent_channel channel;
static int other;

static void setup(void)
{
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    agent_channel_open(&channel, pair[0], 4096);
    other = pair[1];
}

static void teardown(void)
{
    agent_channel_close(&channel);
    close(other);
}

TestSuite(agent_channel, .init = setup, .fini = teardown);

// What the other end would have sent.
static size_t frame(uint8_t *out, yyjson_mut_doc *d)
{
    size_t len;
    char *text = yyjson_mut_write(d, 0, &len);

    store_be32(out, (uint32_t)len);
    memcpy(out + 4, text, len);
    free(text);
    yyjson_mut_doc_free(d);
    return len + 4;
}

static int take(struct agent_message *m, yyjson_doc **d)
{
    int err = agent_channel_read(&channel);

    if (err == 0)
        err = agent_channel_take(&channel, d);
    if (err == 0 && *d)
        err = agent_message_decode(m, *d);
    return err;
}

Test(agent_channel, one_byte_at_a_time)
{
    uint8_t bytes[256];
    size_t len = frame(bytes, agent_message_encode_start(200));
    struct agent_message m;
    yyjson_doc *d;

    for (size_t i = 0; i < len; i++) {
        cr_assert_eq(take(&m, &d), 0);
        cr_assert_null(d);
        cr_assert_eq(write(other, bytes + i, 1), 1);
    }
    cr_assert_eq(take(&m, &d), 0);
    cr_assert(m.type == AGENT_MESSAGE_start && m.in_ns == 200);
    yyjson_doc_free(d);
}

Test(agent_channel, several_at_once)
{
    uint8_t bytes[512];
    size_t len = frame(bytes, agent_message_encode_start(1));
    struct agent_message m;
    yyjson_doc *d;

    len += frame(bytes + len, agent_message_encode_plain(AGENT_MESSAGE_stop));
    cr_assert_eq(write(other, bytes, len), (ssize_t)len);
    close(other);
    other = -1;
    cr_assert_eq(agent_channel_read(&channel), 0);
    cr_assert_eq(agent_channel_take(&channel, &d), 0);
    cr_assert_eq(agent_message_decode(&m, d), 0);
    cr_assert_eq(m.type, AGENT_MESSAGE_start);
    yyjson_doc_free(d);
    cr_assert_eq(take(&m, &d), 0);
    cr_assert_eq(m.type, AGENT_MESSAGE_stop);
    yyjson_doc_free(d);
    cr_assert_eq(take(&m, &d), -ECONNRESET);
}

Test(agent_channel, length_is_bounded)
{
    static const uint8_t none[4] = {0}, more[4] = {0, 0, 0x10, 1}, most[4] = {0, 0, 0x10, 0};

    cr_assert_eq(agent_channel_decode_head(none, 4, 4096), -EMSGSIZE);
    cr_assert_eq(agent_channel_decode_head(more, 4, 4096), -EMSGSIZE);
    cr_assert_eq(agent_channel_decode_head(most, 4, 4096), 0);
    cr_assert_eq(agent_channel_decode_head(more, 3, 4096), 0);
    cr_assert_eq(write(other, more, 4), 4);
    cr_assert_eq(agent_channel_read(&channel), -EMSGSIZE);
}

Test(agent_channel, not_json)
{
    yyjson_doc *d;

    cr_assert_eq(write(other, "\0\0\0\3{]}", 7), 7);
    cr_assert_eq(agent_channel_read(&channel), 0);
    cr_assert_eq(agent_channel_take(&channel, &d), -EBADMSG);
}

Test(agent_channel, what_the_socket_does_not_take_waits)
{
    char name[3000];
    struct agent_message m;
    yyjson_doc *d;
    uint32_t sent = 0;

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    while (agent_channel_pending(&channel) == 0 && sent < 10000) {
        cr_assert_eq(agent_channel_push(&channel, agent_message_encode_hello("1", name)), 0);
        cr_assert_eq(agent_channel_flush(&channel), 0);
        sent++;
    }
    cr_assert_gt(agent_channel_pending(&channel), 0);

    struct agent_channel reader;
    agent_channel_open(&reader, other, 4096);
    other = -1;
    for (uint32_t i = 0; i < sent; i++) {
        cr_assert_eq(agent_channel_flush(&channel), 0);
        cr_assert_eq(agent_channel_read(&reader), 0);
        cr_assert_eq(agent_channel_take(&reader, &d), 0);
        cr_assert_eq(agent_message_decode(&m, d), 0);
        cr_assert_str_eq(m.token, name);
        yyjson_doc_free(d);
    }
    cr_assert_eq(agent_channel_pending(&channel), 0);
    agent_channel_close(&reader);
}

static int decode_text(struct agent_message *m, const char *text)
{
    yyjson_doc *d = yyjson_read(text, strlen(text), 0);
    int err = agent_message_decode(m, d);

    yyjson_doc_free(d);
    return err;
}

Test(agent_message, refuses_what_is_not_one)
{
    static const char *const texts[] = {
        "[]",
        "{}",
        "{\"type\":\"other\"}",
        "{\"type\":7}",
        "{\"type\":\"start\"}",
        "{\"type\":\"start\",\"in_ns\":-1}",
        "{\"type\":\"start\",\"in_ns\":10000000001}",
        "{\"type\":\"hello\",\"protocol\":1,\"version\":\"1\"}",
        "{\"type\":\"hello\",\"protocol\":1,\"version\":\"1\",\"token\":\"a\\u0000b\"}",
        "{\"type\":\"refused\",\"reason\":null}",
        "{\"type\":\"result\",\"body\":[]}",
        "{\"type\":\"pulse\"}",
        "{\"type\":\"failed\",\"exit_code\":4294967296,\"reason\":\"\"}",
        "{\"type\":\"prepare\",\"run_id\":1,\"thread\":0,\"threads\":1,\"ca\":\"\",\"argv\":[]}",
        "{\"type\":\"prepare\",\"run_id\":1,\"thread\":0,\"threads\":1,\"ca\":\"\",\"argv\":[1]}",
    };
    struct agent_message m;

    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_assert_eq(decode_text(&m, texts[i]), -EBADMSG, "%s", texts[i]);
}

Test(agent_message, prepare_round_trip)
{
    char *argv[] = {"sealpost-load", "ws://h:1", "-c", "100"};
    yyjson_mut_doc *d = agent_message_encode_prepare(UINT64_MAX, 3, 2, argv, 4, "PEM");
    yyjson_doc *read = yyjson_mut_doc_imut_copy(d, NULL);
    struct agent_message m;

    cr_assert_eq(agent_message_decode(&m, read), 0);
    cr_assert(m.run_id == UINT64_MAX && m.thread == 3 && m.threads == 2);
    cr_assert_str_eq(m.ca, "PEM");
    cr_assert_eq(yyjson_arr_size(m.argv), 4);
    cr_assert_str_eq(yyjson_get_str(yyjson_arr_get(m.argv, 3)), "100");
    yyjson_doc_free(read);
    yyjson_mut_doc_free(d);
}

Test(agent_list, parse)
{
    char reason[AGENT_LIST_REASON_BYTES], host[AGENT_LIST_NAME_BYTES], port[8];
    static const char *const bad[] = {"",        "host", "host:", ":1",      "a:1,",    "a:0",
                                      "a:65536", "a:1x", "::1:5", "a:1,a:1", "a:1,,b:2"};
    struct agent_list list;

    cr_assert_eq(agent_list_parse(&list, "a:1,[::1]:8087,10.0.0.1:65535", reason), 0);
    cr_assert_eq(list.count, 3);
    cr_assert_eq(agent_list_split_name(list.names[1], host, port), 0);
    cr_assert_str_eq(host, "::1");
    cr_assert_str_eq(port, "8087");
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        reason[0] = '\0';
        cr_assert_eq(agent_list_parse(&list, bad[i], reason), -EINVAL, "%s", bad[i]);
        cr_assert_neq(reason[0], '\0');
    }
}

Test(agent_list, token)
{
    char name[] = "/tmp/sealpost-token-XXXXXX", token[AGENT_LIST_TOKEN_MAX_BYTES];
    char reason[AGENT_LIST_REASON_BYTES];
    int fd = mkstemp(name);

    cr_assert_eq(agent_list_read_token(name, token, reason), -EINVAL);
    cr_assert(strstr(reason, "empty"));
    cr_assert_eq(write(fd, "secret\nmore\n", 12), 12);
    cr_assert_eq(agent_list_read_token(name, token, reason), 0);
    cr_assert_str_eq(token, "secret");
    close(fd);
    unlink(name);
    cr_assert_eq(agent_list_read_token(name, token, reason), -EINVAL);
    cr_assert(strstr(reason, "--token-file"));
}
