// JUnit: the text readers get.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "junit.h"

static char *text_of(const struct junit_case *cases, size_t count)
{
    char *text;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    junit_write(f, "suite <1>", cases, count);
    fclose(f);
    return text;
}

Test(junit, write_of_all_outcomes)
{
    const struct junit_case cases[] = {
        {.pattern = "a", .name = "good", .outcome = JUNIT_PASSED},
        {.pattern = "a",
         .name = "p99<\"20\" & more",
         .outcome = JUNIT_FAILED,
         .message = "was\n30\x01"},
        {.pattern = "b", .name = "unclear", .outcome = JUNIT_SKIPPED, .message = "few > none"},
    };
    char *text = text_of(cases, 3);

    cr_expect(eq(str, text,
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                 "<testsuite name=\"suite &lt;1&gt;\" tests=\"3\" failures=\"1\" skipped=\"1\">\n"
                 "  <testcase classname=\"a\" name=\"good\"/>\n"
                 "  <testcase classname=\"a\" name=\"p99&lt;&quot;20&quot; &amp; more\">\n"
                 "    <failure message=\"was 30 \"/>\n"
                 "  </testcase>\n"
                 "  <testcase classname=\"b\" name=\"unclear\">\n"
                 "    <skipped message=\"few &gt; none\"/>\n"
                 "  </testcase>\n"
                 "</testsuite>\n"));
    free(text);
}

Test(junit, write_of_nothing)
{
    char *text = text_of(NULL, 0);

    cr_expect(eq(str, text,
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                 "<testsuite name=\"suite &lt;1&gt;\" tests=\"0\" failures=\"0\" skipped=\"0\">\n"
                 "</testsuite>\n"));
    free(text);
}
