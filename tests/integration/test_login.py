"""Who may speak: registration, login, impostors, displacement."""
import pytest

from sealpost_client import Client, Identity, encode64, encode_envelope


async def refuse(client, request, code):
    """`request` is refused with `code` and the connection closed with 4401."""
    answer = await client.ask(request)
    assert (answer["type"], answer["code"]) == ("error", code)
    assert await client.closed() == 4401


async def test_hello_states_the_limits(relay):
    client = await Client.connect(relay.url())
    assert client.hello["protocol"] == 1
    assert len(client.challenge) == 32
    assert client.hello["limits"] == {
        "envelope_bytes": 65536, "control_bytes": 98304, "outbox_bytes": 262144,
        "one_time_prekeys": 100, "one_time_kem_prekeys": 20, "login_timeout_ms": 30000}
    await client.close()


async def test_challenges_differ(relay):
    clients = [await Client.connect(relay.url()) for _ in range(20)]
    assert len({client.challenge for client in clients}) == 20
    for client in clients:
        await client.close()


async def test_register_then_login(relay):
    identity = Identity()
    first = await Client.open(relay.url(), identity)
    assert first.registered["one_time_prekeys"] == 0 and first.registered["queued"] == 0
    await first.ask(identity.publish(7))
    await first.close()
    second = await Client.connect(relay.url())
    answer = await second.ask(identity.login(second.challenge))
    assert answer == {"type": "logged_in", "id": 1, "name": identity.name,
                      "mailbox": encode64(identity.mailbox), "one_time_prekeys": 7,
                      "one_time_kem_prekeys": 0, "queued": 0}
    await second.close()
    stats = relay.stop()
    assert stats["registered"] == 1 and stats["logged_in"] == 2


async def test_register_again_is_a_login(relay):
    identity = Identity()
    await (await Client.open(relay.url(), identity)).close()
    await (await Client.open(relay.url(), identity)).close()
    assert relay.stop()["registered"] == 1


async def test_impostor_with_another_key_is_refused(relay):
    owner = Identity()
    await (await Client.open(relay.url(), owner)).close()
    client = await Client.connect(relay.url())
    await refuse(client, Identity(owner.name).register(client.challenge), "identity_mismatch")
    # Still pinned to the first key.
    await (await Client.open(relay.url(), owner)).close()
    assert relay.stop()["login_identity_mismatch"] == 1


async def test_impostor_at_login_is_refused(relay):
    owner = Identity()
    online = await Client.open(relay.url(), owner)
    client = await Client.connect(relay.url())
    await refuse(client, Identity(owner.name).login(client.challenge), "bad_signature")
    # The owner was not disturbed.
    assert (await online.ask({"type": "user_list"}))["users"] == [owner.name]
    await online.close()
    assert relay.stop()["login_bad_signature"] == 1


async def test_impostor_with_the_right_key_and_a_wrong_signature_is_refused(relay):
    owner = Identity()
    await (await Client.open(relay.url(), owner)).close()
    client = await Client.connect(relay.url())
    request = Identity(owner.name).register(client.challenge)
    request["identity_keys"]["ed25519"] = encode64(owner.public)
    await refuse(client, request, "bad_signature")


async def test_challenge_of_another_connection_is_refused(relay):
    owner = Identity()
    first, second = await Client.connect(relay.url()), await Client.connect(relay.url())
    await refuse(second, owner.register(first.challenge), "bad_signature")
    await first.close()


async def test_signature_of_the_other_verb_is_refused(relay):
    owner = Identity()
    await (await Client.open(relay.url(), owner)).close()
    client = await Client.connect(relay.url())
    request = owner.login(client.challenge)
    request["signatures"] = owner.register(client.challenge)["signatures"]
    await refuse(client, request, "bad_signature")


async def test_one_key_has_one_name(relay):
    owner = Identity()
    await (await Client.open(relay.url(), owner)).close()
    owner.name = Identity().name
    client = await Client.connect(relay.url())
    await refuse(client, owner.register(client.challenge), "identity_mismatch")


async def test_login_of_nobody_is_refused(relay):
    client = await Client.connect(relay.url())
    await refuse(client, Identity().login(client.challenge), "unknown_user")
    assert relay.stop()["login_unknown_user"] == 1


async def test_second_login_on_a_connection_is_refused(relay):
    identity = Identity()
    client = await Client.open(relay.url(), identity)
    await refuse(client, identity.login(client.challenge), "already_logged_in")
    assert relay.stop()["control_already_logged_in"] == 1


@pytest.mark.parametrize("request_type", [
    "publish_prekeys", "get_bundle", "get_pubkey", "user_list", "chat_request", "chat_response",
    "chat_terminate", "relay", "ack", "no_such_type"])
async def test_request_before_login_is_refused(relay, request_type):
    client = await Client.connect(relay.url())
    await refuse(client, {"type": request_type}, "not_logged_in")
    assert relay.stop()["control_not_logged_in"] == 1


async def test_envelope_before_login_is_refused(relay):
    client = await Client.connect(relay.url())
    await client.send(encode_envelope(bytes(16), b"x"))
    assert (await client.notice("error"))["code"] == "not_logged_in"
    assert await client.closed() == 4401
    assert relay.stop()["envelope_before_login"] == 1


async def test_flood_of_texts_before_login_is_cut(relay):
    client = await Client.connect(relay.url())
    for _ in range(17):
        await client.send("not JSON")
    assert await client.closed() == 4401
    assert relay.stop()["control_not_logged_in"] == 1


async def test_newer_login_displaces_the_older(relay):
    identity, sender = Identity(), Identity()
    older = await Client.open(relay.url(), identity)
    newer = await Client.open(relay.url(), identity)
    assert await older.closed() == 4409
    other = await Client.open(relay.url(), sender)
    await other.send(encode_envelope(identity.mailbox, b"to the newer one"))
    assert (await newer.envelope()).endswith(b"to the newer one")
    await newer.close()
    await other.close()
    assert relay.stop()["closed_displaced"] == 1


async def test_names_out_of_their_bounds_are_refused(relay):
    for name in ("", "a" * 33, "Alice", "a b", "ä", "a/b"):
        client = await Client.connect(relay.url())
        identity = Identity()
        identity.name = name
        answer = await client.ask(identity.register(client.challenge))
        assert answer["code"] == "bad_message", name
        await client.close()
    for name in ("zq-0.x_y-9", "zq" * 16):
        await (await Client.open(relay.url(), Identity(name))).close()


async def test_users_over_the_bound_are_refused(start_relay):
    relay = start_relay("--workers", 1, "--max-users", 2)
    for _ in range(2):
        await (await Client.open(relay.url(), Identity())).close()
    client = await Client.connect(relay.url())
    answer = await client.ask(Identity().register(client.challenge))
    assert answer["code"] == "relay_full"
    assert await client.closed() == 1013
    assert relay.stop()["login_relay_full"] == 1
