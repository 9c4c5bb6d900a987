// Lines for people on standard error: time, level, text. Nothing that identifies a user, an
// address or a message is ever logged. Thread: any; a line is written at once.
#ifndef SEALPOST_LOG_H
#define SEALPOST_LOG_H

#include "units.h"

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
