// Groups of users: the grammar of --group, and who gets how many users. Pure; runs once, before any
// thread.
#include "group.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BYTES 32u
// A month: what the arithmetic on nanoseconds has to hold.
#define TIME_MAX_S (31.0 * 86400)
// A suggestion is looked for among so many smaller numbers of users.
#define NEARBY_MAX (2u * (GROUP_RECIPIENTS_MAX + 1u))

enum key_kind { KEY_COUNT, KEY_TIME, KEY_CHOICE };

struct key {
    const char *name;
    enum key_kind kind;
    size_t offset;
    uint64_t min, max; // time: in ns
    uint32_t behaviours;
};

#define OF(behaviour) (1u << (behaviour))
#define RETURNING (OF(GROUP_CHURN) | OF(GROUP_STORM) | OF(GROUP_OFFLINE))
#define AT(field) offsetof(struct group, field)

static const struct key keys[] = {
    {"share", KEY_COUNT, AT(share), 1, 1000000, UINT32_MAX},
    {"recipients", KEY_COUNT, AT(recipients), 1, GROUP_RECIPIENTS_MAX, OF(GROUP_FAN_OUT)},
    {"online", KEY_TIME, AT(online_ns), NS_PER_MS, UINT64_MAX, OF(GROUP_CHURN)},
    {"offline", KEY_TIME, AT(offline_ns), 0, UINT64_MAX, OF(GROUP_CHURN) | OF(GROUP_OFFLINE)},
    {"every", KEY_TIME, AT(every_ns), 100 * NS_PER_MS, UINT64_MAX, OF(GROUP_STORM)},
    {"read", KEY_COUNT, AT(read_bytes_per_s), 1000, 1000000000, OF(GROUP_SLOW_READER)},
    {"messages", KEY_COUNT, AT(messages), 1, GROUP_MESSAGES_MAX, OF(GROUP_OFFLINE)},
    {"prekeys", KEY_COUNT, AT(prekeys), 1, 100, OF(GROUP_PREKEY_DRAIN)},
    {"resume", KEY_CHOICE, AT(resumes), 0, 1, RETURNING},
};

static const char *const behaviour_names[] = {
    [GROUP_CHAT] = "chat",
    [GROUP_FAN_OUT] = "fan-out",
    [GROUP_HANDSHAKE] = "handshake",
    [GROUP_PREKEY_DRAIN] = "prekey-drain",
    [GROUP_CHURN] = "churn",
    [GROUP_STORM] = "storm",
    [GROUP_SLOW_READER] = "slow-reader",
    [GROUP_OFFLINE] = "offline",
    [GROUP_IDLE] = "idle",
};

const char *group_behaviour_name(enum group_behaviour behaviour)
{
    return behaviour_names[behaviour];
}

PRINTF_LIKE(2, 3) static int refuse(char *reason, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reason, GROUP_REASON_BYTES, format, args);
    va_end(args);
    return -EINVAL;
}

// ---- the grammar --------------------------------------------------------------------------------

static int parse_behaviour(struct group *g, const char *word, char *reason)
{
    for (unsigned i = 0; i < COUNT_OF(behaviour_names); i++) {
        if (strcmp(word, behaviour_names[i]) == 0) {
            g->behaviour = (enum group_behaviour)i;
            return 0;
        }
    }
    return refuse(reason,
                  "--group does not know '%s'; it knows chat, fan-out, handshake, prekey-drain, "
                  "churn, storm, slow-reader, offline and idle",
                  word);
}

static int parse_count(struct group *g, const struct key *key, const char *text, char *reason)
{
    char *end;
    unsigned long long value;
    uint32_t count;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno || value < key->min ||
        value > key->max)
        return refuse(reason, "--group %s: %s takes a whole number from %llu to %llu, not '%s'",
                      behaviour_names[g->behaviour], key->name, (unsigned long long)key->min,
                      (unsigned long long)key->max, text);
    count = (uint32_t)value;
    memcpy((char *)g + key->offset, &count, sizeof count);
    return 0;
}

static int parse_time(struct group *g, const struct key *key, const char *text, char *reason)
{
    size_t digits = strspn(text, "0123456789.");
    const char *unit = text + digits;
    double unit_s = *unit == '\0' || strcmp(unit, "s") == 0 ? 1
                    : strcmp(unit, "ms") == 0               ? 1e-3
                    : strcmp(unit, "m") == 0                ? 60
                                                            : 0;
    char *end;
    double value_s = strtod(text, &end) * unit_s;
    uint64_t ns;

    if (!isdigit((unsigned char)*text) || end != unit || unit_s <= 0 || !(value_s <= TIME_MAX_S))
        return refuse(reason, "--group %s: %s takes a time like 500ms, 10s or 2m, not '%s'",
                      behaviour_names[g->behaviour], key->name, text);
    ns = (uint64_t)(value_s * (double)NS_PER_S);
    if (ns < key->min)
        return refuse(reason, "--group %s: %s must be %llu ms at least",
                      behaviour_names[g->behaviour], key->name,
                      (unsigned long long)(key->min / NS_PER_MS));
    memcpy((char *)g + key->offset, &ns, sizeof ns);
    return 0;
}

static int parse_choice(struct group *g, const struct key *key, const char *text, char *reason)
{
    bool is_yes = strcmp(text, "yes") == 0;

    if (!is_yes && strcmp(text, "no") != 0)
        return refuse(reason, "--group %s: %s takes yes or no, not '%s'",
                      behaviour_names[g->behaviour], key->name, text);
    memcpy((char *)g + key->offset, &is_yes, sizeof is_yes);
    return 0;
}

static int parse_value(struct group *g, const struct key *key, const char *text, char *reason)
{
    switch (key->kind) {
    case KEY_TIME:
        return parse_time(g, key, text, reason);
    case KEY_CHOICE:
        return parse_choice(g, key, text, reason);
    case KEY_COUNT:
        break;
    }
    return parse_count(g, key, text, reason);
}

// The keys a behaviour takes, for people.
static void list_keys(char *out, size_t cap, enum group_behaviour behaviour)
{
    size_t len = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < COUNT_OF(keys); i++) {
        if (keys[i].behaviours & OF(behaviour))
            len += (size_t)snprintf(out + len, cap - len, "%s%s", len ? ", " : "", keys[i].name);
        assert(len < cap);
    }
}

// `seen` has a bit for each key that came.
static int parse_pair(struct group *g, char *word, uint32_t *seen, char *reason)
{
    char *value = strchr(word, '='), known[128];

    if (!value || value == word)
        return refuse(reason, "--group %s: '%s' is not key=value", behaviour_names[g->behaviour],
                      word);
    *value++ = '\0';
    for (unsigned i = 0; i < COUNT_OF(keys); i++) {
        if (strcmp(word, keys[i].name) != 0 || !(keys[i].behaviours & OF(g->behaviour)))
            continue;
        if (*seen & 1u << i)
            return refuse(reason, "--group %s: %s is given twice", behaviour_names[g->behaviour],
                          word);
        *seen |= 1u << i;
        return parse_value(g, &keys[i], value, reason);
    }
    list_keys(known, sizeof known, g->behaviour);
    return refuse(reason, "--group %s does not take '%s'; its keys: %s",
                  behaviour_names[g->behaviour], word, known);
}

// The word at *at, up to a comma or the end; *at moves behind it, and is NULL after the last one.
static bool take_word(const char **at, char out[WORD_BYTES])
{
    size_t len = strcspn(*at, ",");
    bool fits = len > 0 && len < WORD_BYTES;

    if (fits)
        memcpy(out, *at, len);
    out[fits ? len : 0] = '\0';
    *at = (*at)[len] == ',' ? *at + len + 1 : NULL;
    return fits;
}

int group_parse(struct group *g, const char *text, char reason[GROUP_REASON_BYTES])
{
    char word[WORD_BYTES];
    const char *at = text;
    uint32_t seen = 0;
    int err = 0;

    *g = (struct group){.share = 1,
                        .recipients = 4,
                        .online_ns = NS_PER_S,
                        .every_ns = 2 * NS_PER_S,
                        .read_bytes_per_s = 100000};
    while (err == 0 && at) {
        bool is_first = at == text;

        if (!take_word(&at, word))
            return refuse(reason, "--group takes BEHAVIOUR[,key=value]..., not '%.80s'", text);
        err = is_first ? parse_behaviour(g, word, reason) : parse_pair(g, word, &seen, reason);
        if (err == 0 && is_first)
            g->offline_ns = g->behaviour == GROUP_OFFLINE ? NS_PER_S : 100 * NS_PER_MS;
    }
    return err;
}

// ---- who gets how many --------------------------------------------------------------------------

uint32_t group_unit_users(const struct group *g)
{
    return g->behaviour == GROUP_IDLE ? 1 : g->behaviour == GROUP_FAN_OUT ? 1 + g->recipients : 2;
}

uint32_t group_units(const struct group *g)
{
    return g->users / group_unit_users(g);
}

uint32_t group_senders(const struct group *g, uint32_t users)
{
    switch (g->behaviour) {
    case GROUP_CHAT:
    case GROUP_CHURN:
    case GROUP_STORM:
        return users;
    case GROUP_FAN_OUT:
    case GROUP_SLOW_READER:
    case GROUP_OFFLINE:
        return users / group_unit_users(g);
    case GROUP_HANDSHAKE:
    case GROUP_PREKEY_DRAIN:
    case GROUP_IDLE:
        break;
    }
    return 0;
}

// Give all out; returns the users that are left over.
static uint32_t split(struct group *groups, uint32_t count, uint32_t users)
{
    uint64_t shares = 0;
    uint32_t left = users;

    for (uint32_t i = 0; i < count; i++)
        shares += groups[i].share;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t unit = group_unit_users(&groups[i]);

        groups[i].users = (uint32_t)((uint64_t)users * groups[i].share / shares) / unit * unit;
        left -= groups[i].users;
    }
    for (;;) {
        struct group *most = NULL;
        double most_lacks = 0;

        // The group that lacks most of a unit of its own gets the next one.
        for (uint32_t i = 0; i < count; i++) {
            struct group *g = &groups[i];
            double fair = (double)users * g->share / (double)shares;
            double lacks = (fair - g->users) / group_unit_users(g);

            if (group_unit_users(g) <= left && (!most || lacks > most_lacks)) {
                most = g;
                most_lacks = lacks;
            }
        }
        if (!most)
            return left;
        most->users += group_unit_users(most);
        left -= group_unit_users(most);
    }
}

int group_split(struct group *groups, uint32_t count, uint32_t users,
                char reason[GROUP_REASON_BYTES])
{
    uint32_t fewer = users, left;

    assert(count > 0 && count <= GROUPS_MAX);
    left = split(groups, count, users);
    for (uint32_t i = 0; i < count && left == 0; i++) {
        if (groups[i].users == 0)
            return refuse(reason,
                          "group %u (%s) gets none of the %u users: give it a larger share, or "
                          "more --connections",
                          i + 1, behaviour_names[groups[i].behaviour], users);
    }
    if (left == 0)
        return 0;
    while (left > 0 && fewer > 1 && users - fewer < NEARBY_MAX)
        left = split(groups, count, --fewer);
    if (left > 0)
        return refuse(reason, "%u users are too few for the groups: give more --connections",
                      users);
    return refuse(reason,
                  "%u users cannot be split: pairs take 2, a fan-out 1 and its recipients; %u can",
                  users, fewer);
}

uint32_t group_deal(const struct group *groups, uint32_t count, uint32_t part, uint32_t parts,
                    uint32_t users[GROUPS_MAX])
{
    uint64_t dealt = 0; // units so far: the next group goes on with the next thread
    uint32_t sum = 0;

    assert(count <= GROUPS_MAX && part < parts);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t units = group_units(&groups[i]);
        uint32_t turn = (part + parts - (uint32_t)(dealt % parts)) % parts;

        users[i] = (units / parts + (turn < units % parts)) * group_unit_users(&groups[i]);
        sum += users[i];
        dealt += units;
    }
    return sum;
}
