"""Several workers: what crosses threads. Runs under the thread sanitizer too."""
import asyncio
import json
import os
import random
import struct
import threading
import time

import pytest

from raw_ws import BINARY, CLOSE, PING, PONG, TEXT, RawSocket, encode_frame, trusting
from relay_process import OUTBOX_MIN_BYTES
from sealpost_client import (DURABLE, Client, Identity, decode64, encode64, encode_envelope,
                             message_id_of)


@pytest.fixture
def two_workers(start_relay):
    return start_relay("--workers", 2, "--bundle-rate", 0)


def join(relay, identity=None, **how):
    identity = identity or Identity()
    client = RawSocket(relay.address(), **how).join(identity)
    client.identity = identity
    return client


def run_all(targets, within_s=100):
    """Run each in a thread of its own; the first failure is raised here."""
    problems = []

    def guarded(target):
        try:
            target()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=guarded, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(within_s)
        assert not thread.is_alive()
    if problems:
        raise problems[0]


def test_one_time_prekeys_exactly_once(two_workers):
    """Failure case 12, scaled: 16 connections race for 100 prekeys; the rest get null."""
    owner = join(two_workers)
    owner.ask(owner.identity.publish(100))
    takers = [join(two_workers) for _ in range(16)]
    requests = b"".join(
        encode_frame(TEXT, json.dumps({"type": "get_bundle", "id": i,
                                       "name": owner.identity.name}).encode())
        for i in range(10))
    taken = []

    def take(client):
        client.send(requests)
        for i in range(10):
            answer = client.receive_json("bundle")
            assert answer["id"] == i
            taken.append(answer["one_time_prekey"])

    run_all([lambda client=client: take(client) for client in takers])
    keys = [key["key"] for key in taken if key]
    assert len(taken) == 160 and len(keys) == len(set(keys)) == 100
    assert {key["id"] for key in taken if key} == set(range(1, 101))
    for client in [owner, *takers]:
        client.close()
    stats = two_workers.stop()
    assert (stats["bundles"], stats["bundles_without_one_time_prekey"]) == (160, 60)


def test_last_prekey_raced_for_again_and_again(two_workers):
    owner = join(two_workers)
    owner.ask({"type": "publish_prekeys", "signed_prekey": owner.identity.make_signed_prekey()})
    takers = [join(two_workers) for _ in range(8)]
    for number in range(1, 61):
        one = owner.identity.make_one_time_prekeys(1, first=number)
        owner.ask({"type": "publish_prekeys", "one_time_prekeys": one})
        for client in takers:
            client.send_json({"type": "get_bundle", "name": owner.identity.name})
        answers = [client.receive_json("bundle")["one_time_prekey"] for client in takers]
        assert [answer for answer in answers if answer] == one
    for client in [owner, *takers]:
        client.close()


def test_order_is_kept_between_many_pairs(two_workers):
    count, messages = 40, 250
    senders = [join(two_workers) for _ in range(count)]
    receivers = [join(two_workers) for _ in range(count)]

    def send(sender, receiver):
        for first in range(0, messages, 50):
            sender.send(b"".join(
                encode_frame(BINARY, encode_envelope(receiver.identity.mailbox,
                                                     struct.pack(">I", n) + bytes(n % 300)))
                for n in range(first, first + 50)))

    def receive(receiver):
        for n in range(messages):
            payload = receiver.receive_envelope()[48:]
            assert payload == struct.pack(">I", n) + bytes(n % 300)

    run_all([lambda s=s, r=r: send(s, r) for s, r in zip(senders, receivers)] +
            [lambda r=r: receive(r) for r in receivers])
    for client in senders + receivers:
        client.close()
    stats = two_workers.stop()
    assert stats["envelopes_in"] == stats["envelopes_forwarded"] == count * messages
    assert 0 < stats["envelopes_to_other_worker"] < count * messages


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_parked_workers_are_woken(start_relay, scheme):
    """Failure case 14: single envelopes with idle gaps; none lost, none late."""
    relay = start_relay("--workers", 2, listen=("ws", "wss"))
    tls = trusting(relay) if scheme == "wss" else None
    clients = []
    for _ in range(16):
        identity = Identity()
        clients.append(RawSocket(relay.address(scheme), tls=tls).join(identity))
        clients[-1].identity = identity
    chance = random.Random(14)
    slowest = 0
    for _ in range(2000):
        sender, receiver = chance.sample(clients, 2)
        envelope = encode_envelope(receiver.identity.mailbox, os.urandom(chance.randrange(1, 400)))
        began = time.monotonic()
        sender.send_frame(BINARY, envelope)
        assert receiver.receive_envelope() == envelope
        slowest = max(slowest, time.monotonic() - began)
        # The gap is what is tested: long enough for both workers to park, or just not.
        time.sleep(chance.choice((0, 0, 0.0002, 0.001, 0.003)))
    assert slowest < 1
    for client in clients:
        client.close()
    assert relay.stop()["envelopes_to_other_worker"] > 200


def test_parked_control_thread_is_woken(two_workers):
    sender, receiver = join(two_workers), join(two_workers)
    chance = random.Random(15)
    slowest = 0
    for _ in range(600):
        envelope = encode_envelope(receiver.identity.mailbox, b"kept", flags=DURABLE)
        began = time.monotonic()
        sender.send_frame(BINARY, envelope)
        assert decode64(sender.receive_json("accepted")["message_id"]) == message_id_of(envelope)
        assert receiver.receive_envelope() == envelope
        receiver.send_json({"type": "ack", "message_ids": [encode64(message_id_of(envelope))]})
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(chance.choice((0, 0.0002, 0.001, 0.003)))
    assert slowest < 1
    sender.close()
    receiver.close()
    assert two_workers.stop()["store_acknowledged"] == 600


def test_refusals_come_back_across_workers(start_relay):
    # The reader is to stay however slowly the senders get their turn.
    relay = start_relay("--workers", 2, "--outbox-bytes", OUTBOX_MIN_BYTES, "--write-timeout",
                        300000)
    senders = [join(relay) for _ in range(12)]
    reader = join(relay, receive_buffer=4096)
    busy = 0
    while busy < len(senders):
        busy = 0
        for sender in senders:
            envelopes = [encode_envelope(reader.identity.mailbox, bytes(16000)) for _ in range(2)]
            for envelope in envelopes:
                sender.send_frame(BINARY, envelope)
            # Refusals from the other worker come when they come: only the last round has all.
            sender.send_json({"type": "user_list"})
            message = sender.receive_json()
            while message["type"] != "user_list":
                assert message["code"] == "recipient_busy"
                busy += 1
                message = sender.receive_json()
    reader.close()
    # Until then a small envelope may find room where a large one did not, and is not answered.
    relay.await_stats(lambda s: s["connections_closed"] == 1)
    for sender in senders:
        envelope = encode_envelope(reader.identity.mailbox, b"x")
        sender.send_frame(BINARY, envelope)
        answer = sender.receive_json("error")
        while decode64(answer["message_id"]) != message_id_of(envelope):
            answer = sender.receive_json("error")  # from before
        assert answer["code"] == "recipient_absent"
        sender.close()


def test_recipients_come_and_go_under_traffic(two_workers):
    """Every envelope is delivered to the one connection that had the mailbox, or refused."""
    hub_identity = Identity()
    senders = [join(two_workers) for _ in range(8)]
    stop = threading.Event()
    sent = [0] * len(senders)
    refused = [0] * len(senders)
    received = [0]

    def send(i):
        sender = senders[i]
        while not stop.is_set():
            sender.send_frame(BINARY, encode_envelope(hub_identity.mailbox, bytes(100)))
            sender.send_frame(PING, b"fence")
            sent[i] += 1
            while (frame := sender.receive_frame()).opcode != PONG:
                assert frame.opcode == TEXT
                refused[i] += 1

    def come_and_go():
        try:
            for _ in range(60):
                with RawSocket(two_workers.address()).join(hub_identity) as hub:
                    for _ in range(20):
                        assert hub.receive_frame().opcode == BINARY
                        received[0] += 1
        finally:
            stop.set()

    run_all([lambda i=i: send(i) for i in range(len(senders))] + [come_and_go])
    assert received[0] == 1200 and sum(sent) > 1200 and sum(refused) > 0
    for client in senders:
        client.close()


async def test_displacement_many_times_at_once(two_workers):
    identity = Identity()
    clients = await asyncio.gather(*(Client.open(two_workers.url(), identity) for _ in range(20)))
    closes = [asyncio.ensure_future(client.closed()) for client in clients]
    while sum(close.done() for close in closes) < 19:
        await asyncio.wait([c for c in closes if not c.done()],
                           return_when=asyncio.FIRST_COMPLETED, timeout=30)
    last = next(client for client, close in zip(clients, closes) if not close.done())
    assert {close.result() for close in closes if close.done()} == {4409}
    await last.send(encode_envelope(identity.mailbox, b"to myself"))
    assert (await last.envelope()).endswith(b"to myself")
    await last.close()
    await asyncio.gather(*closes)
    assert two_workers.stop()["closed_displaced"] == 19


def test_drain_with_traffic_between_workers(two_workers):
    """SIGTERM in the middle: everyone is told 1001, every reference comes home, exit code 0."""
    clients = [join(two_workers) for _ in range(20)]
    codes = []

    def chat(client, peer):
        """Ten envelopes and a ping, again at each pong, until a close frame comes."""
        frames = encode_frame(BINARY, encode_envelope(peer.identity.mailbox, bytes(2000))) * 10
        frames += encode_frame(PING, b"more")
        client.send(frames)
        while (frame := client.receive_frame()).opcode != CLOSE:
            assert frame.opcode in (BINARY, PONG) or b"_busy" in frame.payload
            if frame.opcode == PONG:
                client.send(frames)
        codes.append(struct.unpack(">H", frame.payload)[0])
        client.close()

    targets = [lambda c=c, p=p: chat(c, p) for c, p in zip(clients, clients[1:] + clients[:1])]

    def stop():
        two_workers.await_stats(lambda s: s["envelopes_to_other_worker"] > 2000)
        two_workers.terminate()

    run_all([*targets, stop])
    assert codes == [1001] * 20
    assert two_workers.wait()["closed_drain"] == 20
