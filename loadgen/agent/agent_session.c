// One coordinator served: hello, options, a run that it directs, the result. What goes to standard
// error while the run is prepared goes to the coordinator, too. Every wait has a bound.
#include "agent_session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent_channel.h"
#include "agent_message.h"
#include "clock.h"
#include "command.h"
#include "outcome_codec.h"
#include "pulse_codec.h"
#include "run.h"

#define HELLO_NS (5 * NS_PER_S)
#define PREPARE_NS (60 * NS_PER_S) // the coordinator waits for other agents
#define RESULT_NS (60 * NS_PER_S)
#define PULSE_NS (500 * NS_PER_MS)
// Pulses are left out while so much waits for the socket.
#define PENDING_MAX_BYTES MIB

struct session {
    struct agent_channel channel;
    const struct agent_session_config *config;
    yyjson_doc *document; // of `message`
    struct agent_message message;
    bool is_lost; // the coordinator has gone, or does not keep to the protocol
    // The run:
    struct options options;
    char **argv;
    struct run_part part;
    int ca_fd;
    enum run_order order;
    uint64_t start_ns, pulse_ns;
};

static void push(struct session *s, yyjson_mut_doc *d)
{
    if (agent_channel_push(&s->channel, d) < 0 || agent_channel_flush(&s->channel) < 0)
        s->is_lost = true;
}

// The next message, if it is there; false if not, or the coordinator has gone.
static bool take(struct session *s)
{
    int read_err = agent_channel_read(&s->channel);

    yyjson_doc_free(s->document);
    s->document = NULL;
    // What came before the end still counts.
    if (agent_channel_take(&s->channel, &s->document) < 0 ||
        (s->document && agent_message_decode(&s->message, s->document) < 0)) {
        s->is_lost = true;
        return false;
    }
    if (!s->document && read_err < 0)
        s->is_lost = true;
    return s->document != NULL;
}

// Wait for a message of this type; another one, or none in time, is the coordinator's end.
static bool await_message(struct session *s, enum agent_message_type type, uint64_t patience_ns)
{
    uint64_t deadline_ns = clock_now_ns() + patience_ns;

    while (!s->is_lost) {
        struct pollfd p = {.fd = s->channel.fd, .events = POLLIN};
        uint64_t now_ns = clock_now_ns();

        if (take(s))
            return s->message.type == type;
        if (now_ns >= deadline_ns || s->is_lost)
            break;
        poll(&p, 1, (int)((deadline_ns - now_ns) / NS_PER_MS) + 1);
    }
    return false;
}

// Send what waits, then wait for the coordinator to close: nothing sent is lost.
static void finish(struct session *s, uint64_t patience_ns)
{
    uint64_t deadline_ns = clock_now_ns() + patience_ns;

    while (!s->is_lost && clock_now_ns() < deadline_ns) {
        bool pending = agent_channel_pending(&s->channel) > 0;
        struct pollfd p = {.fd = s->channel.fd,
                           .events = (short)(POLLIN | (pending ? POLLOUT : 0))};

        poll(&p, 1, 100);
        if (agent_channel_flush(&s->channel) < 0)
            break;
        take(s);
    }
}

// ---- hello --------------------------------------------------------------------------------------

// In a time that tells nothing of the token: of hashes, which have one length.
static bool is_same_token(const char *a, const char *b)
{
    uint8_t hash_a[crypto_generichash_BYTES], hash_b[crypto_generichash_BYTES];

    crypto_generichash(hash_a, sizeof hash_a, (const uint8_t *)a, strlen(a), NULL, 0);
    crypto_generichash(hash_b, sizeof hash_b, (const uint8_t *)b, strlen(b), NULL, 0);
    return sodium_memcmp(hash_a, hash_b, sizeof hash_a) == 0;
}

static bool greet(struct session *s)
{
    const char *reason = NULL;

    if (!await_message(s, AGENT_MESSAGE_hello, HELLO_NS))
        return false;
    if (s->config->token[0] != '\0' && !is_same_token(s->message.token, s->config->token))
        reason = "the token is not this agent's (--token-file)";
    else if (s->message.protocol != AGENT_MESSAGE_PROTOCOL ||
             strcmp(s->message.version, SEALPOST_VERSION) != 0)
        reason =
            "this agent is sealpost-load " SEALPOST_VERSION "; use the same version at both ends";
    push(s, reason ? agent_message_encode_refused(reason)
                   : agent_message_encode_plain(AGENT_MESSAGE_welcome));
    if (reason)
        finish(s, HELLO_NS);
    return !reason && !s->is_lost;
}

// ---- prepare ------------------------------------------------------------------------------------

// Standard error while the run is prepared.
struct capture {
    int memory, stderr_copy;
};

static void begin_capture(struct capture *c)
{
    fflush(stderr);
    c->stderr_copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    c->memory = memfd_create("sealpost-agent", MFD_CLOEXEC);
    if (c->memory >= 0)
        dup2(c->memory, STDERR_FILENO);
}

// The last line that was written, without the program's name; the text is repeated where it was to
// go.
static void end_capture(struct capture *c, char reason[AGENT_MESSAGE_REASON_BYTES])
{
    char text[AGENT_MESSAGE_REASON_BYTES] = "", *line;
    ssize_t len;

    fflush(stderr);
    if (c->stderr_copy >= 0)
        dup2(c->stderr_copy, STDERR_FILENO);
    len = c->memory >= 0 ? pread(c->memory, text, sizeof text - 1, 0) : 0;
    text[len > 0 ? len : 0] = '\0';
    fputs(text, stderr);
    if (len > 0 && text[len - 1] == '\n')
        text[len - 1] = '\0';
    line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    if (strncmp(line, "sealpost-load: ", 15) == 0)
        line += 15;
    snprintf(reason, AGENT_MESSAGE_REASON_BYTES, "%s", line);
    close(c->stderr_copy);
    close(c->memory);
}

// An agent makes load and nothing else: no files, no pages, no judgement.
static void keep_load_only(struct session *s)
{
    struct options *o = &s->options;

    o->json_file = o->record_file = o->token_file = NULL;
    o->outputs = (struct options_outputs){0};
    o->report = (struct report_options){.view = REPORT_VIEW_NEVER};
    o->thresholds.count = 0;
    o->server_pid = 0;
    o->progress_ns = 0;
    o->ceiling_ns = 0;
    o->quiet = true;
    o->is_check = false;
    if (s->config->sources.count > 0) {
        o->sources = s->config->sources;
        o->source_addresses = 0;
        o->source_addresses_auto = false;
    }
}

// The CA's text as a file of this process.
static bool open_ca(struct session *s, char name[32])
{
    const char *text = s->message.ca;
    size_t len = strlen(text);

    if (len == 0)
        return true;
    s->ca_fd = memfd_create("sealpost-ca", MFD_CLOEXEC);
    if (s->ca_fd < 0 || write(s->ca_fd, text, len) != (ssize_t)len)
        return false;
    snprintf(name, 32, "/proc/self/fd/%d", s->ca_fd);
    return true;
}

static enum exit_code parse(struct session *s, char reason[OPTIONS_REASON_BYTES], char ca[32])
{
    size_t count = yyjson_arr_size(s->message.argv), i, n;
    yyjson_val *item;

    s->argv = calloc(count + 1, sizeof *s->argv);
    if (!s->argv || !open_ca(s, ca)) {
        snprintf(reason, OPTIONS_REASON_BYTES, "out of memory");
        return EXIT_CODE_INTERNAL;
    }
    yyjson_arr_foreach(s->message.argv, i, n, item)
    {
        s->argv[i] = strdup(yyjson_get_str(item));
        if (!s->argv[i])
            return EXIT_CODE_INTERNAL;
    }
    if (options_parse_again(&s->options, (int)count, s->argv, reason) < 0)
        return EXIT_CODE_BAD_OPTIONS;
    keep_load_only(s);
    s->options.ca_file = ca[0] != '\0' ? ca : NULL;
    s->part.first_thread = s->message.thread;
    s->part.thread_count = s->message.threads;
    s->part.run_id = s->message.run_id;
    if (s->part.thread_count > 0 && s->part.first_thread <= s->options.threads &&
        s->part.thread_count <= s->options.threads - s->part.first_thread)
        return EXIT_CODE_PASS;
    snprintf(reason, OPTIONS_REASON_BYTES, "the part is not one of the run's");
    return EXIT_CODE_BAD_OPTIONS;
}

static void send_failure(struct session *s, enum exit_code code, const char *reason)
{
    push(s, agent_message_encode_failed(
                code, reason[0] != '\0' ? reason : "the run cannot be prepared here"));
    finish(s, HELLO_NS);
}

// ---- the run ------------------------------------------------------------------------------------

static uint64_t next_ns(void *ctx)
{
    return ((struct session *)ctx)->pulse_ns;
}

static void tell(void *ctx, const struct live *live)
{
    struct session *s = ctx;
    yyjson_mut_doc *d;

    s->pulse_ns = live->pulse.at_ns + PULSE_NS;
    if (s->is_lost || agent_channel_pending(&s->channel) > PENDING_MAX_BYTES)
        return;
    d = agent_message_encode_body(AGENT_MESSAGE_pulse);
    push(s,
         agent_message_set_body(d, d ? pulse_codec_encode(d, live, s->part.thread_count) : NULL));
}

static void settled(void *ctx)
{
    push(ctx, agent_message_encode_plain(AGENT_MESSAGE_ready));
}

static enum run_order ask(void *ctx)
{
    struct session *s = ctx;

    if (!s->is_lost && agent_channel_flush(&s->channel) < 0)
        s->is_lost = true;
    while (!s->is_lost && take(s)) {
        if (s->message.type == AGENT_MESSAGE_start && s->order == RUN_ORDER_NONE) {
            s->order = RUN_ORDER_START;
            s->start_ns = clock_now_ns() + s->message.in_ns;
        } else if (s->message.type == AGENT_MESSAGE_stop) {
            s->order = RUN_ORDER_STOP;
        } else {
            s->is_lost = true;
        }
    }
    if (s->is_lost)
        s->order = RUN_ORDER_STOP;
    return s->order;
}

static uint64_t start_ns(void *ctx)
{
    return ((struct session *)ctx)->start_ns;
}

static void send_result(struct session *s, const struct outcome *out)
{
    yyjson_mut_doc *d = agent_message_encode_body(AGENT_MESSAGE_result);

    push(s,
         agent_message_set_body(d, d ? outcome_codec_encode(d, out, s->part.thread_count) : NULL));
    finish(s, RESULT_NS);
}

static void make_load(struct session *s)
{
    const struct run_director director = {.ctx = s,
                                          .next_ns = next_ns,
                                          .tell = tell,
                                          .settled = settled,
                                          .ask = ask,
                                          .start_ns = start_ns};
    char reason[AGENT_MESSAGE_REASON_BYTES] = "", sentence[OPTIONS_REASON_BYTES] = "", ca[32] = "";
    struct tls_context *tls = NULL;
    struct capture capture;
    struct target target;
    struct outcome out;
    enum exit_code code = parse(s, sentence, ca);

    if (code != EXIT_CODE_PASS) {
        send_failure(s, code, sentence);
        return;
    }
    begin_capture(&capture);
    code = command_open_target(&s->options, &target, &tls);
    end_capture(&capture, reason);
    s->part.director = &director;
    if (code != EXIT_CODE_PASS) {
        send_failure(s, code, reason);
    } else if (run_load_part(&out, &s->options, &s->part, &target, tls, NULL) < 0) {
        send_failure(s, EXIT_CODE_INTERNAL, "out of memory");
    } else {
        send_result(s, &out);
        run_free(&out);
    }
    tls_context_destroy(tls);
}

void agent_session_serve(int fd, const struct agent_session_config *config)
{
    struct session s = {.config = config, .ca_fd = -1};

    agent_channel_open(&s.channel, fd, AGENT_CHANNEL_TO_AGENT_BYTES);
    if (greet(&s) && await_message(&s, AGENT_MESSAGE_prepare, PREPARE_NS))
        make_load(&s);
    yyjson_doc_free(s.document);
    for (char **arg = s.argv; arg && *arg; arg++)
        free(*arg);
    free(s.argv);
    options_free(&s.options);
    if (s.ca_fd >= 0)
        close(s.ca_fd);
    agent_channel_close(&s.channel);
}
