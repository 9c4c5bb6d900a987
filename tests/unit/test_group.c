// Groups: the grammar of --group, a sentence for everything that cannot be, and splits that give
// every user to exactly one group and thread.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "group.h"

static struct group g;
static char reason[GROUP_REASON_BYTES];

Test(group, parse_each_behaviour_has_defaults)
{
    static const struct {
        const char *text;
        enum group_behaviour behaviour;
        uint32_t unit;
    } all[] = {
        {"chat", GROUP_CHAT, 2},
        {"fan-out", GROUP_FAN_OUT, 5},
        {"handshake", GROUP_HANDSHAKE, 2},
        {"prekey-drain", GROUP_PREKEY_DRAIN, 2},
        {"churn", GROUP_CHURN, 2},
        {"storm", GROUP_STORM, 2},
        {"slow-reader", GROUP_SLOW_READER, 2},
        {"offline", GROUP_OFFLINE, 2},
        {"idle", GROUP_IDLE, 1},
    };

    for (size_t i = 0; i < COUNT_OF(all); i++) {
        cr_assert_eq(group_parse(&g, all[i].text, reason), 0, "%s", all[i].text);
        cr_assert_eq(g.behaviour, all[i].behaviour);
        cr_assert_eq(g.share, 1);
        cr_assert_eq(group_unit_users(&g), all[i].unit);
        cr_assert_str_eq(group_behaviour_name(g.behaviour), all[i].text);
        cr_assert_eq(group_is_handshaking(&g), i == 2 || i == 3);
        cr_assert_eq(group_is_travelling(&g), i == 4 || i == 5 || i == 7);
    }
}

Test(group, parse_keys)
{
    cr_assert_eq(group_parse(&g, "fan-out,share=3,recipients=256", reason), 0);
    cr_assert_eq(g.share, 3);
    cr_assert_eq(g.recipients, 256);
    cr_assert_eq(group_parse(&g, "churn,offline=0,online=1.5s", reason), 0);
    cr_assert_eq(g.online_ns, 3 * NS_PER_S / 2);
    cr_assert_eq(g.offline_ns, 0);
    cr_assert_eq(group_parse(&g, "storm,every=250ms", reason), 0);
    cr_assert_eq(g.every_ns, 250 * NS_PER_MS);
    cr_assert_eq(group_parse(&g, "slow-reader,read=5000", reason), 0);
    cr_assert_eq(g.read_bytes_per_s, 5000);
    cr_assert_eq(group_parse(&g, "offline,offline=2m,messages=1024", reason), 0);
    cr_assert_eq(g.offline_ns, 120 * NS_PER_S);
    cr_assert_eq(g.messages, 1024);
    cr_assert_eq(group_parse(&g, "prekey-drain,prekeys=7", reason), 0);
    cr_assert_eq(g.prekeys, 7);
}

Test(group, parse_resume)
{
    static const char *const behaviours[] = {"churn", "storm", "offline"};
    char text[64];

    for (size_t i = 0; i < COUNT_OF(behaviours); i++) {
        cr_assert_eq(group_parse(&g, behaviours[i], reason), 0);
        cr_assert(!g.resumes, "%s: by default handshakes are full ones", behaviours[i]);
        snprintf(text, sizeof text, "%s,resume=yes", behaviours[i]);
        cr_assert_eq(group_parse(&g, text, reason), 0, "%s", reason);
        cr_assert(g.resumes, "%s", text);
        snprintf(text, sizeof text, "%s,share=3,resume=no", behaviours[i]);
        cr_assert_eq(group_parse(&g, text, reason), 0, "%s", reason);
        cr_assert(!g.resumes, "%s", text);
        cr_assert_eq(g.share, 3);
    }
}

static const struct {
    const char *text, *says;
} refusals[] = {
    {"", "BEHAVIOUR"},
    {",", "BEHAVIOUR"},
    {"chat,", "BEHAVIOUR"},
    {"chat,,share=2", "BEHAVIOUR"},
    {"shout", "'shout'"},
    {"Chat", "'Chat'"},
    {"chat ", "'chat '"},
    {"a-behaviour-with-far-too-long-a-name", "BEHAVIOUR"},
    {"chat,share", "not key=value"},
    {"chat,=3", "not key=value"},
    {"chat,share=", "share takes a whole number"},
    {"chat,share=0", "from 1"},
    {"chat,share=-1", "'-1'"},
    {"chat,share=1.5", "'1.5'"},
    {"chat,share=2x", "'2x'"},
    {"chat,share=99999999999999999999", "share"},
    {"chat,share=1,share=2", "given twice"},
    {"chat,recipients=3", "does not take 'recipients'; its keys: share"},
    {"fan-out,recipients=257", "to 256"},
    {"churn,every=1s", "its keys: share, online, offline"},
    {"churn,online=0", "1 ms at least"},
    {"churn,online=soon", "'soon'"},
    {"churn,online=1h", "'1h'"},
    {"churn,online=.", "'.'"},
    {"churn,online=1.2.3", "'1.2.3'"},
    {"churn,online=0x10", "'0x10'"},
    {"churn,online=1e3", "'1e3'"},
    {"churn,offline=99999999m", "offline takes a time"},
    {"storm,every=99ms", "100 ms at least"},
    {"slow-reader,read=999", "from 1000"},
    {"offline,messages=1025", "to 1024"},
    {"prekey-drain,prekeys=101", "to 100"},
    {"idle,online=1s", "its keys: share"},
    {"storm,resume=maybe", "resume takes yes or no, not 'maybe'"},
    {"storm,resume=", "resume takes yes or no, not ''"},
    {"storm,resume=Yes", "'Yes'"},
    {"storm,resume=1", "'1'"},
    {"storm,resume=yes,resume=no", "given twice"},
    {"storm,resume", "not key=value"},
    {"chat,resume=yes", "does not take 'resume'; its keys: share"},
    {"slow-reader,resume=no", "does not take 'resume'"},
    {"churn,every=2s", "its keys: share, online, offline, resume"},
};

Test(group, parse_refuses_with_a_sentence)
{
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        reason[0] = '\0';
        cr_assert_eq(group_parse(&g, refusals[i].text, reason), -EINVAL, "%s", refusals[i].text);
        cr_assert(strstr(reason, refusals[i].says), "'%s' lacks '%s'", reason, refusals[i].says);
        cr_assert(strstr(reason, "--group"));
    }
}

// The groups `texts` name, split; the number of groups.
static uint32_t make(struct group *groups, const char *const *texts)
{
    uint32_t count = 0;

    for (; texts[count]; count++)
        cr_assert_eq(group_parse(&groups[count], texts[count], reason), 0);
    return count;
}

#define MAKE(groups, ...) make(groups, (const char *const[]){__VA_ARGS__, NULL})

Test(group, split_by_largest_remainder)
{
    struct group groups[4];
    uint32_t n = MAKE(groups, "chat", "chat", "chat");

    // 10 users are 5 pairs: 3 1/3 users each, so the first two lack most.
    cr_assert_eq(group_split(groups, n, 10, reason), 0);
    cr_assert_eq(groups[0].users, 4);
    cr_assert_eq(groups[1].users, 4);
    cr_assert_eq(groups[2].users, 2);
    n = MAKE(groups, "chat,share=7", "idle,share=2", "fan-out,recipients=9");
    cr_assert_eq(group_split(groups, n, 100, reason), 0);
    cr_assert_eq(groups[0].users, 70);
    cr_assert_eq(groups[1].users, 20);
    cr_assert_eq(groups[2].users, 10);
}

Test(group, split_gives_all_out_in_whole_units)
{
    struct group groups[4];

    for (uint32_t users = 1; users < 400; users++) {
        uint32_t n = MAKE(groups, "chat,share=3", "fan-out,recipients=4", "idle", "churn,share=2");
        uint32_t sum = 0;

        if (group_split(groups, n, users, reason) < 0) {
            cr_assert_lt(users, 35, "a fan-out of 5 has a share of 1/7: %s", reason);
            continue;
        }
        for (uint32_t i = 0; i < n; i++) {
            cr_assert_gt(groups[i].users, 0);
            cr_assert_eq(groups[i].users % group_unit_users(&groups[i]), 0);
            sum += groups[i].users;
        }
        cr_assert_eq(sum, users);
    }
}

Test(group, split_says_what_would_do)
{
    struct group groups[2];
    uint32_t n = MAKE(groups, "chat", "storm");

    cr_assert_eq(group_split(groups, n, 101, reason), -EINVAL);
    cr_assert(strstr(reason, "100 can"), "%s", reason);
    cr_assert_eq(group_split(groups, n, 1, reason), -EINVAL);
    cr_assert(strstr(reason, "too few"), "%s", reason);
    n = MAKE(groups, "chat,share=1000", "idle");
    cr_assert_eq(group_split(groups, n, 100, reason), -EINVAL);
    cr_assert(strstr(reason, "group 2 (idle) gets none"), "%s", reason);
}

Test(group, deal_gives_every_thread_whole_units)
{
    struct group groups[3];
    uint32_t n = MAKE(groups, "chat", "fan-out", "idle");

    cr_assert_eq(group_split(groups, n, 100, reason), 0);
    for (uint32_t parts = 1; parts <= 30; parts++) {
        uint32_t sums[3] = {0}, all = 0, least = UINT32_MAX;

        for (uint32_t part = 0; part < parts; part++) {
            uint32_t users[GROUPS_MAX], sum = group_deal(groups, n, part, parts, users);

            least = sum < least ? sum : least;
            all += sum;
            for (uint32_t i = 0; i < n; i++) {
                cr_assert_eq(users[i] % group_unit_users(&groups[i]), 0);
                sums[i] += users[i];
            }
        }
        cr_assert_eq(all, 100);
        cr_assert_gt(least, 0, "of %u threads", parts);
        for (uint32_t i = 0; i < n; i++)
            cr_assert_eq(sums[i], groups[i].users);
    }
}

Test(group, senders_are_those_with_a_schedule)
{
    struct group groups[9];
    uint32_t n = MAKE(groups, "chat", "churn", "storm", "slow-reader", "offline",
                      "fan-out,recipients=2", "handshake", "prekey-drain", "idle");
    static const uint32_t want[] = {6, 6, 6, 3, 3, 2, 0, 0, 0};

    for (uint32_t i = 0; i < n; i++)
        cr_assert_eq(group_senders(&groups[i], 6), want[i]);
}
