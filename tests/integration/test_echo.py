"""The diagnostic resource: what it echoes, and that it is off unless asked for."""
import os
import random
import string

import pytest

from raw_ws import BINARY, CONTINUATION, PING, PONG, TEXT, RawSocket, encode_frame, trusting

SIZES = (0, 1, 2, 125, 126, 127, 65535, 65536, 98304)


@pytest.fixture(params=["ws", "wss"])
def echo(request, start_relay):
    relay = start_relay("--workers", 1, "--echo", listen=(request.param,))
    tls = trusting(relay) if request.param == "wss" else None
    with RawSocket(relay.address(request.param), tls=tls) as client:
        yield client.upgrade("/echo", None)


@pytest.mark.parametrize("size", SIZES)
def test_binary(echo, size):
    said = os.urandom(size)
    echo.send_frame(BINARY, said)
    assert echo.receive_frame() == (True, BINARY, said)


@pytest.mark.parametrize("size", SIZES)
def test_text(echo, size):
    said = "".join(random.choices(string.printable, k=size)).encode()
    echo.send_frame(TEXT, said)
    assert echo.receive_frame() == (True, TEXT, said)


def test_text_of_every_length_of_character(echo):
    said = "aé€𝄞".encode()
    echo.send_frame(TEXT, said)
    assert echo.receive_frame() == (True, TEXT, said)


def test_text_not_utf8(echo):
    echo.send_frame(TEXT, b"\xff")
    assert echo.receive_close() == 1007


def test_fragments(echo):
    echo.send(encode_frame(TEXT, b"one ", fin=False) + encode_frame(PING, b"p") +
              encode_frame(CONTINUATION, b"two ", fin=False) +
              encode_frame(CONTINUATION, b"three"))
    assert echo.receive_frame() == (True, PONG, b"p")
    assert echo.receive_frame() == (True, TEXT, b"one two three")


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_too_large(echo, opcode):
    echo.send(encode_frame(opcode, announce=98305))
    assert echo.receive_close() == 1009


def test_burst_in_order(echo):
    said = [os.urandom(1 + i * 7 % 600) for i in range(300)]
    for one in said:
        echo.send_frame(BINARY, one)
    assert [echo.receive_frame().payload for _ in said] == said


def test_no_login_is_needed_and_no_subprotocol_chosen(echo):
    echo.send_frame(BINARY, b"anybody")
    assert echo.receive_frame().payload == b"anybody"


def test_subprotocol_is_still_chosen_if_offered(start_relay):
    relay = start_relay("--workers", 1, "--echo")
    with RawSocket(relay.address()) as client:
        client.upgrade("/echo", "sealpost.v1")
        client.send_frame(BINARY, b"x")
        assert client.receive_frame().payload == b"x"
    stats = relay.stop()
    assert stats["envelopes_echoed"] == 1 and stats["envelopes_in"] == 0


def test_off_unless_asked_for(relay):
    with RawSocket(relay.address()) as client:
        client.send(b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade"
                    b"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                    b"dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert client.receive_http()[0] == 404
