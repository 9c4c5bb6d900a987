"""The live page's server by hand: who may ask what, and that nobody delays the run's end."""
import contextlib
import json
import re
import socket
import subprocess
import time

import pytest

from relay_process import PATIENCE_S, binary, eventually
from test_load import load  # noqa: F401  (a fixture)

CLIENTS_MAX = 16


def start(load, relay, *options, web="0"):  # noqa: F811
    """(run, (host, port)) of a run with its page."""
    run = load(relay.url(), "-c", 4, "-r", 200, "--warmup", 0, "--web", web, *options)
    found = eventually(lambda: re.search(r"live at http://([\d.]+|\[[\da-f:]+\]):(\d+)/\n",
                                         run.log()), what="the live page's address")
    return run, (found[1].strip("[]"), int(found[2]))


def connect(address):
    return socket.create_connection(address, PATIENCE_S)


def receive(sock):
    """Everything until the other end closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()


def request(path="/", host="127.0.0.1", method="GET", more=""):
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


def ask(address, **how):
    """(status, headers, body)."""
    with connect(address) as sock:
        sock.sendall(request(**how))
        head, _, body = receive(sock).partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


def test_resources(relay, load):  # noqa: F811
    run, address = start(load, relay, "-d", "3")
    status, headers, body = eventually(
        lambda: (lambda a: a[0] == 200 and a)(ask(address, path="/result.json")), what="figures")
    assert headers["Content-Type"] == "application/json"
    document = json.loads(body)
    assert document["schema"] == "sealpost.load/1" and document["live"]["wanted"] == 4
    status, headers, body = ask(address)
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert int(headers["Content-Length"]) == len(body.encode())
    assert body.startswith("<!doctype html>") and 'data-page="live"' in body
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    assert headers["Cache-Control"] == "no-store"
    assert not any(name.lower().startswith("access-control") for name in headers)
    run.passed()


def test_events_until_the_end(relay, load):  # noqa: F811
    run, address = start(load, relay, "-d", "2")
    with connect(address) as sock:
        sock.sendall(request("/events"))
        text = receive(sock)
    head, _, stream = text.partition("\r\n\r\n")
    assert "Content-Type: text/event-stream" in head and "Content-Length" not in head
    events = [event for event in stream.split("\n\n") if "data: " in event]
    documents = [json.loads(event.split("data: ", 1)[1]) for event in events]
    assert len(events) >= 2 and all("live" in document for document in documents[:-1])
    # The last one is the result, as it was written.
    assert events[-1].startswith("event: end\n")
    assert documents[-1] == run.passed()


@pytest.mark.parametrize("how, status", [
    ({"path": "/favicon.ico"}, 404), ({"path": "/result.json?x"}, 404),
    ({"method": "POST", "more": "Content-Length: 0\r\n"}, 405), ({"method": "HEAD"}, 405),
    ({"host": "evil.example"}, 421), ({"host": "127.0.0.1.evil.example:80"}, 421),
    ({"more": "Host: 127.0.0.1\r\n"}, 400), ({"more": "Content-Length: 5\r\n"}, 400),
    ({"more": f"X: {'a' * 9000}\r\n"}, 431)],
    ids=["path", "query", "post", "head", "name", "disguised name", "two hosts", "body", "large"])
def test_refusals(relay, page_of, how, status):
    got, headers, body = ask(page_of, **how)
    assert got == status and body == ""
    assert headers["Connection"] == "close"
    assert ("Allow" in headers) == (status == 405)


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    """The address of one page that several tests ask."""
    from relay_process import Relay
    directory = tmp_path_factory.mktemp("page")
    relay = Relay(directory, "--workers", 1)
    log = directory / "load.txt"
    with open(log, "w") as file:
        process = subprocess.Popen([binary("loadgen/sealpost-load"), relay.url(), "-c", "2", "-d",
                                    "5m", "--web", "127.0.0.1:0", "-q"], stderr=file)
    try:
        found = eventually(lambda: re.search(r"live at http://127\.0\.0\.1:(\d+)/", log.read_text()),
                           what="the page's address")
        yield "127.0.0.1", int(found[1])
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) in (105, 112)
        relay.stop()
    assert "anitizer" not in log.read_text()


def test_hosts_that_are_forwarded(page_of):
    assert ask(page_of, host="localhost:9000")[0] == 200
    assert ask(page_of, host="[::1]:9000")[0] == 200


def test_one_byte_at_a_time(page_of):
    with connect(page_of) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request("/result.json"):
            sock.sendall(bytes([byte]))
        assert receive(sock).startswith("HTTP/1.1 200 OK\r\n")


def test_too_many_connections(page_of):
    with contextlib.ExitStack() as held:
        streams = [held.enter_context(connect(page_of)) for _ in range(CLIENTS_MAX)]
        for stream in streams:
            stream.sendall(request("/events"))
            assert stream.recv(15) == b"HTTP/1.1 200 OK"
        status, headers, _ = ask(page_of)
        assert status == 503 and "Retry-After" in headers
    # They have gone: there is room again.
    eventually(lambda: ask(page_of)[0] == 200, what="room")


def test_answer_of_a_client_that_has_gone(page_of):
    for _ in range(3 * CLIENTS_MAX):
        with connect(page_of) as sock:
            sock.sendall(request("/"))
    eventually(lambda: ask(page_of)[0] == 200, what="room")


def test_ipv6(relay, load):  # noqa: F811
    run, address = start(load, relay, "-d", "1", web="[::1]:0")
    assert ask(address, host="[::1]")[0] == 200
    run.passed()


def test_port_taken(relay, page_of, tmp_path):
    out = subprocess.run([binary("loadgen/sealpost-load"), relay.url(), "--web", str(page_of[1])],
                         capture_output=True, text=True, timeout=PATIENCE_S)
    assert out.returncode == 104 and "--web cannot listen there: Address already in use" in out.stderr


def test_without_descriptors(relay, tmp_path):
    """Connections that cannot be accepted wait; the run goes on and ends as it should."""
    log = tmp_path / "log.txt"
    with open(log, "w") as file:
        process = subprocess.Popen(
            ["prlimit", "--nofile=24:24", binary("loadgen/sealpost-load"), relay.url(), "-c", "2",
             "-d", "4", "--warmup", "0", "--web", "0", "-q"], stderr=file)
    found = eventually(lambda: re.search(r"live at http://127\.0\.0\.1:(\d+)/", log.read_text()),
                       what="the page's address")
    address = "127.0.0.1", int(found[1])
    with contextlib.ExitStack() as held:
        streams = [held.enter_context(connect(address)) for _ in range(CLIENTS_MAX)]
        for stream in streams:
            stream.sendall(request("/events"))
        held.enter_context(connect(address))
    assert ask(address)[0] == 200
    assert process.wait(PATIENCE_S) in (0, 112), log.read_text()


def test_clients_that_never_read_do_not_delay_the_end(relay, load):  # noqa: F811
    run, address = start(load, relay, "-d", "2", "--drain", "100ms")
    with contextlib.ExitStack() as held:
        for path in ["/events"] * 8 + ["/"] * 4:
            sock = held.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            sock.connect(address)
            sock.sendall(request(path))
        held.enter_context(connect(address)).sendall(b"GET / HT")  # and one that never asks
        began = time.monotonic()
        run.result()
        # The load itself needs two seconds; a server that waited for its clients would wait as
        # long as this test holds them.
        assert time.monotonic() - began < 15
