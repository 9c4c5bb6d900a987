// The recording: its bound, its order, and a file that cannot take it.
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "recorder.h"

static struct recorder a, b;

static void push(struct recorder *r, uint32_t sender, uint64_t intended_ns, uint64_t sent_ns)
{
    recorder_push(r, (struct recorder_row){intended_ns, sent_ns, sender, 100 + sender});
}

static void fini(void)
{
    recorder_free(&a);
    recorder_free(&b);
}

TestSuite(recorder, .fini = fini);

Test(recorder, write_merges_by_time_sent)
{
    const struct recorder *both[] = {&a, &b};
    char text[256] = "";
    FILE *f = fmemopen(text, sizeof text, "w");

    cr_assert_eq(recorder_init(&a, 10), 0);
    cr_assert_eq(recorder_init(&b, 10), 0);
    push(&a, 1, 1000, 1005);
    push(&a, 2, 1020, 1030);
    push(&b, 7, 1010, 1011);
    push(&b, 8, 1031, 1040);
    cr_assert_eq(recorder_write(f, both, 2, 1000), 0);
    fclose(f);
    cr_assert_str_eq(text, "sender,intended_ns,sent_ns,payload_bytes\n"
                           "1,0,5,101\n7,10,11,107\n2,20,30,102\n8,31,40,108\n");
}

Test(recorder, push_counts_what_has_no_room)
{
    cr_assert_eq(recorder_init(&a, 2), 0);
    for (unsigned i = 0; i < 5; i++)
        push(&a, i, i, i);
    cr_assert_eq(a.count, 2);
    cr_assert_eq(a.dropped, 3);
}

Test(recorder, push_without_room_asked_for_records_nothing)
{
    cr_assert_eq(recorder_init(&a, 0), 0);
    push(&a, 1, 1, 1);
    cr_assert_eq(a.count, 0);
    cr_assert_eq(a.dropped, 0);
}

Test(recorder, write_tells_of_a_full_device)
{
    const struct recorder *one[] = {&a};
    FILE *f = fopen("/dev/full", "w");

    cr_assert_not_null(f);
    cr_assert_eq(recorder_init(&a, 1), 0);
    push(&a, 1, 1, 1);
    cr_assert_eq(recorder_write(f, one, 1, 0), -ENOSPC);
    fclose(f);
}
