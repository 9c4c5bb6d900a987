// The keys of session tickets: their turns, and which of them are accepted.
#include <criterion/criterion.h>
#include <string.h>

#include "tls_ticket.h"

#define HOUR_NS (TLS_TICKET_LIFETIME_S * NS_PER_S)
#define BEGIN_NS (5 * HOUR_NS)

static struct tls_ticket_keys keys;

static void set_up(void)
{
    tls_ticket_keys_init(&keys);
}

static void tear_down(void)
{
    tls_ticket_keys_free(&keys);
}

TestSuite(tls_ticket, .init = set_up, .fini = tear_down);

static struct tls_ticket_key current(uint64_t now_ns)
{
    struct tls_ticket_key key;

    cr_assert_eq(tls_ticket_key_current(&keys, now_ns, &key), 0);
    return key;
}

static bool is_known(const struct tls_ticket_key *key, uint64_t now_ns)
{
    struct tls_ticket_key found;

    if (!tls_ticket_key_find(&keys, now_ns, key->name, &found))
        return false;
    cr_assert(memcmp(&found, key, sizeof found) == 0);
    return true;
}

Test(tls_ticket, key_current_changes_each_hour)
{
    struct tls_ticket_key first = current(BEGIN_NS), second;

    cr_assert(memcmp(first.name, current(BEGIN_NS + HOUR_NS - 1).name, sizeof first.name) == 0);
    second = current(BEGIN_NS + HOUR_NS);
    cr_assert(memcmp(first.name, second.name, sizeof first.name) != 0);
    cr_assert(memcmp(first.aes, second.aes, sizeof first.aes) != 0);
    cr_assert(memcmp(first.hmac, second.hmac, sizeof first.hmac) != 0);
}

Test(tls_ticket, key_find_takes_the_one_before_until_its_tickets_ended)
{
    struct tls_ticket_key first = current(BEGIN_NS), second = current(BEGIN_NS + HOUR_NS);

    cr_assert(is_known(&first, BEGIN_NS + HOUR_NS));
    cr_assert(is_known(&second, BEGIN_NS + HOUR_NS));
    cr_assert(is_known(&first, BEGIN_NS + 2 * HOUR_NS - 1));
    cr_assert_not(is_known(&first, BEGIN_NS + 2 * HOUR_NS)); // also if no ticket was made since
    current(BEGIN_NS + 2 * HOUR_NS);
    cr_assert(is_known(&second, BEGIN_NS + 2 * HOUR_NS));
    cr_assert_not(is_known(&first, BEGIN_NS + 2 * HOUR_NS));
}

Test(tls_ticket, key_find_knows_nothing_before_the_first)
{
    static const struct tls_ticket_key none;
    struct tls_ticket_key found;

    cr_assert_not(tls_ticket_key_find(&keys, BEGIN_NS, none.name, &found));
}
