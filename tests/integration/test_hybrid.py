"""Hybrid identities and KEM prekeys: what is pinned, what is handed out, what a flood costs."""
import asyncio
import json
import threading

import pytest

from raw_ws import BINARY, TEXT, RawSocket, encode_frame, trusting
from relay_process import OUTBOX_MIN_BYTES
from sealpost_client import DURABLE, Client, Identity, encode64, encode_envelope
from test_login import refuse

PQXDH = {"type": "get_bundle", "suite": "pqxdh"}


@pytest.fixture(params=[False, True], ids=["ed25519", "hybrid"])
def identity(request):
    return Identity(hybrid=request.param)


def like(owner, ml_dsa_65):
    """An identity of the same name and Ed25519 key, with this ML-DSA-65 key or None."""
    other = Identity(owner.name)
    other.ed25519, other.public, other.ml_dsa_65 = owner.ed25519, owner.public, ml_dsa_65
    return other


class Forger:
    """Signs everything with one signature, of something else."""

    def __init__(self, pair):
        self.public = pair.public
        self._signature = pair.sign(b"something else")

    def sign(self, _):
        return self._signature


async def test_register_and_login(relay):
    owner = Identity(hybrid=True)
    await (await Client.open(relay.url(), owner)).close()
    await (await Client.open(relay.url(), owner)).close()
    client = await Client.connect(relay.url())
    answer = await client.ask(owner.login(client.challenge))
    assert answer == {"type": "logged_in", "id": 1, "name": owner.name,
                      "mailbox": encode64(owner.mailbox), "one_time_prekeys": 0,
                      "one_time_kem_prekeys": 0, "queued": 0}
    await client.close()
    stats = relay.stop()
    assert stats["registered"] == 1 and stats["logged_in"] == 3


async def test_hybrid_is_not_talked_down(relay):
    owner = Identity(hybrid=True)
    online = await Client.open(relay.url(), owner)
    # Whoever has broken Ed25519 and nothing else.
    thief = like(owner, None)
    client = await Client.connect(relay.url())
    await refuse(client, thief.login(client.challenge), "bad_signature")
    client = await Client.connect(relay.url())
    await refuse(client, thief.register(client.challenge), "identity_mismatch")
    thief = like(owner, Identity(hybrid=True).ml_dsa_65)
    client = await Client.connect(relay.url())
    await refuse(client, thief.login(client.challenge), "bad_signature")
    client = await Client.connect(relay.url())
    await refuse(client, thief.register(client.challenge), "identity_mismatch")
    for verb in (owner.login, owner.register):
        client = await Client.connect(relay.url())
        claim = verb(client.challenge)
        del claim["signatures"]["ml_dsa_65"]
        await refuse(client, claim, "bad_signature")
    assert (await online.ask({"type": "user_list"}))["users"] == [owner.name]
    await online.close()
    assert relay.stop()["registered"] == 1


async def test_ed25519_identity_takes_no_second_key(relay):
    owner = Identity()
    online = await Client.open(relay.url(), owner)
    more = like(owner, Identity(hybrid=True).ml_dsa_65)
    client = await Client.connect(relay.url())
    await refuse(client, more.register(client.challenge), "identity_mismatch")
    client = await Client.connect(relay.url())
    claim = owner.login(client.challenge)
    claim["signatures"]["ml_dsa_65"] = more.login(client.challenge)["signatures"]["ml_dsa_65"]
    await refuse(client, claim, "bad_signature")
    await online.close()


async def test_one_ed25519_key_has_one_name(relay):
    owner = Identity(hybrid=True)
    await (await Client.open(relay.url(), owner)).close()
    for second in (owner.ml_dsa_65, None):
        other = like(owner, second)
        other.name = Identity().name
        client = await Client.connect(relay.url())
        await refuse(client, other.register(client.challenge), "identity_mismatch")


@pytest.mark.parametrize("member", ["identity_keys", "signatures"])
async def test_half_a_hybrid_registers_nothing(relay, member):
    owner = Identity(hybrid=True)
    client = await Client.connect(relay.url())
    claim = owner.register(client.challenge)
    del claim[member]["ml_dsa_65"]
    await refuse(client, claim, "bad_signature")
    assert relay.stop()["registered"] == 0


async def test_bundles_of_both_suites(relay, identity):
    owner = await Client.open(relay.url(), identity)
    alice = await Client.open(relay.url(), Identity())
    lasting, one_time = identity.make_kem_prekey(9), [identity.make_kem_prekey(n) for n in (1, 2)]
    published = identity.publish(1)
    answer = await owner.ask({**published, "kem_prekey": lasting, "one_time_kem_prekeys": one_time})
    assert (answer["one_time_prekeys"], answer["one_time_kem_prekeys"]) == (1, 2)
    user = {"name": identity.name, "mailbox": encode64(identity.mailbox),
            "identity_keys": identity.identity_keys}
    plain = {"type": "bundle", **user, "signed_prekey": published["signed_prekey"],
             "one_time_prekey": published["one_time_prekeys"][0]}
    bundle = await alice.ask({"type": "get_bundle", "name": identity.name})
    assert {k: v for k, v in bundle.items() if k != "id"} == plain
    for key, is_one_time in ((one_time[0], True), (one_time[1], True), (lasting, False),
                             (lasting, False)):
        bundle = await alice.ask({**PQXDH, "name": identity.name})
        assert {k: v for k, v in bundle.items() if k != "id"} == {
            **plain, "one_time_prekey": None, "kem_prekey": {**key, "one_time": is_one_time}}
    answer = await alice.ask({"type": "get_pubkey", "name": identity.name})
    assert {k: v for k, v in answer.items() if k != "id"} == {"type": "pubkey", **user}
    await alice.close()
    await owner.close()
    stats = relay.stop()
    assert (stats["bundles"], stats["bundles_pqxdh"],
            stats["bundles_without_one_time_kem_prekey"]) == (5, 4, 2)


async def test_no_kem_prekeys_no_bundle(relay):
    owner = await Client.open(relay.url(), Identity())
    alice = await Client.open(relay.url(), Identity())
    await owner.ask(owner.identity.publish(1))
    answer = await alice.ask({**PQXDH, "name": owner.identity.name})
    assert answer["code"] == "no_prekeys"
    answer = await alice.ask({**PQXDH, "name": owner.identity.name, "suite": "rsa"})
    assert answer["code"] == "bad_message"
    # The one-time prekey is still there.
    answer = await alice.ask({"type": "get_bundle", "name": owner.identity.name, "suite": "x3dh"})
    assert answer["one_time_prekey"]["id"] == 1
    await alice.close()
    await owner.close()


async def test_stock_of_kem_prekeys_is_bounded(relay, identity):
    owner = await Client.open(relay.url(), identity)
    keys = [identity.make_kem_prekey(n) for n in range(1, 22)]

    def publish(some):
        return owner.ask({"type": "publish_prekeys", "one_time_kem_prekeys": some})

    assert (await publish(keys[:10]))["one_time_kem_prekeys"] == 10
    assert (await publish(keys[10:20]))["one_time_kem_prekeys"] == 20
    assert (await publish(keys[20:]))["code"] == "too_many_prekeys"
    assert (await publish(keys[:1]))["code"] == "bad_message"
    await owner.close()
    client = await Client.connect(relay.url())
    answer = await client.ask(identity.login(client.challenge))
    assert answer["one_time_kem_prekeys"] == 20
    await client.close()


async def test_memory_for_keys_is_bounded(start_relay):
    """1 MiB: full after some 40 users with 27 KB each, for hybrid registrations too, until a
    hand-out makes room."""
    relay = start_relay("--workers", 1, "--prekey-mib", 1, "--bundle-rate", 0)
    owner = Identity()
    client = await Client.open(relay.url(), owner)
    keys = [{**owner.make_kem_prekey(1), "id": n} for n in range(1, 21)]
    assert (await client.ask(owner.publish(0)))["type"] == "published"
    clients, answer = [client], {}
    while answer.get("code") != "relay_busy":
        assert len(clients) < 50
        clients.append(await Client.open(relay.url(), Identity()))
        answer = await clients[-1].ask({"type": "publish_prekeys", "one_time_kem_prekeys": keys})
    # What is left takes single ones, which are smaller than an ML-DSA-65 key.
    for key in keys:
        answer = await client.ask({"type": "publish_prekeys", "one_time_kem_prekeys": [key]})
        if answer.get("code") == "relay_busy":
            break
    assert answer["code"] == "relay_busy"
    hybrid = Identity(hybrid=True)
    refused = await Client.connect(relay.url())
    answer = await refused.ask(hybrid.register(refused.challenge))
    assert answer["code"] == "relay_full" and await refused.closed() == 1013
    # Three KEM prekeys of the one hold more than the ML-DSA-65 key of the other.
    for _ in range(3):
        assert (await client.ask({**PQXDH, "name": owner.name}))["kem_prekey"]["one_time"]
    clients.append(await Client.open(relay.url(), hybrid))
    for one in clients:
        await one.close()
    stats = relay.stop()
    assert stats["login_relay_full"] == 1 and stats["prekey_memory_full"] == 3
    assert 2**20 - 10000 < stats["prekey_memory_bytes"] <= 2**20


def test_least_outbox_holds_what_a_login_brings(start_relay):
    """A reader with a small window is not closed for what the relay sends it of its own accord,
    and one answer, the largest, beside it."""
    relay = start_relay("--workers", 1, "--outbox-bytes", OUTBOX_MIN_BYTES)
    owner, reader = Identity(hybrid=True), Identity()
    publisher = RawSocket(relay.address()).join(owner)
    publisher.ask({**owner.publish(1), "kem_prekey": owner.make_kem_prekey(1)})
    RawSocket(relay.address()).join(reader).close()
    relay.await_stats(lambda s: s["connections_closed"] == 1)  # or it is delivered to already
    window = [encode_envelope(reader.mailbox, bytes(65488), flags=DURABLE) for _ in range(2)]
    for envelope in window:
        publisher.send_frame(BINARY, envelope)
        publisher.receive_json("accepted")
    client = RawSocket(relay.address(), receive_buffer=4096).join(reader)
    client.send_json({**PQXDH, "name": owner.name})
    relay.await_stats(lambda s: s["store_delivered"] == 2 and s["bundles_pqxdh"] == 1)
    assert [client.receive_envelope() for _ in window] == window
    assert client.receive_json("bundle")["name"] == owner.name
    client.close()
    publisher.close()
    assert relay.stop()["closed_outbox_full"] == 0


async def test_publication_over_the_limit_of_a_message_is_cut_off(relay):
    owner = Identity(hybrid=True)
    client = await Client.open(relay.url(), owner)
    key = owner.make_kem_prekey(1)
    await client.send({"type": "publish_prekeys",
                       "one_time_kem_prekeys": [{**key, "id": n} for n in range(1, 21)]})
    assert await client.closed() == 1009


async def test_signatures_must_be_as_many_as_keys(relay, identity):
    client = await Client.open(relay.url(), identity)
    other = Identity(hybrid=identity.ml_dsa_65 is None)
    for member, value in (("signed_prekey", other.make_signed_prekey()),
                          ("kem_prekey", other.make_kem_prekey(1)),
                          ("one_time_kem_prekeys", [identity.make_kem_prekey(1),
                                                    other.make_kem_prekey(2)])):
        answer = await client.ask({"type": "publish_prekeys", member: value})
        assert answer["code"] == "bad_message", member
    answer = await client.ask({"type": "publish_prekeys"})
    assert answer["one_time_kem_prekeys"] == 0
    await client.close()


async def test_low_stock_of_kem_prekeys_is_told(relay):
    owner = await Client.open(relay.url(), Identity())
    alice = await Client.open(relay.url(), Identity())
    await owner.ask({**owner.identity.publish(0), "one_time_kem_prekeys": [
        owner.identity.make_kem_prekey(n) for n in range(1, 6)]})
    await alice.ask({**PQXDH, "name": owner.identity.name})
    assert await owner.notice("prekeys_low") == {"type": "prekeys_low", "one_time_prekeys": 0,
                                                 "one_time_kem_prekeys": 4}
    await alice.ask({**PQXDH, "name": owner.identity.name})
    assert owner.notices.empty()
    await alice.close()
    await owner.close()


def test_kem_prekeys_exactly_once(start_relay):
    """16 connections on two workers race for 20; the rest get the last-resort one."""
    relay = start_relay("--workers", 2, "--bundle-rate", 0, listen=("ws", "wss"))
    owner = Identity(hybrid=True)
    publisher = RawSocket(relay.address()).join(owner)
    lasting = owner.make_kem_prekey(100)
    keys = [owner.make_kem_prekey(n) for n in range(1, 21)]
    publisher.ask({**owner.publish(0), "kem_prekey": lasting, "one_time_kem_prekeys": keys[:10]})
    publisher.ask({"type": "publish_prekeys", "one_time_kem_prekeys": keys[10:]})
    takers = [RawSocket(relay.address("wss" if n % 2 else "ws"), tls=trusting(relay) if n % 2
                        else None).join(Identity()) for n in range(16)]
    request = encode_frame(TEXT, json.dumps({**PQXDH, "name": owner.name}).encode())
    taken = []

    def take(client):
        client.send(request * 3)
        for _ in range(3):
            taken.append(client.receive_json("bundle")["kem_prekey"])

    threads = [threading.Thread(target=take, args=(client,)) for client in takers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one_time = sorted((key for key in taken if key["one_time"]), key=lambda key: key["id"])
    assert one_time == [{**key, "one_time": True} for key in keys]
    rest = [key for key in taken if not key["one_time"]]
    assert rest == 28 * [{**lasting, "one_time": False}]
    for client in [publisher, *takers]:
        client.close()


async def test_flood_of_bad_logins_is_cut_short(relay):
    """Each connection gets one signature verified, whatever it sends, and others are served."""
    owner = Identity(hybrid=True)
    online = await Client.open(relay.url(), owner)
    # The Ed25519 signature is right each time, so that the other one is looked at.
    thief = like(owner, Forger(owner.ml_dsa_65))

    async def flood():
        client = await Client.connect(relay.url())
        forged = json.dumps(thief.login(client.challenge))
        try:
            for _ in range(16):
                await client.send(forged)
        except Exception:  # cut off while it was sending
            pass
        assert await client.closed() == 4401

    async def watch():
        for _ in range(50):
            assert (await online.ask({"type": "user_list"}))["users"] == [owner.name]

    await asyncio.gather(watch(), *(flood() for _ in range(100)))
    await online.close()
    assert relay.stop()["login_bad_signature"] == 100
