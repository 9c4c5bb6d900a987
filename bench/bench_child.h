// Child processes of a side-by-side run: started on one processor, waited for with a bound, and
// never left behind (each is killed when this process ends, however it ends). Thread: main only.
#ifndef SEALPOST_BENCH_CHILD_H
#define SEALPOST_BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "units.h"

#define BENCH_CHILD_ANY_CPU (-1)

struct bench_child {
    pid_t pid; // 0: none
    int pidfd;
    int out;         // read end of the child's piped output
    int in;          // write end of its standard input, -1: it has none
    char line[4096]; // received and not yet taken
    size_t line_len;
};

struct bench_child_setup {
    const char *const *argv; // NULL-terminated; argv[0] is looked up in PATH
    int cpu;                 // all its threads run there, or BENCH_CHILD_ANY_CPU
    int piped_fd;            // STDOUT_FILENO or STDERR_FILENO goes to `out`, the other to `log`
    const char *log;         // file, created or appended to
    bool has_input;          // `in` is its standard input; else /dev/null is
};

// Take over SIGINT and SIGTERM, which end every wait below with -EINTR, and ignore SIGPIPE. Call
// once, first.
NODISCARD int bench_child_init(void);
// Has one of the two come?
bool bench_child_is_interrupted(void);
// Start; a program that cannot be run ends with code 127. Errors: -errno.
NODISCARD int bench_child_start(struct bench_child *c, const struct bench_child_setup *setup);
// Wait until the child's output has a line that contains `text`; the line, without its end, goes to
// out[cap]. Errors: -EPIPE (it ended first), -ETIMEDOUT, -EINTR.
NODISCARD int bench_child_wait_line(struct bench_child *c, const char *text, uint64_t timeout_ns,
                                    char *out, size_t cap);
// End its standard input: the word a client that holds its load waits for.
void bench_child_release(struct bench_child *c);
// Discard the rest of its output, wait for its end and release it. Returns its exit code, 128 +
// signal if a signal ended it. Errors: -ETIMEDOUT, -EINTR; the child is killed then.
NODISCARD int bench_child_wait(struct bench_child *c, uint64_t timeout_ns);
// SIGTERM, then as bench_child_wait with a bound of its own; SIGKILL when that is over.
NODISCARD int bench_child_stop(struct bench_child *c);
// SIGKILL, wait and release; nothing if there is none.
void bench_child_kill(struct bench_child *c);

// Run a short command and keep the first line of its standard output, "" if there is none.
// Errors: as above; -ECHILD if it did not exit with 0 (the line is kept all the same).
NODISCARD int bench_child_capture(const char *const *argv, char *out, size_t cap);

#endif
