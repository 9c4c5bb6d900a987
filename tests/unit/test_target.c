// URLs of the relay.
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "target.h"

static struct target t;
static char reason[TARGET_REASON_BYTES];

Test(target, parse_ws)
{
    cr_assert_eq(target_parse(&t, "ws://127.0.0.1:8080", reason), 0);
    cr_assert_not(t.tls);
    cr_assert_str_eq(t.host, "127.0.0.1");
    cr_assert_eq(t.port, 8080);
    cr_assert_str_eq(t.path, "/v1");
    cr_assert_str_eq(t.authority, "127.0.0.1:8080");
}

Test(target, parse_wss_and_defaults)
{
    cr_assert_eq(target_parse(&t, "wss://relay.example/echo", reason), 0);
    cr_assert(t.tls);
    cr_assert_eq(t.port, 443);
    cr_assert_str_eq(t.path, "/echo");
    cr_assert_eq(target_parse(&t, "ws://localhost/", reason), 0);
    cr_assert_eq(t.port, 80);
    cr_assert_str_eq(t.path, "/v1");
}

Test(target, parse_v6_literal)
{
    cr_assert_eq(target_parse(&t, "ws://[::1]:9000/v1", reason), 0);
    cr_assert_str_eq(t.host, "::1");
    cr_assert_str_eq(t.authority, "[::1]:9000");
    cr_assert_eq(target_resolve(&t, reason), 0);
    cr_assert(t.loopback);
}

Test(target, parse_refuses)
{
    static const char *const bad[] = {
        "http://x",      "ws:/x",       "ws://",     "ws://:80",   "ws://h:0",
        "ws://h:65536",  "ws://h:8x",   "ws://h:",   "ws://[::1",  "ws://[]:1",
        "ws://h:80 /v1", "127.0.0.1:1", "ws://h:-1", "ws://h/a b", "ws://h:1/x\r\nHost: y",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(target_parse(&t, bad[i], reason), -EINVAL, "'%s'", bad[i]);
        cr_assert(strstr(reason, "is not an address"));
    }
}

Test(target, resolve_tells_loopback)
{
    cr_assert_eq(target_parse(&t, "ws://127.3.2.1:80", reason), 0);
    cr_assert_eq(target_resolve(&t, reason), 0);
    cr_assert(t.loopback);
    cr_assert_eq(target_parse(&t, "ws://192.0.2.1:80", reason), 0);
    cr_assert_eq(target_resolve(&t, reason), 0);
    cr_assert_not(t.loopback);
}

Test(target, resolve_unknown_host)
{
    cr_assert_eq(target_parse(&t, "ws://no.such.host.invalid:80", reason), 0);
    cr_assert_eq(target_resolve(&t, reason), -EHOSTUNREACH);
    cr_assert(strstr(reason, "no.such.host.invalid"));
}

Test(target, open_socket_binds_sources_in_turn)
{
    struct source_list sources;

    source_list_init_loopback(&sources, 3);
    cr_assert_eq(target_parse(&t, "ws://127.0.0.1:80", reason), 0);
    cr_assert_eq(target_resolve(&t, reason), 0);
    for (uint32_t number = 0; number < 5; number++) {
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        int fd = target_open_socket(&t, number, &sources);

        cr_assert_geq(fd, 0);
        cr_assert_eq(getsockname(fd, (struct sockaddr *)&from, &len), 0);
        cr_assert_eq(ntohl(from.sin_addr.s_addr), INADDR_LOOPBACK + number % 3);
        close(fd);
    }
}
