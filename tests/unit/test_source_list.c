// Source addresses: lists and networks, their bound, and what the machine says to them.
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "source_list.h"

static struct source_list l;
static char reason[SOURCE_LIST_REASON_BYTES];

static void expect(uint32_t index, const char *address)
{
    char text[INET6_ADDRSTRLEN];

    cr_assert_lt(index, l.count);
    inet_ntop(l.items[index].family, l.items[index].bytes, text, sizeof text);
    cr_assert_str_eq(text, address);
}

static void parse(const char *text, uint32_t count)
{
    cr_assert_eq(source_list_parse(&l, text, reason), 0, "%s: %s", text, reason);
    cr_assert_eq(l.count, count, "%s: %u", text, l.count);
}

Test(source_list, parse_addresses)
{
    parse("127.0.0.5", 1);
    expect(0, "127.0.0.5");
    parse("127.0.0.5,::1,10.1.2.3", 3);
    expect(1, "::1");
    expect(2, "10.1.2.3");
}

Test(source_list, parse_networks)
{
    parse("127.1.0.0/24", 254);
    expect(0, "127.1.0.1");
    expect(253, "127.1.0.254");
    parse("127.1.0.77/30", 2); // the host's part does not count
    expect(0, "127.1.0.77");
    expect(1, "127.1.0.78");
    parse("127.1.0.6/31", 2);
    expect(0, "127.1.0.6");
    parse("127.1.0.6/32", 1);
    parse("255.255.255.254/31", 2);
    expect(1, "255.255.255.255");
    parse("127.0.0.1,127.1.0.0/29", 7);
}

Test(source_list, parse_refuses)
{
    static const char *const bad[] = {
        "",
        "many",
        "127.0.0",
        "127.0.0.1,",
        ",127.0.0.1",
        "127.0.0.256",
        "127.0.0.0/",
        "127.0.0.0/33",
        "127.0.0.0/2x",
        "127.0.0.0/-1",
        "::1/128",
        "x/24",
        "127.0.0.1 ",
        "0000000000000000000000000000000000000000000000000000000000000"
        "000000000"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(source_list_parse(&l, bad[i], reason), -EINVAL, "'%s'", bad[i]);
        cr_assert(strstr(reason, "takes auto, a number, addresses"), "%s", reason);
    }
}

Test(source_list, parse_bounds_the_list)
{
    parse("127.1.0.0/24,127.2.0.1,127.2.0.2", 256);
    cr_assert_eq(source_list_parse(&l, "127.1.0.0/24,127.2.0.0/29", reason), -EINVAL);
    cr_assert(strstr(reason, "256 addresses at most"), "%s", reason);
    cr_assert_eq(source_list_parse(&l, "127.1.0.0/23", reason), -EINVAL);
    cr_assert(strstr(reason, "'127.1.0.0/23' is more"), "%s", reason);
}

Test(source_list, init_loopback_counts_up)
{
    source_list_init_loopback(&l, 3);
    cr_assert_eq(l.count, 3);
    expect(2, "127.0.0.3");
    source_list_init_loopback(&l, 100000);
    cr_assert_eq(l.count, SOURCE_LIST_MAX);
}

Test(source_list, bind_takes_them_in_turn)
{
    parse("127.0.0.9,127.3.0.1", 2);
    for (uint32_t number = 0; number < 4; number++) {
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        cr_assert_eq(source_list_bind(&l, number, fd), 0);
        cr_assert_eq(getsockname(fd, (struct sockaddr *)&from, &len), 0);
        cr_assert_str_eq(inet_ntoa(from.sin_addr), number % 2 == 0 ? "127.0.0.9" : "127.3.0.1");
        cr_assert_eq(from.sin_port, 0, "the port is chosen at connect");
        close(fd);
    }
}

Test(source_list, check_tells_what_cannot_be_bound)
{
    parse("127.0.0.9", 1);
    cr_assert_eq(source_list_check(&l, AF_INET, reason), 0);
    parse("127.0.0.9,192.0.2.7", 2); // RFC 5737: nobody's
    cr_assert_eq(source_list_check(&l, AF_INET, reason), -EADDRNOTAVAIL);
    cr_assert(strstr(reason, "192.0.2.7") && strstr(reason, "not an address of this machine"), "%s",
              reason);
    parse("::1", 1);
    cr_assert_eq(source_list_check(&l, AF_INET, reason), -EINVAL);
    cr_assert(strstr(reason, "names ::1, but the relay's address is IPv4"), "%s", reason);
    l.count = 0;
    cr_assert_eq(source_list_check(&l, AF_INET, reason), 0, "nothing is named");
}
