// Pieces of outgoing bytes: never overlapping while alive, used again when free, bounded.
#include <criterion/criterion.h>
#include <stdlib.h>

#include "arena.h"

static struct arena a;

static void setup(void)
{
    cr_assert_eq(arena_init(&a), 0);
}

static void teardown(void)
{
    arena_free(&a);
}

TestSuite(arena, .init = setup, .fini = teardown);

Test(arena, get_reuses_when_all_are_back)
{
    uint16_t segment;
    uint8_t *first = arena_get(&a, 1000, &segment), *second;

    second = arena_get(&a, 1000, &segment);
    cr_assert_eq(second, first + 1000);
    arena_put(&a, segment);
    arena_put(&a, segment);
    cr_assert_eq(arena_get(&a, 500, &segment), first);
    arena_put(&a, segment);
}

Test(arena, trim_gives_back_the_end)
{
    uint16_t segment;
    uint8_t *first = arena_get(&a, 1000, &segment);

    arena_trim(&a, 400);
    cr_assert_eq(arena_get(&a, 10, &segment), first + 600);
}

Test(arena, get_fails_when_full_and_recovers)
{
    uint16_t segments[ARENA_SEGMENTS], extra;

    for (unsigned i = 0; i < ARENA_SEGMENTS; i++)
        cr_assert_not_null(arena_get(&a, ARENA_SEGMENT_BYTES, &segments[i]));
    cr_assert_null(arena_get(&a, 1, &extra));
    arena_put(&a, segments[100]);
    cr_assert_not_null(arena_get(&a, 1, &extra));
    cr_assert_eq(extra, segments[100]);
}

Test(arena, get_random_pieces_never_overlap)
{
    enum { ALIVE = 200 };
    struct {
        uint8_t *bytes;
        uint32_t len;
        uint16_t segment;
    } pieces[ALIVE] = {0};

    srandom(1);
    for (unsigned n = 0; n < 50000; n++) {
        unsigned i = (unsigned)random() % ALIVE;

        if (pieces[i].bytes) {
            for (uint32_t at = 0; at < pieces[i].len; at += 97)
                cr_assert_eq(pieces[i].bytes[at], (uint8_t)i, "somebody wrote into a live piece");
            cr_assert_eq(pieces[i].bytes[pieces[i].len - 1], (uint8_t)i);
            arena_put(&a, pieces[i].segment);
        }
        pieces[i].len = 1 + (uint32_t)random() % 30000;
        pieces[i].bytes = arena_get(&a, pieces[i].len, &pieces[i].segment);
        cr_assert_not_null(pieces[i].bytes);
        memset(pieces[i].bytes, (int)i, pieces[i].len);
    }
}
