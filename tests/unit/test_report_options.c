// Where --web listens.
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>

#include "report_options.h"

static struct report_options o;

Test(report_options, parse_web_takes_a_port_on_loopback)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)&o.web_address;

    cr_assert(report_options_parse_web(&o, "8090"));
    cr_assert(o.has_web);
    cr_assert_eq(four->sin_family, AF_INET);
    cr_assert_eq(ntohl(four->sin_addr.s_addr), INADDR_LOOPBACK);
    cr_assert_eq(ntohs(four->sin_port), 8090);
    cr_assert(report_options_parse_web(&o, "0"));
    cr_assert_eq(four->sin_port, 0);
    cr_assert(report_options_parse_web(&o, "localhost:1"));
    cr_assert_eq(ntohl(four->sin_addr.s_addr), INADDR_LOOPBACK);
}

Test(report_options, parse_web_takes_addresses)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)&o.web_address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&o.web_address;

    cr_assert(report_options_parse_web(&o, "0.0.0.0:65535"));
    cr_assert_eq(four->sin_addr.s_addr, 0);
    cr_assert_eq(ntohs(four->sin_port), 65535);
    cr_assert(report_options_parse_web(&o, "[::1]:80"));
    cr_assert_eq(six->sin6_family, AF_INET6);
    cr_assert(IN6_IS_ADDR_LOOPBACK(&six->sin6_addr));
    cr_assert_eq(ntohs(six->sin6_port), 80);
    cr_assert_eq(o.web_address_len, sizeof *six);
}

Test(report_options, parse_web_refuses_the_rest)
{
    static const char *const wrong[] = {
        "",
        ":80",
        "65536",
        "-1",
        "80a",
        "example.org:80",
        "1.2.3:80",
        "[::1]",
        "[::1]:",
        "::1:80",
        "[:80",
        "[]:80",
        "127.0.0.1:",
        "+80",
        " 80",
        "[x]:80",
        "1.2.3.4:80:90",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:80"};

    for (unsigned i = 0; i < COUNT_OF(wrong); i++)
        cr_assert_not(report_options_parse_web(&o, wrong[i]), "'%s'", wrong[i]);
}
