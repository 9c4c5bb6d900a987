// A relay's command: what is filled in, and that a server which will not serve is told and ended.
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server_process.h"

static char command[SERVER_PROCESS_COMMAND_BYTES], reason[SERVER_PROCESS_REASON_BYTES];
static struct server_process server;
static struct target target;

// A loopback address where nobody listens now; the socket, so that somebody may.
static int make_target(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    memcpy(&target.address, &address, sizeof address);
    target.address_len = sizeof address;
    snprintf(target.authority, sizeof target.authority, "127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

Test(server_process, format)
{
    cr_assert_eq(server_process_format(command, "relay --listen {url} -w {} {x} {}{url", "ws://h:1",
                                       12, reason),
                 0);
    cr_assert_str_eq(command, "relay --listen ws://h:1 -w 12 {x} 12{url");
}

Test(server_process, format_too_long)
{
    char longest[SERVER_PROCESS_COMMAND_BYTES];

    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    cr_assert_eq(server_process_format(command, longest, "ws://h:1", 1, reason), 0);
    memcpy(longest, "{url}", 5);
    cr_assert_eq(server_process_format(command, longest, "ws://h:1", 1, reason), -EINVAL);
    cr_assert(strstr(reason, "4095 characters"));
}

Test(server_process, start_one_that_ends)
{
    int fd = make_target();

    cr_assert_eq(server_process_start(&server, "true", &target, reason), -ECHILD);
    cr_assert(strstr(reason, "exit code 0"), "%s", reason);
    cr_assert_eq(server.pid, 0);
    cr_assert_eq(server_process_start(&server, "/nowhere/at/all 2>/dev/null", &target, reason),
                 -ECHILD);
    cr_assert(strstr(reason, "exit code 127"), "%s", reason);
    server_process_stop(&server);
    close(fd);
}

Test(server_process, start_where_somebody_listens)
{
    int fd = make_target();

    cr_assert_eq(listen(fd, 8), 0);
    cr_assert_eq(server_process_start(&server, "sleep 60", &target, reason), -EADDRINUSE);
    cr_assert(strstr(reason, target.authority) && strstr(reason, "already"), "%s", reason);
    cr_assert_eq(server.pid, 0);
    close(fd);
}

Test(server_process, start_interrupted)
{
    sigset_t signals;
    int fd = make_target();

    // As a run leaves it: blocked, and one is waiting.
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    raise(SIGINT);
    cr_assert_eq(server_process_start(&server, "sleep 60", &target, reason), -EINTR);
    cr_assert_eq(server.pid, 0, "nothing is left running");
    close(fd);
}
