"""Connections that come and go in every way, and more of them than there is room for."""
import os
import random
import socket
import threading

from raw_ws import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, encode_frame,
                    trusting, upgrade_request)
from relay_process import eventually, is_sanitized
from sealpost_client import Identity, encode_envelope


def still_serves(relay, scheme="ws"):
    tls = trusting(relay) if scheme == "wss" else None
    identity = Identity()
    with RawSocket(relay.address(scheme), tls=tls).join(identity) as client:
        envelope = encode_envelope(identity.mailbox, os.urandom(500))
        client.send_frame(BINARY, envelope)
        assert client.receive_envelope() == envelope


def test_data_and_reset_together(relay):
    """A reset right behind data must end the connection, or its slot and presence stay for ever."""
    count = 400
    for _ in range(count):
        client = RawSocket(relay.address()).upgrade()
        client.receive_json("hello")
        client.send_frame(PONG, b"x" * random.randint(1, 100))
        client.reset()
    relay.await_stats(lambda s: s["connections_closed"] == count, within_s=6)


def visit(relay, scheme, chance):
    """One connection that leaves at a random moment in a random way."""
    tls = trusting(relay) if scheme == "wss" and chance.random() < 0.9 else None
    client = None
    try:
        client = RawSocket(relay.address(scheme), tls=tls)
        stage = chance.randrange(7)
        if stage == 1:
            request = upgrade_request()
            client.send(request[:chance.randrange(len(request))])
        elif stage == 2:
            client.send(upgrade_request())
        elif stage == 3:
            client.upgrade()
        elif stage >= 4:
            identity = Identity()
            client.join(identity)
            frames = b"".join(
                encode_frame(BINARY, encode_envelope(identity.mailbox,
                                                     bytes(chance.randrange(1, 5000))))
                for _ in range(chance.randrange(1, 8)))
            if stage == 5:
                frames = frames[:-chance.randrange(1, 40)]
            if stage == 6:
                frames += encode_frame(TEXT, b"begun", fin=False)
            client.send(frames)
    except (OSError, EOFError):
        pass
    if client is None:
        return
    way = chance.randrange(4)
    try:
        if way == 0 and tls is None:
            client.reset()
        elif way == 1 and tls is None:
            client.half_close()
        elif way == 2:
            client.send(encode_frame(CLOSE, b"\x03\xe8"))
    except OSError:
        pass
    client.close()


def test_visitors_that_leave_at_random(start_relay):
    """Failure case 5: slots are given away again while completions of the old tenant come in."""
    relay = start_relay("--workers", 1, "--connections", 64, listen=("ws", "wss"))
    problems = []

    def visit_many(seed):
        chance = random.Random(seed)
        try:
            for _ in range(150):
                visit(relay, chance.choice(("ws", "ws", "wss")), chance)
        except Exception as problem:  # shown by the assertion below
            problems.append(repr(problem))

    threads = [threading.Thread(target=visit_many, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert not problems
    still_serves(relay)
    still_serves(relay, "wss")
    stats = relay.await_stats(
        lambda s: s["connections_closed"] == s["connections_accepted"] >= 900, within_s=15)
    # A reset that is seen at once never gets as far as a bound of time.
    assert stats["closed_handshake_timeout"] == 0


def test_presence_ends_with_the_connection(relay):
    """After each way to leave the mailbox is absent, whatever the slot's next tenant is."""
    watcher = RawSocket(relay.address()).join(Identity())
    for leave in ("close", "reset", "half_close"):
        identity = Identity()
        client = RawSocket(relay.address()).join(identity)
        getattr(client, leave)()

        def absent():
            watcher.send_frame(BINARY, encode_envelope(identity.mailbox, b"?"))
            watcher.send_frame(PING, b"fence")
            return watcher.receive_frame().opcode == TEXT and watcher.receive_frame()

        eventually(absent, what=f"absence after {leave}")
        client.close()
        still_serves(relay)
    watcher.close()


def drain(client):
    try:
        while client.socket.recv(1 << 20):
            continue
    except OSError:
        pass


def pour(client, frames, chunks):
    try:
        for _ in range(chunks):
            client.send(frames)
    except OSError:
        pass


def test_nobody_is_closed_for_want_of_buffers(relay):
    """Twenty connections that send each other more than a turn takes, each reading all."""
    identities = [Identity() for _ in range(20)]
    clients = [RawSocket(relay.address()).join(identity) for identity in identities]
    chunks = 120
    readers = [threading.Thread(target=drain, args=(client,)) for client in clients]
    senders = []
    for client, peer in zip(clients, identities[1:] + identities[:1]):
        frames = encode_frame(BINARY, encode_envelope(peer.mailbox, bytes(2000))) * 40
        senders.append(threading.Thread(target=pour, args=(client, frames, chunks)))
    for thread in readers + senders:
        thread.start()
    for thread in senders:
        thread.join(60)
    for client in clients:
        client.half_close()
    for thread in readers:
        thread.join(60)
        assert not thread.is_alive()
    for client in clients:
        client.close()
    stats = relay.stop()
    assert stats["closed_no_buffers"] == 0


def test_more_clients_than_descriptors(start_relay):
    """Failure case 15: the rest waits in the kernel's queue and is served as others leave."""
    relay = start_relay("--workers", 1, "--connections", 50)
    inside = [RawSocket(relay.address()).join(Identity()) for _ in range(50)]
    outside = [RawSocket(relay.address()) for _ in range(30)]
    for client in outside:
        client.send(upgrade_request())
    relay.await_stats(lambda s: s["accept_paused_descriptors"] >= 1)
    # Who is inside is served meanwhile.
    for client in inside:
        client.send_frame(PING, b"still served")
        assert client.receive_frame() == (True, PONG, b"still served")
    for client in inside:
        client.close()
    for client in outside:
        assert client.receive_http()[0] == 101
        client.receive_json("hello")
        client.close()
    stats = relay.stop()
    assert stats["upgrades"] == 80


def test_clients_over_the_bound_come_and_go(start_relay):
    relay = start_relay("--workers", 1, "--connections", 10)
    served = []

    def come_and_go():
        for _ in range(10):
            still_serves(relay)
            served.append(1)

    threads = [threading.Thread(target=come_and_go) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert len(served) == 200


def test_clients_that_queued_and_left(start_relay):
    relay = start_relay("--workers", 1, "--connections", 5)
    inside = [RawSocket(relay.address()).join(Identity()) for _ in range(5)]
    for _ in range(50):
        client = socket.create_connection(relay.address())
        client.sendall(b"GET")
        client.close()
    for client in inside:
        client.close()
    still_serves(relay)


def test_idle_connections_cost_little(relay):
    with RawSocket(relay.address()).join(Identity()) as first:
        before = relay.resident_kb()
        clients = [RawSocket(relay.address()).join(Identity()) for _ in range(400)]
        assert is_sanitized() or relay.resident_kb() - before < 400 * 32
        first.send_frame(PING, b"x")
        assert first.receive_frame().opcode == PONG
        for client in clients:
            client.close()
        relay.await_stats(lambda s: s["connections_closed"] == 400)


def test_fragments_of_many_connections_interleaved(relay):
    identity = Identity()
    hub = RawSocket(relay.address()).join(identity)
    clients = [RawSocket(relay.address()).join(Identity()) for _ in range(30)]
    envelopes = [encode_envelope(identity.mailbox, os.urandom(3000)) for _ in clients]
    for at in range(0, 3048, 400):
        for client, envelope in zip(clients, envelopes):
            client.send_frame(BINARY if at == 0 else CONTINUATION, envelope[at:at + 400],
                              fin=at + 400 >= 3048)
    assert sorted(hub.receive_envelope() for _ in envelopes) == sorted(envelopes)
    for client in [hub, *clients]:
        client.close()


def test_same_slot_many_tenants(start_relay):
    """One slot: every tenant is told apart by its generation."""
    relay = start_relay("--workers", 1, "--connections", 1)
    for _ in range(100):
        still_serves(relay)
    end = relay.stop()
    assert end["connections_accepted"] >= 100 and end["envelopes_forwarded"] == 100
