"""Control messages: prekeys, look-ups, signalling, the text way to send an envelope."""
import os

from sealpost_client import Client, Identity, decode64, encode64, encode_envelope


async def pair(relay):
    return await Client.open(relay.url(), Identity()), await Client.open(relay.url(), Identity())


async def finish(relay, *clients):
    for client in clients:
        await client.close()
    return relay.stop()


async def test_bundle_is_what_was_published(relay):
    alice, bob = await pair(relay)
    published = bob.identity.publish(2)
    answer = await bob.ask(published)
    assert (answer["type"], answer["one_time_prekeys"]) == ("published", 2)
    for expected in published["one_time_prekeys"] + [None]:
        bundle = await alice.ask({"type": "get_bundle", "name": bob.identity.name})
        assert {k: v for k, v in bundle.items() if k != "id"} == {
            "type": "bundle", "name": bob.identity.name, "mailbox": encode64(bob.identity.mailbox),
            "identity_keys": {"ed25519": encode64(bob.identity.public)},
            "signed_prekey": published["signed_prekey"], "one_time_prekey": expected}
    stats = await finish(relay, alice, bob)
    assert stats["bundles"] == 3 and stats["bundles_without_one_time_prekey"] == 1


async def test_new_signed_prekey_replaces_the_old(relay):
    alice, bob = await pair(relay)
    await bob.ask(bob.identity.publish(0))
    newer = bob.identity.make_signed_prekey()
    await bob.ask({"type": "publish_prekeys", "signed_prekey": newer})
    bundle = await alice.ask({"type": "get_bundle", "name": bob.identity.name})
    assert bundle["signed_prekey"] == newer
    await finish(relay, alice, bob)


async def test_stock_of_prekeys_is_bounded(relay):
    alice, bob = await pair(relay)
    await bob.ask(bob.identity.publish(60))
    more = bob.identity.make_one_time_prekeys(41, first=61)
    answer = await bob.ask({"type": "publish_prekeys", "one_time_prekeys": more})
    assert answer["code"] == "too_many_prekeys"
    answer = await bob.ask({"type": "publish_prekeys", "one_time_prekeys": more[:40]})
    assert answer["one_time_prekeys"] == 100
    stats = await finish(relay, alice, bob)
    assert stats["prekeys_too_many"] == 1 and stats["prekeys_published"] == 2


async def test_low_stock_is_told_once_and_again_after_refill(relay):
    alice, bob = await pair(relay)
    await bob.ask(bob.identity.publish(6))
    take = {"type": "get_bundle", "name": bob.identity.name}
    await alice.ask(take)  # 5 left
    assert bob.notices.empty()
    await alice.ask(take)
    assert (await bob.notice("prekeys_low"))["one_time_prekeys"] == 4
    await alice.ask(take)
    refill = bob.identity.make_one_time_prekeys(2, first=50)
    await bob.ask({"type": "publish_prekeys", "one_time_prekeys": refill})  # 5 again
    assert bob.notices.empty()
    await alice.ask(take)
    assert (await bob.notice("prekeys_low"))["one_time_prekeys"] == 4
    assert (await finish(relay, alice, bob))["prekeys_low_sent"] == 2


async def test_look_up_errors_only_answer(relay):
    alice, bob = await pair(relay)
    for kind in ("get_bundle", "get_pubkey"):
        answer = await alice.ask({"type": kind, "name": Identity().name})
        assert answer["code"] == "unknown_user"
    answer = await alice.ask({"type": "get_bundle", "name": bob.identity.name})
    assert answer["code"] == "no_prekeys"
    answer = await alice.ask({"type": "get_pubkey", "name": bob.identity.name})
    assert decode64(answer["identity_keys"]["ed25519"]) == bob.identity.public
    assert decode64(answer["mailbox"]) == bob.identity.mailbox
    stats = await finish(relay, alice, bob)
    assert stats["lookup_unknown_user"] == 2 and stats["bundle_no_prekeys"] == 1


async def test_bundles_are_rate_limited(start_relay):
    relay = start_relay("--workers", 1, "--bundle-rate", 1)
    alice, bob = await pair(relay)
    await bob.ask(bob.identity.publish(0))
    take = {"type": "get_bundle", "name": bob.identity.name}
    answers = [await alice.ask(take) for _ in range(10)]
    limited = [a for a in answers if a.get("code") == "rate_limited"]
    assert answers[0]["type"] == "bundle" and limited
    # Another connection has its own rate.
    await alice.ask({"type": "get_pubkey", "name": bob.identity.name})
    assert (await bob.ask(take))["type"] == "bundle"
    assert (await finish(relay, alice, bob))["bundle_rate_limited"] == len(limited)


async def test_user_list_by_cursor(relay):
    names = []
    for _ in range(260):
        client = await Client.open(relay.url(), Identity())
        names.append(client.identity.name)
        await client.close()
    client = await Client.open(relay.url(), Identity())
    names.append(client.identity.name)
    first = await client.ask({"type": "user_list"})
    assert first["users"] == names[:256] and first["next"] == 256
    rest = await client.ask({"type": "user_list", "cursor": first["next"]})
    assert rest["users"] == names[256:] and rest["next"] is None
    beyond = await client.ask({"type": "user_list", "cursor": 10**9})
    assert beyond["users"] == [] and beyond["next"] is None
    await finish(relay, client)


async def test_signals_are_forwarded_unread(relay):
    alice, bob = await pair(relay)
    body = {"nested": [1, 2.5, None, "ü\u0000\"\\"], "deep": {"x": {}}}
    for kind in ("chat_request", "chat_response", "chat_terminate"):
        answer = await alice.ask({"type": kind, "to": bob.identity.name, "body": body})
        assert answer["type"] == "forwarded"
        assert await bob.notice(kind) == {"type": kind, "from": alice.identity.name, "body": body}
    await alice.ask({"type": "chat_request", "to": bob.identity.name})
    assert await bob.notice("chat_request") == {"type": "chat_request",
                                                "from": alice.identity.name}
    name = bob.identity.name
    await bob.close()
    relay.await_stats(lambda s: s["connections_closed"] == 1)
    answer = await alice.ask({"type": "chat_request", "to": name})
    assert answer["code"] == "recipient_absent"
    stats = await finish(relay, alice)
    assert stats["signals_forwarded"] == 4 and stats["signals_recipient_absent"] == 1


async def test_signal_body_is_bounded(relay):
    alice, bob = await pair(relay)
    request = {"type": "chat_request", "to": bob.identity.name}
    assert (await alice.ask({**request, "body": "x" * 4094}))["type"] == "forwarded"
    assert (await alice.ask({**request, "body": "x" * 4095}))["code"] == "bad_message"
    await finish(relay, alice, bob)


async def test_envelope_as_text(relay):
    alice, bob = await pair(relay)
    for size in (1, 65536):
        envelope = encode_envelope(bob.identity.mailbox, os.urandom(size))
        await alice.send({"type": "relay", "id": 9, "envelope": encode64(envelope)})
        assert await bob.envelope() == envelope
    for spoilt, code in ((b"", "bad_envelope"), (b"\x02" + bytes(60), "bad_envelope")):
        answer = await alice.ask({"type": "relay", "envelope": encode64(spoilt)})
        assert answer["code"] == code
    answer = await alice.ask({"type": "relay", "envelope": "***"})
    assert answer["code"] == "bad_message"
    stats = await finish(relay, alice, bob)
    assert stats["control_bad_envelope"] == 2 and stats["envelopes_forwarded"] == 2


async def test_transient_envelope_to_nobody_is_refused(relay):
    alice, bob = await pair(relay)
    mailbox = bob.identity.mailbox
    await bob.close()
    relay.await_stats(lambda s: s["connections_closed"] == 1)
    for to in (mailbox, os.urandom(16)):
        envelope = encode_envelope(to, b"x", message_id=b"0123456789abcdef")
        await alice.send(envelope)
        refusal = await alice.notice("error")
        assert refusal["code"] == "recipient_absent"
        assert decode64(refusal["message_id"]) == b"0123456789abcdef"
    assert (await finish(relay, alice))["refused_recipient_absent"] == 2


async def test_envelopes_keep_their_order(relay):
    alice, bob = await pair(relay)
    sent = [encode_envelope(bob.identity.mailbox, os.urandom(1 + i * 37 % 3000))
            for i in range(500)]
    for envelope in sent:
        await alice.send(envelope)
    assert [await bob.envelope() for _ in sent] == sent
    await finish(relay, alice, bob)
