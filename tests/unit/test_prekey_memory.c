// The bound on memory for keys: what is counted, what is refused, and that all of it comes back.
// That nothing is left at the end is asserted by control_destroy, in every test of the control
// plane.
#include "prekey_parties.h"
#include "relay/control/prekey_memory.h"

enum { ML_DSA_KEY_CHARGE_BYTES = FAKE_ML_DSA_KEY_BYTES + PREKEY_MEMORY_OVERHEAD_BYTES };

static uint64_t used_bytes(const struct fake *f)
{
    return fake_stat(f, STATS_prekey_memory_bytes);
}

static struct fake *start_bounded(struct fake_client *alice, struct fake_client *bob,
                                  uint64_t max_bytes)
{
    struct control_config config = fake_config();
    struct fake *f;

    config.prekey_total_bytes = max_bytes;
    f = fake_start(&config);
    fake_join(f, alice, "alice", 0);
    fake_join(f, bob, "bob", 1);
    return f;
}

// The members of a publication with everything in it.
static const char *everything(const struct fake_client *owner)
{
    static char text[3 * LIMIT_CONTROL_BYTES];

    snprintf(text, sizeof text, "\"signed_prekey\":{%s},\"kem_prekey\":{%s},%s,%s",
             signed_members(owner, 1, 32), signed_members(owner, 100, KEM_KEY_BYTES),
             one_time_prekeys(1, 3), kem_prekeys(owner, 1, 3));
    return text;
}

static void publish_everything(struct fake *f, const struct fake_client *owner)
{
    fake_text(f, owner->peer, "{\"type\":\"publish_prekeys\",\"id\":2,%s}", everything(owner));
    expect_stock(f, owner, 3, 3);
}

Test(prekey_memory, alloc_counts_up_to_the_bound)
{
    static struct stats stats;
    struct prekey_memory m = {.max_bytes = 300 + 2 * PREKEY_MEMORY_OVERHEAD_BYTES, .stats = &stats};
    uint8_t *one = prekey_memory_alloc(&m, 200);
    uint8_t *other;

    cr_assert_not_null(one);
    for (size_t i = 0; i < 200; i++)
        cr_assert_eq(one[i], 0);
    cr_assert_null(prekey_memory_alloc(&m, 101));
    other = prekey_memory_alloc(&m, 100);
    cr_assert_not_null(other);
    cr_assert_eq(m.used_bytes, m.max_bytes);
    cr_assert_null(prekey_memory_alloc(&m, 0));
    prekey_memory_free(&m, one, 200);
    cr_assert_eq(stats_read(&stats, STATS_prekey_memory_bytes), 100 + PREKEY_MEMORY_OVERHEAD_BYTES);
    prekey_memory_free(&m, NULL, 200);
    prekey_memory_free(&m, other, 100);
    cr_assert_eq(m.used_bytes, 0);
    cr_assert_eq(stats_read(&stats, STATS_prekey_memory_bytes), 0);
    cr_assert_eq(stats_read(&stats, STATS_prekey_memory_full), 2);
}

// Every bound that is too small, up to one byte less than enough.
Test(prekey_memory, publish_over_the_bound_stores_nothing)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    uint64_t needed_bytes;

    publish_everything(f, &alice);
    needed_bytes = used_bytes(f);
    // Five keys with a signature, and three without.
    cr_assert_gt(needed_bytes, 4 * (KEM_KEY_BYTES + 64) + 32 + 64 + 3 * 36);
    fake_stop(f);

    for (uint64_t max_bytes = needed_bytes - 1;; max_bytes -= max_bytes < 97 ? max_bytes : 97) {
        f = start_bounded(&alice, &bob, max_bytes);
        refuse(f, &alice, "relay_busy", everything(&alice));
        cr_assert_eq(used_bytes(f), 0);
        cr_assert_eq(fake_stat(f, STATS_prekey_memory_full), 1);
        fake_text(f, bob.peer, "{\"type\":\"get_bundle\",\"name\":\"alice\"}");
        fake_expect_error(f, bob.peer, "no_prekeys", "");
        fake_stop(f);
        if (max_bytes == 0)
            break;
    }
    f = start_bounded(&alice, &bob, needed_bytes);
    publish_everything(f, &alice);
    cr_assert_eq(used_bytes(f), needed_bytes);
    fake_stop(f);
}

Test(prekey_memory, publish_over_the_bound_leaves_what_is_there)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    char replacement[4096];
    uint64_t full_bytes;

    publish_lasting(f, &alice, 100, 0);
    publish_kem(f, &alice, 1, 1, 1);
    full_bytes = used_bytes(f);
    fake_stop(f);

    f = start_bounded(&alice, &bob, full_bytes);
    publish_lasting(f, &alice, 100, 0);
    publish_kem(f, &alice, 1, 1, 1);
    snprintf(replacement, sizeof replacement, "\"signed_prekey\":{%s},\"kem_prekey\":{%s}",
             signed_members(&alice, 2, 32), signed_members(&alice, 101, KEM_KEY_BYTES));
    refuse(f, &alice, "relay_busy", replacement);
    refuse(f, &alice, "relay_busy", one_time_prekeys(1, 1));
    refuse(f, &alice, "relay_busy", kem_prekeys(&alice, 2, 1));
    refuse(f, &bob, "relay_busy", signed_prekey(1));
    cr_assert_eq(used_bytes(f), full_bytes);
    // A hand-out makes room for the next.
    fetch_kem(f, &bob, &alice, 1, true);
    publish_kem(f, &alice, 2, 1, 1);
    cr_assert_eq(used_bytes(f), full_bytes);
    fetch_kem(f, &bob, &alice, 2, true);
    fetch_kem(f, &bob, &alice, 100, false);
    fake_stop(f);
}

Test(prekey_memory, register_over_the_bound_is_refused)
{
    struct fake_client alice, bob, carol;
    struct fake *f = start_bounded(&alice, &bob, 2 * ML_DSA_KEY_CHARGE_BYTES - 1);

    cr_assert_eq(used_bytes(f), 0);
    fake_join_hybrid(f, &carol, "carol", 2);
    cr_assert_eq(used_bytes(f), ML_DSA_KEY_CHARGE_BYTES);
    fake_hybrid_init(&carol, "dave");
    fake_open(f, &carol, 3, 1);
    fake_text(f, carol.peer, "%s", fake_login_text(&carol, "register"));
    fake_expect_error(f, carol.peer, "relay_full", ",\"id\":1");
    fake_expect_close(f, carol.peer, 1013);
    cr_assert_eq(used_bytes(f), ML_DSA_KEY_CHARGE_BYTES);
    cr_assert_eq(fake_stat(f, STATS_login_relay_full), 1);
    cr_assert_eq(fake_stat(f, STATS_registered), 3);
    // The name is free still, for an identity that needs no such memory.
    fake_join(f, &carol, "dave", 4);
    fake_stop(f);
}

Test(prekey_memory, hand_outs_give_everything_back)
{
    struct fake_client alice, bob, carol;
    struct fake *f = start(&alice, &bob);

    fake_join_hybrid(f, &carol, "carol", 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct fake_client *owner = i ? &carol : &alice;
        uint64_t before_bytes;

        publish_lasting(f, owner, 100, 0);
        before_bytes = used_bytes(f);
        for (uint32_t round = 0; round < 3; round++) {
            fake_text(f, owner->peer, "{\"type\":\"publish_prekeys\",\"id\":2,%s,%s}",
                      one_time_prekeys(1, 3), kem_prekeys(owner, 1, 3));
            expect_stock(f, owner, 3, 3);
            fetch_either(f, &bob, owner);
            // Added to a stock that has begun to go.
            fake_text(f, owner->peer, "{\"type\":\"publish_prekeys\",\"id\":2,%s,%s}",
                      one_time_prekeys(4, 1), kem_prekeys(owner, 4, 1));
            expect_stock(f, owner, 3, 3);
            cr_assert_gt(used_bytes(f), before_bytes + 3 * (KEM_KEY_BYTES + 64 + 36));
            for (uint32_t left = 3; left > 0; left--)
                fetch_either(f, &bob, owner);
            cr_assert_eq(used_bytes(f), before_bytes);
        }
    }
    fake_stop(f);
}

Test(prekey_memory, replacements_give_the_old_one_back)
{
    struct fake_client alice, bob, carol;
    struct fake *f = start(&alice, &bob);
    uint64_t before_bytes;

    fake_join_hybrid(f, &carol, "carol", 2);
    publish_lasting(f, &alice, 100, 0);
    publish_lasting(f, &carol, 100, 0);
    before_bytes = used_bytes(f);
    for (uint32_t id = 101; id < 105; id++) {
        publish_lasting(f, &alice, id, 0);
        publish_lasting(f, &carol, id, 0);
        cr_assert_eq(used_bytes(f), before_bytes);
    }
    fetch_kem(f, &bob, &carol, 104, false);
    cr_assert_eq(used_bytes(f), before_bytes);
    fake_stop(f);
}

Test(prekey_memory, refused_publications_give_everything_back)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    static char text[3 * LIMIT_CONTROL_BYTES];
    uint64_t before_bytes = 0;

    // Without a record of the user, and with one.
    for (uint32_t round = 0; round < 2; round++) {
        snprintf(text, sizeof text, "%s,%s,\"kem_prekey\":{}", signed_prekey(1),
                 one_time_prekeys(1, 3));
        refuse(f, &alice, "bad_message", text);
        snprintf(text, sizeof text, "%s,\"one_time_kem_prekeys\":[{%s},{%s}]", signed_prekey(1),
                 signed_members(&alice, 9, KEM_KEY_BYTES),
                 signed_members(&alice, 9, KEM_KEY_BYTES));
        refuse(f, &alice, "bad_message", text);
        snprintf(text, sizeof text, "%s,%s", one_time_prekeys(200, 101),
                 kem_prekeys(&alice, 200, 1));
        refuse(f, &alice, "too_many_prekeys", text);
        snprintf(text, sizeof text, "%s,\"kem_prekey\":{%s},%s", signed_prekey(1),
                 signed_members(&alice, 300, KEM_KEY_BYTES), one_time_prekeys(200, 101));
        refuse(f, &alice, "too_many_prekeys", text);
        cr_assert_eq(used_bytes(f), before_bytes);
        if (round == 0)
            publish_everything(f, &alice);
        before_bytes = used_bytes(f);
    }
    // With a stock of three: an id in it, or one too many.
    refuse(f, &alice, "bad_message", one_time_prekeys(3, 2));
    refuse(f, &alice, "bad_message", kem_prekeys(&alice, 3, 2));
    refuse(f, &alice, "too_many_prekeys", one_time_prekeys(4, 98));
    refuse(f, &alice, "too_many_prekeys", kem_prekeys(&alice, 4, 18));
    cr_assert_eq(used_bytes(f), before_bytes);
    fake_stop(f);
}
