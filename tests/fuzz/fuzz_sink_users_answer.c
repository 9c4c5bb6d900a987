// Any control messages, one a line, of two connections in turn. Whatever comes is answered with one
// JSON object that has a type, or with nothing; and a user is only logged in by an answer that says
// so.
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "sink_users.h"

#define USERS 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const char *answer, size_t len, bool logged_in)
{
    yyjson_doc *parsed = yyjson_read(answer, len, 0);
    yyjson_val *type = yyjson_obj_get(yyjson_doc_get_root(parsed), "type");

    assert(yyjson_is_str(type));
    if (logged_in)
        assert(yyjson_equals_str(type, "registered") || yyjson_equals_str(type, "logged_in"));
    yyjson_doc_free(parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char answer[SINK_USERS_TEXT_MAX_BYTES];
    struct sink_users users;
    uint32_t user[2] = {SINK_USERS_NOBODY, SINK_USERS_NOBODY}, conn = 0;

    if (sink_users_init(&users, USERS) < 0)
        return 0;
    for (size_t at = 0; at < size; conn ^= 1) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end ? (size_t)(end - data) - at : size - at, answer_len;
        uint32_t before = user[conn];
        char *line = malloc(len + 1); // so that a read behind its end is seen

        assert(line);
        memcpy(line, data + at, len);
        answer_len = sink_users_answer(&users, conn, &user[conn], line, len, answer);
        free(line);
        if (answer_len > 0)
            check_answer(answer, answer_len, user[conn] != before);
        assert(user[conn] == SINK_USERS_NOBODY || user[conn] < users.count);
        at += len + 1;
    }
    for (conn = 0; conn < 2; conn++)
        sink_users_leave(&users, user[conn], conn);
    sink_users_free(&users);
    return 0;
}
