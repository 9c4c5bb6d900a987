// JUnit XML, as CI systems read it: one suite of test cases. Pure but for the stream it writes to;
// the caller looks at ferror.
#ifndef SEALPOST_JUNIT_H
#define SEALPOST_JUNIT_H

#include <stdio.h>

enum junit_outcome { JUNIT_PASSED, JUNIT_FAILED, JUNIT_SKIPPED };

struct junit_case {
    const char *pattern, *name;
    enum junit_outcome outcome;
    const char *message; // of a failure or a skip
};

// Source: the schema that Jenkins' and GitLab's readers share.
void junit_write(FILE *out, const char *suite, const struct junit_case *cases, size_t count);

#endif
