// The page around the documents: what is escaped, what is filled in, what its policy allows.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "page.h"
#include "page_text.h"

static char *escaped(const char *json)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    page_put_json(f, json);
    fclose(f);
    return text;
}

Test(page, put_json_escapes_what_ends_a_script)
{
    static const struct {
        const char *json, *expected;
    } cases[] = {
        {"{\"a\":1}", "{\"a\":1}"},
        {"\"</script>\"", "\"\\u003c/script>\""},
        {"\"<!--<script>\"", "\"\\u003c!--\\u003cscript>\""},
        {"\"\xe2\x80\xa8|\xe2\x80\xa9\"", "\"\\u2028|\\u2029\""},
        {"\"\xe2\x80\xa7\xc3\xa9\"", "\"\xe2\x80\xa7\xc3\xa9\""}, // neighbours stay
        {"\"\xe2\x80", "\"\xe2\x80"},                             // cut: nothing is read beyond
        {"", ""},
    };

    for (unsigned i = 0; i < COUNT_OF(cases); i++) {
        char *text = escaped(cases[i].json);

        cr_assert_str_eq(text, cases[i].expected);
        free(text);
    }
}

Test(page, format_fills_in_every_place)
{
    size_t len = 0;
    char *page = page_format(PAGE_SAVED, "{\"schema\":\"r</script>\"}", "{\"schema\":\"c\"}", &len);

    cr_assert_not_null(page);
    cr_assert_eq(strlen(page), len);
    cr_assert_null(strstr(page, "{{"));
    cr_assert(strstr(page, "id=\"result\">{\"schema\":\"r\\u003c/script>\"}</script>"));
    cr_assert(strstr(page, "id=\"capacity\">{\"schema\":\"c\"}</script>"));
    cr_assert(strstr(page, "<body data-page=\"saved\">"));
    cr_assert(strstr(page, "connect-src 'none'"));
    free(page);
}

Test(page, format_does_not_fill_in_documents)
{
    size_t len;
    char *page = page_format(PAGE_LIVE, "\"{{script}}\"", NULL, &len);

    cr_assert(strstr(page, "id=\"result\">\"{{script}}\"</script>"));
    cr_assert(strstr(page, "id=\"capacity\"></script>"));
    cr_assert(strstr(page, "<body data-page=\"live\">"));
    cr_assert(strstr(page, "connect-src 'self'"));
    free(page);
}

// Nothing of the page may come from elsewhere, and nothing may end its elements early.
Test(page, text_stands_alone)
{
    static const char *const loads[] = {"src=",  "@import",           "url(",
                                        "//cdn", "innerHTML",         "document.write",
                                        "eval(", "insertAdjacentHTML"};

    for (unsigned i = 0; i < COUNT_OF(loads); i++) {
        cr_assert_null(strstr(page_text_js, loads[i]), "%s", loads[i]);
        cr_assert_null(strstr(page_text_css, loads[i]), "%s", loads[i]);
        cr_assert_null(strstr(page_text_html, loads[i]), "%s", loads[i]);
    }
    cr_assert_null(strstr(page_text_js, "</script"));
    cr_assert_null(strstr(page_text_js, "<!--"));
    cr_assert_null(strstr(page_text_css, "</style"));
}

Test(page, format_policy_names_the_script)
{
    char policy[PAGE_POLICY_BYTES];

    page_format_policy(PAGE_SAVED, policy);
    cr_assert(strstr(policy, "default-src 'none'; script-src 'sha256-"));
    cr_assert_null(strstr(policy, "script-src 'unsafe-inline'"));
    cr_assert_lt(strlen(policy), PAGE_POLICY_BYTES - 1, "not cut");
    cr_assert(strstr(policy, "form-action 'none'"), "the last part is there");
}

Test(page, write_reports_errors)
{
    char name[] = "/tmp/sealpost-page-XXXXXX";
    int fd = mkstemp(name);

    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(page_write(name, "{}", NULL), 0);
    cr_assert_eq(page_write("/no/such/directory/x", "{}", NULL), -ENOENT);
    cr_assert_eq(page_write("/dev/full", "{}", NULL), -ENOSPC);
    unlink(name);
}
