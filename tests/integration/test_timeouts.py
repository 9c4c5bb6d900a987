"""Clients that begin something and do not go on."""
import ssl
import struct
import time

import pytest

from raw_ws import BINARY, PING, PONG, RawSocket, encode_frame, trusting, upgrade_request
from sealpost_client import Identity


def test_no_login_in_time(start_relay):
    relay = start_relay("--workers", 1, "--login-timeout", 300)
    began = time.monotonic()
    with RawSocket(relay.address()).upgrade() as client:
        assert client.receive_json("hello")["limits"]["login_timeout_ms"] == 300
        client.send_frame(PING, b"that is no login")
        assert client.receive_frame().opcode == PONG
        assert client.receive_close() == 4408
    assert time.monotonic() - began >= 0.29
    assert relay.stop()["closed_login_timeout"] == 1


def test_who_logged_in_stays(start_relay):
    relay = start_relay("--workers", 1, "--login-timeout", 200)
    with RawSocket(relay.address()).join(Identity()) as member:
        with RawSocket(relay.address()).upgrade() as stranger:
            assert stranger.receive_close() == 4408
        member.send_frame(PING, b"still here")
        assert member.receive_frame() == (True, PONG, b"still here")


def test_login_timeout_off(start_relay):
    relay = start_relay("--workers", 1, "--login-timeout", 0)
    with RawSocket(relay.address()).upgrade() as client:
        assert client.receive_json("hello")["limits"]["login_timeout_ms"] == 0
        client.send_frame(PING, b"?")
        assert client.receive_frame().opcode == PONG


def test_peer_that_does_not_answer_a_close_is_closed(relay):
    with RawSocket(relay.address()).upgrade() as client:
        client.send(encode_frame(3))
        stats = relay.await_stats(lambda s: s["connections_closed"] == 1, within_s=8)
    assert stats["frame_bad_opcode"] == 1


def send_hello_without_its_end(relay, client):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        trusting(relay).wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    client.send(outgoing.read()[:-1])


def test_ten_second_bounds(start_relay):
    """Handshake and message bounds, all at once because they take ten seconds."""
    relay = start_relay("--workers", 1, listen=("ws", "wss"))
    silent, silent_tls, slow_hello, slow_request, slow_frame, slow_fragments, dripping = clients = [
        RawSocket(relay.address(scheme)) for scheme in ("ws", "wss", "wss", "ws", "ws", "ws", "ws")]
    send_hello_without_its_end(relay, slow_hello)
    slow_request.send(upgrade_request()[:-1])
    for client in (slow_frame, slow_fragments, dripping):
        client.join(Identity())
    began = time.monotonic()
    frame = encode_frame(BINARY, bytes(200))
    slow_frame.send(frame[:-1])
    slow_fragments.send_frame(BINARY, bytes(60), fin=False)
    dripping.send(frame[:1])
    # One more byte each half second is no progress: the bound is on the whole message.
    dripping.socket.settimeout(0.5)
    received = b""
    for at in range(1, len(frame)):
        try:
            received = dripping.socket.recv(100)
            break
        except TimeoutError:
            dripping.send(frame[at:at + 1])
        assert time.monotonic() - began < 20
    assert struct.unpack(">H", received[2:4])[0] == 4408
    assert slow_frame.receive_close() == slow_fragments.receive_close() == 4408
    assert time.monotonic() - began >= 9.9
    for client in (silent, silent_tls, slow_hello, slow_request):
        while client.socket.recv(100):
            continue
    for client in clients:
        client.close()
    stats = relay.stop()
    assert stats["closed_handshake_timeout"] == 4 and stats["closed_message_timeout"] == 3
