// The directory of connected mailboxes: one writer, readers that never wait.
#include <urcu-qsbr.h>

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "relay/mailbox.h"

static struct mailbox_directory *directory;

static void set_up(void)
{
    directory = mailbox_directory_create(4);
    cr_assert_not_null(directory);
    urcu_qsbr_register_thread();
}

static void tear_down(void)
{
    urcu_qsbr_unregister_thread();
    mailbox_directory_destroy(directory);
}

TestSuite(mailbox, .init = set_up, .fini = tear_down);

static void name(uint8_t mailbox[WIRE_MAILBOX_BYTES], uint32_t number)
{
    memset(mailbox, 0, WIRE_MAILBOX_BYTES);
    memcpy(mailbox, &number, sizeof number);
}

static struct peer peer_of(uint32_t number)
{
    return (struct peer){
        .slot = number, .generation = number + 1, .worker = (uint16_t)(number % 3)};
}

Test(mailbox, find_what_was_attached)
{
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    struct peer found;

    // More than the expected number: slower, not wrong.
    for (uint32_t i = 0; i < 1000; i++) {
        name(mailbox, i);
        cr_assert_eq(mailbox_attach(directory, mailbox, peer_of(i)), 0);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        name(mailbox, i);
        cr_assert(mailbox_find(directory, mailbox, &found));
        cr_assert(peer_is_same(found, peer_of(i)));
    }
    name(mailbox, 1000);
    cr_assert_not(mailbox_find(directory, mailbox, &found));
}

Test(mailbox, attach_replaces_the_older_peer)
{
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    struct peer found;

    name(mailbox, 7);
    cr_assert_eq(mailbox_attach(directory, mailbox, peer_of(1)), 0);
    cr_assert_eq(mailbox_attach(directory, mailbox, peer_of(2)), 0);
    cr_assert(mailbox_find(directory, mailbox, &found));
    cr_assert(peer_is_same(found, peer_of(2)));
}

Test(mailbox, detach_takes_away_only_the_peers_own)
{
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    struct peer found;

    name(mailbox, 7);
    cr_assert_eq(mailbox_attach(directory, mailbox, peer_of(1)), 0);
    cr_assert_eq(mailbox_attach(directory, mailbox, peer_of(2)), 0);
    mailbox_detach(directory, mailbox, peer_of(1)); // late: displaced before
    cr_assert(mailbox_find(directory, mailbox, &found));
    mailbox_detach(directory, mailbox, peer_of(2));
    cr_assert_not(mailbox_find(directory, mailbox, &found));
    mailbox_detach(directory, mailbox, peer_of(2));
}

#define ROUNDS 20000u
static _Atomic bool done;

// Whatever the writer does meanwhile, a find gives a peer that this mailbox had.
static void *read_all(void *arg)
{
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    uintptr_t wrong = 0;
    (void)arg;

    urcu_qsbr_register_thread();
    name(mailbox, 1);
    while (!atomic_load(&done)) {
        struct peer found;

        if (mailbox_find(directory, mailbox, &found) && found.generation != found.slot + 1)
            wrong++;
        urcu_qsbr_quiescent_state();
    }
    urcu_qsbr_unregister_thread();
    return (void *)wrong;
}

Test(mailbox, find_while_it_changes)
{
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    pthread_t reader;
    void *wrong;

    name(mailbox, 1);
    cr_assert_eq(pthread_create(&reader, NULL, read_all, NULL), 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        cr_assert_eq(mailbox_attach(directory, mailbox, peer_of(i)), 0);
        if (i % 3 == 0)
            mailbox_detach(directory, mailbox, peer_of(i));
        if (i % 64 == 0)
            mailbox_reclaim(directory);
        urcu_qsbr_quiescent_state();
    }
    atomic_store(&done, true);
    urcu_qsbr_thread_offline();
    pthread_join(reader, &wrong);
    urcu_qsbr_thread_online();
    cr_assert_null(wrong);
}
