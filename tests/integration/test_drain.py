"""SIGTERM: no more newcomers, what is queued is delivered, everyone is told, exit code 0."""
import os
import signal
import socket
import time

import pytest

from raw_ws import BINARY, CLOSE, PING, PONG, RawSocket, encode_frame, trusting, upgrade_request
from sealpost_client import DURABLE, Identity, encode_envelope


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_everyone_is_told(start_relay, scheme):
    relay = start_relay("--workers", 2, listen=("ws", "wss"))
    tls = trusting(relay) if scheme == "wss" else None
    clients = [RawSocket(relay.address(scheme), tls=tls).join(Identity()) for _ in range(20)]
    strangers = [RawSocket(relay.address(scheme), tls=tls).upgrade() for _ in range(5)]
    for stranger in strangers:
        stranger.receive_json("hello")
    began = time.monotonic()
    relay.terminate()
    for client in clients + strangers:
        frame = client.receive_frame()
        assert (frame.opcode, frame.payload) == (CLOSE, b"\x03\xe9")
        client.send_frame(CLOSE, frame.payload)
        client.expect_end()
        client.close()
    stats = relay.wait()
    assert time.monotonic() - began < 4
    assert stats["closed_drain"] == 25


def test_interrupt_is_the_same(relay):
    with RawSocket(relay.address()).join(Identity()) as client:
        relay.process.send_signal(signal.SIGINT)
        assert client.receive_close() == 1001
    relay.wait()


def test_signal_again_changes_nothing(relay):
    with RawSocket(relay.address()).join(Identity()) as client:
        relay.terminate()
        relay.terminate()
        relay.process.send_signal(signal.SIGINT)
        assert client.receive_close() == 1001
    relay.wait()


def test_nobody_there(start_relay):
    relay = start_relay("--workers", 2, listen=("ws", "wss"))
    began = time.monotonic()
    relay.stop()
    assert time.monotonic() - began < 3


def test_pending_envelopes_are_delivered_first(start_relay):
    relay = start_relay("--workers", 1, "--drain", 20000)
    identity = Identity()
    reader = RawSocket(relay.address(), receive_buffer=4096).join(identity)
    sender = RawSocket(relay.address()).join(Identity())
    envelopes = []
    # More than the socket takes: the rest waits in the relay.
    while len(envelopes) < 5000:
        envelopes.append(encode_envelope(identity.mailbox, os.urandom(8000)))
        sender.send(encode_frame(BINARY, envelopes[-1]) + encode_frame(PING, b"f"))
        if sender.receive_frame().opcode != PONG:
            envelopes.pop()
            break
    relay.terminate()
    assert sender.receive_close() == 1001
    assert [reader.receive_envelope() for _ in envelopes] == envelopes
    assert reader.receive_close() == 1001
    reader.close()
    sender.close()
    stats = relay.wait()
    assert stats["backlog_stalls"] > 0 and stats["refused_recipient_busy"] == 1


def test_peers_that_never_answer_are_bounded(start_relay):
    relay = start_relay("--workers", 2, "--drain", 700)
    silent = [RawSocket(relay.address()).join(Identity()) for _ in range(10)]
    silent += [RawSocket(relay.address()) for _ in range(3)]
    began = time.monotonic()
    relay.terminate()
    relay.wait()
    took = time.monotonic() - began
    assert took < 700 / 1000 + 2
    for client in silent:
        client.close()


def test_peer_with_a_full_socket_is_bounded(start_relay):
    relay = start_relay("--workers", 1, "--drain", 1000, "--write-timeout", 60000)
    identity = Identity()
    reader = RawSocket(relay.address(), receive_buffer=4096).join(identity)
    sender = RawSocket(relay.address()).join(Identity())
    frame = encode_frame(BINARY, encode_envelope(identity.mailbox, bytes(8000)))
    opcode = PONG
    while opcode == PONG:
        sender.send(frame + encode_frame(PING, b"f"))
        opcode = sender.receive_frame().opcode
    began = time.monotonic()
    relay.terminate()
    relay.wait()
    assert time.monotonic() - began < 3
    reader.close()
    sender.close()


def test_drain_of_nothing(start_relay):
    relay = start_relay("--workers", 1, "--drain", 0)
    clients = [RawSocket(relay.address()).join(Identity()) for _ in range(5)]
    began = time.monotonic()
    relay.stop()
    assert time.monotonic() - began < 2
    for client in clients:
        client.close()


def test_handshakes_under_way_are_closed(start_relay):
    relay = start_relay("--workers", 1, listen=("ws", "wss"))
    halves = [RawSocket(relay.address("ws")), RawSocket(relay.address("wss"))]
    halves[0].send(upgrade_request()[:20])
    halves[1].send(b"\x16\x03\x01\x02\x00")
    relay.await_stats(lambda s: s["connections_accepted"] == 2)
    relay.terminate()
    answer = halves[0].socket.recv(1000)
    assert answer.startswith(b"HTTP/1.1 503 "), answer
    for half in halves:
        try:
            assert half.socket.recv(1000) == b""
        except ConnectionResetError:
            pass
        half.close()
    relay.wait()


def test_newcomers_are_refused(relay):
    client = RawSocket(relay.address()).join(Identity())
    relay.terminate()
    assert client.receive_close() == 1001
    client.close()
    relay.wait()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(relay.address())


def test_accepted_before_the_signal_was_stored(relay):
    """`accepted` that reached the sender is in the counters of the end."""
    identity = Identity()
    RawSocket(relay.address()).join(identity).close()
    sender = RawSocket(relay.address()).join(Identity())
    for _ in range(50):
        sender.send_frame(BINARY, encode_envelope(identity.mailbox, b"kept", flags=DURABLE))
    for _ in range(50):
        sender.receive_json("accepted")
    relay.terminate()
    assert sender.receive_close() == 1001
    sender.close()
    assert relay.wait()["store_accepted"] == 50
