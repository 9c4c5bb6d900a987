"""The opening handshake: what is accepted, and each refusal by its status and counter."""
import pytest

from raw_ws import BINARY, PING, PONG, RawSocket, encode_frame, upgrade_request
from sealpost_client import Identity

GOOD = upgrade_request().decode()


def without(header):
    return "\r\n".join(line for line in GOOD.split("\r\n") if not line.startswith(header))


REFUSED = {
    "not_http": ("\x16\x03\x01 hello\r\n\r\n", 400, "http_bad_request"),
    "no_version": (GOOD.replace(" HTTP/1.1", ""), 400, "http_bad_request"),
    "http_1_0": (GOOD.replace("HTTP/1.1", "HTTP/1.0"), 400, "http_bad_request"),
    "bad_header": (GOOD.replace("Host: localhost", "Host localhost"), 400, "http_bad_request"),
    "bare_header_name": (GOOD.replace("Host:", "Ho st:"), 400, "http_bad_request"),
    "without_host": (without("Host"), 400, "http_bad_request"),
    "two_hosts": (GOOD.replace("Host: localhost", "Host: a\r\nHost: b"), 400, "http_bad_request"),
    "without_upgrade": (without("Upgrade"), 400, "http_bad_request"),
    "other_upgrade": (GOOD.replace("Upgrade: websocket", "Upgrade: h2c"), 400,
                      "http_bad_request"),
    "without_connection": (without("Connection"), 400, "http_bad_request"),
    "without_key": (without("Sec-WebSocket-Key"), 400, "http_bad_request"),
    "short_key": (upgrade_request(key="AAAA").decode(), 400, "http_bad_request"),
    "body": (GOOD.replace("Host:", "Content-Length: 4\r\nHost:") + "body", 400,
             "http_bad_request"),
    "chunked": (GOOD.replace("Host:", "Transfer-Encoding: chunked\r\nHost:"), 400,
                "http_bad_request"),
    "unknown_resource": (upgrade_request("/v2").decode(), 404, "http_not_found"),
    "root": (upgrade_request("/").decode(), 404, "http_not_found"),
    "echo_when_off": (upgrade_request("/echo", None).decode(), 404, "http_not_found"),
    "resource_with_prefix": (upgrade_request("/v1/").decode(), 404, "http_not_found"),
    "post": (GOOD.replace("GET", "POST"), 405, "http_bad_method"),
    "head": (GOOD.replace("GET", "HEAD"), 405, "http_bad_method"),
    "version_8": (upgrade_request(version="8").decode(), 426, "http_upgrade_required"),
    "without_ws_version": (upgrade_request(version=None).decode(), 426, "http_upgrade_required"),
    "without_subprotocol": (upgrade_request(protocol=None).decode(), 426,
                            "http_upgrade_required"),
    "other_subprotocol": (upgrade_request(protocol="sealpost.v2, chat").decode(), 426,
                          "http_upgrade_required"),
    "head_too_large": (GOOD[:-2] + "X-Filler: " + "x" * 8192, 431, "http_head_too_large"),
    "head_of_many_lines": (GOOD[:-2] + "X: y\r\n" * 2000, 431, "http_head_too_large"),
    "resource_too_large": ("GET /" + "x" * 8192, 431, "http_head_too_large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(relay, name):
    request, status, counter = REFUSED[name]
    with RawSocket(relay.address()) as client:
        client.send(request.encode("latin-1"))
        got, headers = client.receive_http()
        assert got == status and headers["connection"].startswith("close")
        if status == 426:
            assert headers["sec-websocket-version"] == "13"
        if status == 405:
            assert headers["allow"] == "get"
        client.expect_end()
    stats = relay.stop()
    assert stats[counter] == 1 and stats["upgrades"] == 0


@pytest.mark.parametrize("header", [
    "Upgrade: WebSocket", "Connection: keep-alive, Upgrade", "Connection: upgrade"])
def test_accepted_in_other_words(relay, header):
    name = header.split(":")[0]
    request = without(name).replace("Host: localhost", "Host: localhost\r\n" + header)
    with RawSocket(relay.address()) as client:
        client.send(request.encode())
        assert client.receive_http()[0] == 101
        client.receive_json("hello")


def test_subprotocol_out_of_several(relay):
    with RawSocket(relay.address()) as client:
        client.send(upgrade_request(protocol="chat, sealpost.v1,other"))
        status, headers = client.receive_http()
        assert (status, headers["sec-websocket-protocol"]) == (101, "sealpost.v1")


def test_extensions_are_declined(relay):
    with RawSocket(relay.address()) as client:
        client.send(upgrade_request(extra="Sec-WebSocket-Extensions: permessage-deflate\r\n"))
        status, headers = client.receive_http()
        assert status == 101 and "sec-websocket-extensions" not in headers


def test_request_byte_by_byte(relay):
    with RawSocket(relay.address()) as client:
        for byte in upgrade_request():
            client.send(bytes([byte]))
        assert client.receive_http()[0] == 101
        client.receive_json("hello")


def test_frames_in_the_same_segment_as_the_request(relay):
    with RawSocket(relay.address()) as client:
        client.upgrade(then=encode_frame(PING, b"early") + encode_frame(PING, b"bird"))
        frames = [client.receive_frame() for _ in range(3)]
        pongs = [frame.payload for frame in frames if frame.opcode == PONG]
        assert pongs == [b"early", b"bird"]


def test_request_and_half_a_frame_in_one_segment(relay):
    with RawSocket(relay.address()) as client:
        frame = encode_frame(PING, b"whole")
        client.upgrade(then=frame[:4])
        client.send(frame[4:])
        frames = [client.receive_frame() for _ in range(2)]
        assert (True, PONG, b"whole") in frames


def test_envelope_in_the_same_segment_as_the_request_is_refused(relay):
    with RawSocket(relay.address()) as client:
        client.upgrade(then=encode_frame(BINARY, bytes(60)))
        assert client.receive_close() == 4401
    assert relay.stop()["envelope_before_login"] == 1


def test_second_request_behind_a_refused_one_is_not_answered(relay):
    with RawSocket(relay.address()) as client:
        client.send(upgrade_request("/nowhere") + upgrade_request())
        assert client.receive_http()[0] == 404
        client.expect_end()
    assert relay.stop()["upgrades"] == 0


def test_request_then_end_of_stream_is_answered_or_closed(relay):
    with RawSocket(relay.address()) as client:
        client.send(upgrade_request())
        client.half_close()
        while client.socket.recv(4096):
            continue
    with RawSocket(relay.address()) as client:
        client.join(Identity())
