// Messages: encode and decode in one place.
#include "agent_message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char *const names[] = {
#define X(name) #name,
    AGENT_MESSAGE_TYPES(X)
#undef X
};

static yyjson_mut_doc *begin(enum agent_message_type type)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(d);

    if (d && root && yyjson_mut_obj_add_str(d, root, "type", names[type])) {
        yyjson_mut_doc_set_root(d, root);
        return d;
    }
    yyjson_mut_doc_free(d);
    return NULL;
}

static yyjson_mut_doc *finish(yyjson_mut_doc *d, bool ok)
{
    if (ok)
        return d;
    yyjson_mut_doc_free(d);
    return NULL;
}

// A text of any bytes: what is not ASCII is replaced, JSON has no place for all of it.
static bool add_text(yyjson_mut_doc *d, const char *key, const char *text)
{
    char plain[AGENT_MESSAGE_REASON_BYTES];
    size_t len = strnlen(text, sizeof plain - 1);

    for (size_t i = 0; i < len; i++)
        plain[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    plain[len] = '\0';
    return yyjson_mut_obj_add_strcpy(d, yyjson_mut_doc_get_root(d), key, plain);
}

yyjson_mut_doc *agent_message_encode_hello(const char *version, const char *token)
{
    yyjson_mut_doc *d = begin(AGENT_MESSAGE_hello);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(d);

    return finish(d, d && yyjson_mut_obj_add_uint(d, root, "protocol", AGENT_MESSAGE_PROTOCOL) &&
                         yyjson_mut_obj_add_str(d, root, "version", version) &&
                         yyjson_mut_obj_add_str(d, root, "token", token));
}

yyjson_mut_doc *agent_message_encode_plain(enum agent_message_type type)
{
    return begin(type);
}

yyjson_mut_doc *agent_message_encode_refused(const char *reason)
{
    yyjson_mut_doc *d = begin(AGENT_MESSAGE_refused);

    return finish(d, d && add_text(d, "reason", reason));
}

yyjson_mut_doc *agent_message_encode_prepare(uint64_t run_id, uint32_t thread, uint32_t threads,
                                             char **argv, uint32_t argc, const char *ca)
{
    yyjson_mut_doc *d = begin(AGENT_MESSAGE_prepare);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(d), *list = yyjson_mut_arr(d);
    bool ok = d && yyjson_mut_obj_add_uint(d, root, "run_id", run_id) &&
              yyjson_mut_obj_add_uint(d, root, "thread", thread) &&
              yyjson_mut_obj_add_uint(d, root, "threads", threads) &&
              yyjson_mut_obj_add_str(d, root, "ca", ca) &&
              yyjson_mut_obj_add_val(d, root, "argv", list);

    for (uint32_t i = 0; i < argc && ok; i++)
        ok = yyjson_mut_arr_add_str(d, list, i == 0 ? "sealpost-load" : argv[i]);
    return finish(d, ok);
}

yyjson_mut_doc *agent_message_encode_start(uint64_t in_ns)
{
    yyjson_mut_doc *d = begin(AGENT_MESSAGE_start);

    return finish(d, d && yyjson_mut_obj_add_uint(d, yyjson_mut_doc_get_root(d), "in_ns", in_ns));
}

yyjson_mut_doc *agent_message_encode_failed(uint32_t exit_code, const char *reason)
{
    yyjson_mut_doc *d = begin(AGENT_MESSAGE_failed);

    return finish(
        d, d && yyjson_mut_obj_add_uint(d, yyjson_mut_doc_get_root(d), "exit_code", exit_code) &&
               add_text(d, "reason", reason));
}

yyjson_mut_doc *agent_message_encode_body(enum agent_message_type type)
{
    return begin(type);
}

yyjson_mut_doc *agent_message_set_body(yyjson_mut_doc *d, yyjson_mut_val *body)
{
    return finish(d,
                  d && body && yyjson_mut_obj_add_val(d, yyjson_mut_doc_get_root(d), "body", body));
}

// ---- decode -------------------------------------------------------------------------------------

static bool get_uint(yyjson_val *root, const char *key, uint64_t max, uint64_t *out)
{
    yyjson_val *value = yyjson_obj_get(root, key);

    *out = yyjson_get_uint(value);
    return yyjson_is_uint(value) && *out <= max;
}

static bool get_uint_32(yyjson_val *root, const char *key, uint32_t *out)
{
    uint64_t value;
    bool ok = get_uint(root, key, UINT32_MAX, &value);

    *out = (uint32_t)value;
    return ok;
}

// Without zeros inside: it is used as a C string.
static bool is_text(yyjson_val *value)
{
    return yyjson_is_str(value) && strlen(yyjson_get_str(value)) == yyjson_get_len(value);
}

static bool get_text(yyjson_val *root, const char *key, const char **out)
{
    yyjson_val *value = yyjson_obj_get(root, key);

    *out = yyjson_get_str(value);
    return is_text(value);
}

static bool get_argv(yyjson_val *root, yyjson_val **out)
{
    yyjson_val *item;
    size_t i, count;

    *out = yyjson_obj_get(root, "argv");
    if (!yyjson_is_arr(*out) || yyjson_arr_size(*out) == 0 ||
        yyjson_arr_size(*out) > AGENT_MESSAGE_ARGS_MAX)
        return false;
    yyjson_arr_foreach(*out, i, count, item)
    {
        if (!is_text(item))
            return false;
    }
    return true;
}

static bool decode_members(struct agent_message *m, yyjson_val *root)
{
    switch (m->type) {
    case AGENT_MESSAGE_hello:
        return get_uint(root, "protocol", UINT64_MAX, &m->protocol) &&
               get_text(root, "version", &m->version) && get_text(root, "token", &m->token);
    case AGENT_MESSAGE_refused:
        return get_text(root, "reason", &m->reason);
    case AGENT_MESSAGE_prepare:
        return get_uint(root, "run_id", UINT64_MAX, &m->run_id) &&
               get_uint_32(root, "thread", &m->thread) &&
               get_uint_32(root, "threads", &m->threads) && get_text(root, "ca", &m->ca) &&
               get_argv(root, &m->argv);
    case AGENT_MESSAGE_start:
        return get_uint(root, "in_ns", AGENT_MESSAGE_START_MAX_NS, &m->in_ns);
    case AGENT_MESSAGE_failed:
        return get_uint_32(root, "exit_code", &m->exit_code) &&
               get_text(root, "reason", &m->reason);
    case AGENT_MESSAGE_pulse:
    case AGENT_MESSAGE_result:
        m->body = yyjson_obj_get(root, "body");
        return yyjson_is_obj(m->body);
    case AGENT_MESSAGE_welcome:
    case AGENT_MESSAGE_ready:
    case AGENT_MESSAGE_stop:
        return true;
    case AGENT_MESSAGE_TYPE_COUNT:
        break;
    }
    return false;
}

int agent_message_decode(struct agent_message *m, yyjson_doc *d)
{
    yyjson_val *root = yyjson_doc_get_root(d);
    const char *type = yyjson_get_str(yyjson_obj_get(root, "type"));

    *m = (struct agent_message){.type = AGENT_MESSAGE_TYPE_COUNT};
    for (unsigned i = 0; type && i < AGENT_MESSAGE_TYPE_COUNT; i++) {
        if (strcmp(type, names[i]) == 0)
            m->type = (enum agent_message_type)i;
    }
    return decode_members(m, root) ? 0 : -EBADMSG;
}
