// The exit code when several causes meet.
#include <criterion/criterion.h>

#include "exit_code.h"

Test(exit_code, of_each_cause)
{
    cr_assert_eq(exit_code_of(&(struct exit_causes){0}), 0);
    cr_assert_eq(exit_code_of(&(struct exit_causes){.internal = true}), 1);
    cr_assert_eq(exit_code_of(&(struct exit_causes){.bad_options = true}), 104);
    cr_assert_eq(exit_code_of(&(struct exit_causes){.interrupted = true}), 105);
    cr_assert_eq(exit_code_of(&(struct exit_causes){.integrity = true}), 111);
    cr_assert_eq(exit_code_of(&(struct exit_causes){.limited = true}), 112);
    cr_assert_eq(exit_code_of(&(struct exit_causes){.threshold = true}), 99);
    cr_assert_eq(exit_code_of(&(struct exit_causes){.unreachable = true}), 113);
}

Test(exit_code, of_precedence)
{
    struct exit_causes c = {true, true, true, true, true, true, true};

    cr_assert_eq(exit_code_of(&c), EXIT_CODE_INTERNAL);
    c.internal = false;
    cr_assert_eq(exit_code_of(&c), EXIT_CODE_BAD_OPTIONS);
    c.bad_options = false;
    cr_assert_eq(exit_code_of(&c), EXIT_CODE_INTERRUPTED);
    c.interrupted = false;
    cr_assert_eq(exit_code_of(&c), EXIT_CODE_UNREACHABLE);
    c.unreachable = false;
    cr_assert_eq(exit_code_of(&c), EXIT_CODE_INTEGRITY);
    c.integrity = false;
    cr_assert_eq(exit_code_of(&c), EXIT_CODE_LIMITED);
    c.limited = false;
    cr_assert_eq(exit_code_of(&c), EXIT_CODE_THRESHOLD);
}
