// Lines for people on standard error.
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

// One write for each line, so that lines of several threads do not mix.
static void write_line(const char *level, const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    struct timespec now;
    struct tm utc;
    size_t len;
    int n;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    len = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
    len += (size_t)snprintf(line + len, sizeof line - len, ".%03ldZ %s ", now.tv_nsec / 1000000,
                            level);
    n = vsnprintf(line + len, sizeof line - len - 1, format, args);
    if (n > 0)
        len += (size_t)n < sizeof line - len - 1 ? (size_t)n : sizeof line - len - 2;
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; // nowhere left to say so
}

#define DEFINE_LOG(name)                                                                           \
    void log_##name(const char *format, ...)                                                       \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        write_line(#name, format, args);                                                           \
        va_end(args);                                                                              \
    }

DEFINE_LOG(error)
DEFINE_LOG(warn)
DEFINE_LOG(info)
