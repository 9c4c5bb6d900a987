"""Two foreign clients talk end to end: X3DH through the relay, then session messages."""
import os

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag

from raw_ws import trusting
from sealpost_client import (DURABLE, KIND_INITIAL, Client, Identity, ciphertext_of, decode64,
                             encode64, encode_envelope, initiate, respond)


async def talk(alice, bob, one_time):
    """A whole conversation, every size a session message can have at its ends."""
    await bob.ask(bob.identity.publish(1 if one_time else 0))
    bundle = await alice.ask({"type": "get_bundle", "name": bob.identity.name})
    assert bundle["type"] == "bundle" and (bundle["one_time_prekey"] is not None) == one_time
    first, session = initiate(alice.identity, bundle, b"hello bob")
    await alice.send(encode_envelope(session.peer_mailbox, first, kind=KIND_INITIAL))
    peer_key, plaintext, answer = respond(bob.identity, ciphertext_of(await bob.envelope()))
    assert peer_key == alice.identity.public and plaintext == b"hello bob"
    assert not bob.identity.one_time_prekeys
    for size in (0, 1, 255, 4096, 65536 - 32):
        said = os.urandom(size)
        await bob.send(encode_envelope(answer.peer_mailbox, answer.seal(said)))
        assert session.open(ciphertext_of(await alice.envelope())) == said
        await alice.send(encode_envelope(session.peer_mailbox, session.seal(said)))
        assert answer.open(ciphertext_of(await bob.envelope())) == said


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("one_time", [True, False], ids=["one_time", "signed_only"])
async def test_conversation(start_relay, scheme, one_time):
    relay = start_relay("--workers", 1, listen=(scheme,))
    tls = trusting(relay) if scheme == "wss" else None
    url = relay.url(scheme)
    if tls:  # verified by name too
        url = url.replace("127.0.0.1", "localhost")
    alice = await Client.open(url, Identity(), tls)
    bob = await Client.open(url, Identity(), tls)
    await talk(alice, bob, one_time)
    await alice.close()
    await bob.close()
    stats = relay.stop()
    assert stats["envelopes_in"] == stats["envelopes_forwarded"] == 11
    assert stats["tls_handshakes"] == (2 if tls else 0)


async def test_conversation_between_ws_and_wss(start_relay):
    relay = start_relay("--workers", 1, listen=("ws", "wss"))
    alice = await Client.open(relay.url("ws"), Identity())
    bob = await Client.open(relay.url("wss"), Identity(), trusting(relay))
    await talk(alice, bob, True)
    await alice.close()
    await bob.close()


async def test_first_message_reaches_who_was_offline(relay):
    alice, bob = await Client.open(relay.url(), Identity()), Identity()
    online = await Client.open(relay.url(), bob)
    await online.ask(bob.publish(1))
    await online.close()
    bundle = await alice.ask({"type": "get_bundle", "name": bob.name})
    first, session = initiate(alice.identity, bundle, b"while you were out")
    await alice.send(encode_envelope(session.peer_mailbox, first, kind=KIND_INITIAL,
                                     flags=DURABLE))
    await alice.notice("accepted")
    online = await Client.open(relay.url(), bob)
    envelope = await online.envelope()
    assert respond(bob, ciphertext_of(envelope))[1] == b"while you were out"
    await online.ack(envelope)
    await online.close()
    await alice.close()


async def test_tampered_bundle_and_message_do_not_open(relay):
    alice, bob = await Client.open(relay.url(), Identity()), Identity()
    online = await Client.open(relay.url(), bob)
    await online.ask(bob.publish(2))
    bundle = await alice.ask({"type": "get_bundle", "name": bob.name})
    forged = {**bundle, "signed_prekey": {**bundle["signed_prekey"], "key": encode64(bytes(31) +
                                                                                   b"\x09")}}
    with pytest.raises(InvalidSignature):
        initiate(alice.identity, forged, b"x")
    with pytest.raises(InvalidSignature):
        initiate(alice.identity, {**bundle, "mailbox": encode64(bytes(16))}, b"x")
    first, _ = initiate(alice.identity, bundle, b"x")
    for at in (20, 50, len(first) - 1):
        spoilt = bytearray(first)
        spoilt[at] ^= 1
        bob.one_time_prekeys[bundle["one_time_prekey"]["id"]] = bob.x25519
        with pytest.raises(InvalidTag):
            respond(bob, bytes(spoilt))
    assert decode64(bundle["mailbox"]) == bob.mailbox
    await online.close()
    await alice.close()


async def test_replayed_message_does_not_open(relay):
    alice = await Client.open(relay.url(), Identity())
    bob = await Client.open(relay.url(), Identity())
    await bob.ask(bob.identity.publish(1))
    bundle = await alice.ask({"type": "get_bundle", "name": bob.identity.name})
    first, session = initiate(alice.identity, bundle, b"1")
    answer = respond(bob.identity, first)[2]
    envelope = encode_envelope(session.peer_mailbox, session.seal(b"2"))
    await alice.send(envelope)
    await alice.send(envelope)  # the relay does not judge
    assert answer.open(ciphertext_of(await bob.envelope())) == b"2"
    with pytest.raises(InvalidTag):
        answer.open(ciphertext_of(await bob.envelope()))
    await alice.close()
    await bob.close()
