"""Durable envelopes: accepted means kept; delivered in order until acknowledged; then deleted."""
import os

from sealpost_client import (DURABLE, RECEIPT, Client, Identity, ciphertext_of, decode64,
                             encode_envelope, message_id_of)


async def offline_user(relay):
    identity = Identity()
    await (await Client.open(relay.url(), identity)).close()
    return identity


async def store(client, recipient, count, size=16, flags=DURABLE):
    """Send `count` durable envelopes and see each accepted."""
    sent = [encode_envelope(recipient.mailbox, os.urandom(size), flags=flags)
            for _ in range(count)]
    for envelope in sent:
        await client.send(envelope)
        assert decode64((await client.notice("accepted"))["message_id"]) == \
            message_id_of(envelope)
    return sent


async def test_offline_then_delivered_in_order(relay):
    alice, bob = await Client.open(relay.url(), Identity()), await offline_user(relay)
    sent = await store(alice, bob, 100)
    online = await Client.open(relay.url(), bob)
    assert online.registered["queued"] == 100
    received = []
    for _ in sent:  # the window is smaller than the queue: acknowledge as they come
        received.append(await online.envelope())
        await online.ack(received[-1])
    assert received == sent
    await online.close()
    online = await Client.open(relay.url(), bob)
    assert online.registered["queued"] == 0
    await online.close()
    await alice.close()
    stats = relay.stop()
    assert stats["store_accepted"] == stats["store_acknowledged"] == 100


async def test_redelivered_until_acknowledged(relay):
    alice, bob = await Client.open(relay.url(), Identity()), await offline_user(relay)
    sent = await store(alice, bob, 3)
    for acknowledged in range(3):
        online = await Client.open(relay.url(), bob)
        assert online.registered["queued"] == 3 - acknowledged
        assert [await online.envelope() for _ in sent[acknowledged:]] == sent[acknowledged:]
        await online.ack(sent[acknowledged])
        await online.ask({"type": "user_list"})  # answered after the ack was handled
        await online.close()
    online = await Client.open(relay.url(), bob)
    assert online.registered["queued"] == 0
    await online.close()
    await alice.close()


async def test_receipt_only_if_asked_for(relay):
    alice, bob = await Client.open(relay.url(), Identity()), await Client.open(relay.url(),
                                                                              Identity())
    plain = (await store(alice, bob.identity, 1))[0]
    asked = (await store(alice, bob.identity, 1, flags=DURABLE | RECEIPT))[0]
    await bob.ack(await bob.envelope(), await bob.envelope())
    receipt = await alice.notice("delivered")
    assert decode64(receipt["message_id"]) == message_id_of(asked) != message_id_of(plain)
    await alice.ask({"type": "user_list"})
    assert alice.notices.empty()
    await alice.close()
    await bob.close()


async def test_acks_lost_double_and_of_others(relay):
    """Failure case: ack for an unknown id, for another's envelope, twice; none does harm."""
    alice, bob = await Client.open(relay.url(), Identity()), await Client.open(relay.url(),
                                                                              Identity())
    eve = await Client.open(relay.url(), Identity())
    envelope = (await store(alice, bob.identity, 1, flags=DURABLE | RECEIPT))[0]
    await eve.ack(envelope)
    await eve.ask({"type": "user_list"})
    assert alice.notices.empty()
    await bob.ack(await bob.envelope(), envelope, encode_envelope(bytes(16), b"unknown"))
    await bob.ack(envelope)
    await alice.notice("delivered")
    await bob.ask({"type": "user_list"})
    await alice.ask({"type": "user_list"})
    assert alice.notices.empty()
    for client in (alice, bob, eve):
        await client.close()
    assert relay.stop()["store_acknowledged"] == 1


async def test_too_many_ids_in_an_ack(relay):
    client = await Client.open(relay.url(), Identity())
    ids = ["A" * 22] * 257
    answer = await client.ask({"type": "ack", "message_ids": ids})
    assert answer["code"] == "bad_message"
    await client.send({"type": "ack", "message_ids": ids[:256]})
    assert (await client.ask({"type": "user_list"}))["type"] == "user_list"
    await client.close()


async def test_duplicate_is_kept_once(relay):
    alice, bob = await Client.open(relay.url(), Identity()), await offline_user(relay)
    envelope = (await store(alice, bob, 1))[0]
    await alice.send(envelope)
    await alice.notice("accepted")
    online = await Client.open(relay.url(), bob)
    assert online.registered["queued"] == 1
    await online.close()
    await alice.close()
    stats = relay.stop()
    assert stats["store_accepted"] == 1 and stats["store_duplicates"] == 1


async def test_unknown_mailbox(relay):
    alice = await Client.open(relay.url(), Identity())
    envelope = encode_envelope(os.urandom(16), b"x", flags=DURABLE)
    await alice.send(envelope)
    refusal = await alice.notice("error")
    assert refusal["code"] == "unknown_mailbox"
    assert decode64(refusal["message_id"]) == message_id_of(envelope)
    await alice.close()
    assert relay.stop()["store_unknown_mailbox"] == 1


async def test_queue_of_a_mailbox_is_bounded(relay):
    alice, bob = await Client.open(relay.url(), Identity()), await offline_user(relay)
    await store(alice, bob, 1024, size=1)
    over = encode_envelope(bob.mailbox, b"x", flags=DURABLE)
    await alice.send(over)
    refusal = await alice.notice("error")
    assert (refusal["code"], decode64(refusal["message_id"])) == ("queue_full",
                                                                  message_id_of(over))
    # Room again as soon as one is gone.
    online = await Client.open(relay.url(), bob)
    await online.ack(await online.envelope())
    await online.ask({"type": "user_list"})
    await alice.send(over)
    await alice.notice("accepted")
    await online.close()
    await alice.close()
    assert relay.stop()["store_queue_full"] == 1


async def test_bytes_of_the_whole_store_are_bounded(start_relay):
    relay = start_relay("--workers", 1, "--store-mib", 1)
    alice = await Client.open(relay.url(), Identity())
    refused = 0
    for _ in range(2):
        bob = await offline_user(relay)
        for _ in range(10):
            await alice.send(encode_envelope(bob.mailbox, bytes(65536), flags=DURABLE))
            answer = await alice.notices.get()
            refused += answer.get("code") == "queue_full"
    assert 4 <= refused <= 10
    await alice.close()
    assert relay.stop()["store_queue_full"] == refused


async def test_time_to_live_ends(relay):
    alice, bob = await Client.open(relay.url(), Identity()), await offline_user(relay)
    short = encode_envelope(bob.mailbox, b"short", flags=DURABLE, ttl_s=1)
    long = encode_envelope(bob.mailbox, b"long", flags=DURABLE, ttl_s=2**32 - 1)
    for envelope in (short, long):
        await alice.send(envelope)
        await alice.notice("accepted")
    relay.await_stats(lambda s: s["store_expired"] == 1)
    online = await Client.open(relay.url(), bob)
    assert online.registered["queued"] == 1
    assert ciphertext_of(await online.envelope()) == b"long"
    await online.close()
    await alice.close()


async def test_displaced_connection_loses_no_envelope(relay):
    alice, bob = await Client.open(relay.url(), Identity()), await offline_user(relay)
    older = await Client.open(relay.url(), bob)
    sent = await store(alice, bob, 1)
    assert await older.envelope() == sent[0]  # and it leaves without an ack
    newer = await Client.open(relay.url(), bob)
    assert await older.closed() == 4409
    assert await newer.envelope() == sent[0]
    await newer.ack(sent[0])
    await newer.close()
    await alice.close()
