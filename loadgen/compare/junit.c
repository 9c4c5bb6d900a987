// JUnit XML: one suite of test cases.
#include "junit.h"

#include <stddef.h>

// XML 1.0 allows no control characters but tab and line ends, not even escaped.
static void write_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
        }
    }
}

static void write_case(FILE *out, const struct junit_case *c)
{
    fputs("  <testcase classname=\"", out);
    write_escaped(out, c->pattern);
    fputs("\" name=\"", out);
    write_escaped(out, c->name);
    if (c->outcome == JUNIT_PASSED) {
        fputs("\"/>\n", out);
        return;
    }
    fprintf(out, "\">\n    <%s message=\"", c->outcome == JUNIT_FAILED ? "failure" : "skipped");
    write_escaped(out, c->message);
    fputs("\"/>\n  </testcase>\n", out);
}

void junit_write(FILE *out, const char *suite, const struct junit_case *cases, size_t count)
{
    size_t failed = 0, skipped = 0;

    for (size_t i = 0; i < count; i++) {
        failed += cases[i].outcome == JUNIT_FAILED;
        skipped += cases[i].outcome == JUNIT_SKIPPED;
    }
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"", out);
    write_escaped(out, suite);
    fprintf(out, "\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\">\n", count, failed, skipped);
    for (size_t i = 0; i < count; i++)
        write_case(out, &cases[i]);
    fputs("</testsuite>\n", out);
}
