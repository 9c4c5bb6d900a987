// Names of agents and the secret they share. Runs once, before any thread.
#include "agent_list.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

int agent_list_split_name(const char *name, char host[AGENT_LIST_NAME_BYTES], char port[8])
{
    const char *colon = strrchr(name, ':');
    size_t len = colon ? (size_t)(colon - name) : 0;
    bool literal = len > 2 && name[0] == '[' && name[len - 1] == ']';
    unsigned long value = colon ? strtoul(colon + 1, NULL, 10) : 0;

    if (len == 0 || len >= AGENT_LIST_NAME_BYTES || value == 0 || value > 65535 ||
        colon[1 + strspn(colon + 1, "0123456789")] != '\0')
        return -EINVAL;
    if (!literal && memchr(name, ':', len))
        return -EINVAL;
    memcpy(host, name + literal, len - 2 * literal);
    host[len - 2 * literal] = '\0';
    snprintf(port, 8, "%lu", value);
    return 0;
}

static int refuse(char reason[AGENT_LIST_REASON_BYTES], const char *text)
{
    snprintf(reason, AGENT_LIST_REASON_BYTES,
             "--agents takes HOST:PORT,HOST:PORT and so on, %u at most, each once, not '%.80s'",
             AGENT_LIST_MAX, text);
    return -EINVAL;
}

int agent_list_parse(struct agent_list *list, const char *text,
                     char reason[AGENT_LIST_REASON_BYTES])
{
    const char *at = text;

    list->count = 0;
    do {
        char host[AGENT_LIST_NAME_BYTES], port[8];
        size_t len = strcspn(at, ",");
        char *name = list->names[list->count];

        if (list->count == AGENT_LIST_MAX || len == 0 || len >= AGENT_LIST_NAME_BYTES)
            return refuse(reason, text);
        memcpy(name, at, len);
        name[len] = '\0';
        if (agent_list_split_name(name, host, port) < 0)
            return refuse(reason, name);
        for (uint32_t i = 0; i < list->count; i++) {
            if (strcmp(list->names[i], name) == 0)
                return refuse(reason, name);
        }
        list->count++;
        at += len;
    } while (*at++ == ',');
    return 0;
}

int agent_list_read_token(const char *file, char token[AGENT_LIST_TOKEN_MAX_BYTES],
                          char reason[AGENT_LIST_REASON_BYTES])
{
    FILE *f = fopen(file, "re");
    int err = f ? 0 : errno;

    token[0] = '\0';
    if (f && !fgets(token, AGENT_LIST_TOKEN_MAX_BYTES, f))
        err = ferror(f) ? errno : 0;
    if (f)
        fclose(f);
    token[strcspn(token, "\r\n")] = '\0';
    if (err == 0 && token[0] != '\0' && strlen(token) < AGENT_LIST_TOKEN_MAX_BYTES - 1 &&
        !u8_check((const uint8_t *)token, strlen(token)))
        return 0;
    snprintf(reason, AGENT_LIST_REASON_BYTES, "%.80s of --token-file: %s", file,
             err != 0           ? strerror(err)
             : token[0] == '\0' ? "its first line, the token, is empty"
             : strlen(token) == AGENT_LIST_TOKEN_MAX_BYTES - 1
                 ? "its first line is too long for a token"
                 : "its first line, the token, is not UTF-8");
    return -EINVAL;
}
