"""The load tester against a counterpart whose capacity is known, and its own ceiling."""
import json
import os
import resource
import signal
import struct
import subprocess

import pytest

from raw_ws import BINARY, PING, PONG, RawSocket, encode_frame
from relay_process import PATIENCE_S, binary, eventually
from sealpost_client import Identity
from stub_relay import StubRelay
from test_load import BAD_OPTIONS, INTERRUPTED, LIMITED, check_budget
from test_load import load  # noqa: F401 (a fixture)

RATE = 2000


def address(stub):
    host, port = stub.url.split("//")[1].split(":")
    return host, int(port)


def is_near(value, expected, share):
    return abs(value - expected) <= share * expected


def test_closed_loop_reaches_the_known_rate(load):
    """Saturated, the result is the capacity: the queue is never empty, the sink's clock exact. It is
    never more; less when the machine takes both off their processors, so one of three may tell."""
    for _ in range(3):
        with StubRelay("--rate", RATE) as stub:
            document = load(stub.url, "-c", 20, "-w", 8, "-d", "1500ms",
                            "--warmup", "200ms").passed()
            counts = stub.stop()
        check_budget(document)
        assert document["messages"]["per_s"] <= 1.05 * RATE
        # 160 in flight, one served each half millisecond.
        if (is_near(document["messages"]["per_s"], RATE, 0.05) and
                is_near(document["budget"]["server_network_us"], 160e6 / RATE, 0.1)):
            break
    else:
        pytest.fail(f"three times not near {RATE}/s: {document['messages']}, {document['budget']}")
    assert counts["forwarded"] == document["delivery"]["received"] + 20  # initial and confirming
    assert counts["refused"] == 0


def test_open_loop_below_the_rate(load):
    with StubRelay("--rate", RATE) as stub:
        document = load(stub.url, "-c", 20, "-r", RATE / 2, "-d", "1500ms",
                        "--warmup", "200ms").passed()
    assert document["offered"]["scheduled"] == RATE / 2 * 1.5
    assert document["offered"]["not_sent"] == 0
    assert document["delivery"]["received"] == RATE / 2 * 1.7
    assert document["delivery"]["refused"] == 0
    assert document["budget"]["unattributed_count"] == 0


def test_open_loop_above_the_rate(load):
    """What does not fit the queue is refused, and every refusal is accounted for."""
    with StubRelay("--rate", RATE, "--queue", 100) as stub:
        document = load(stub.url, "-c", 20, "-r", 2 * RATE, "-d", "1500ms",
                        "--warmup", "200ms").result()
        counts = stub.stop()
    delivery = document["delivery"]
    assert delivery["expected"] == delivery["received"] + delivery["refused"]
    assert document["messages"]["per_s"] <= 1.05 * RATE
    # Of 1.7 seconds' envelopes at twice the rate, the queue holds a hundred and the drain serves it.
    assert delivery["received"] <= 1.05 * RATE * 1.7 + 100
    assert delivery["refused_by"]["relay_busy"] == delivery["refused"] == counts["refused"] > RATE


def test_durable_is_accepted(load):
    with StubRelay() as stub:
        document = load(stub.url, "-c", 4, "--durable", "-d", "300ms", "--warmup", "0").passed()
    assert document["delivery"]["accepted"] == document["delivery"]["received"]


def test_handshakes(load):
    with StubRelay() as stub:
        document = load(stub.url, "-m", "handshake", "-c", 4, "-d", "500ms", "--warmup", "0",
                        "--suite", "pqxdh", "--auth", "hybrid").passed()
    assert document["handshakes"]["count"] > 0 and document["handshakes"]["failed"] == 0


def test_rule_breakers_are_disconnected():
    """A recipient nobody registered is refused; a bad frame, or an envelope before the login, ends
    the connection, and the next one finds all in order."""
    alice = Identity("stub-alice")
    with StubRelay("--connections", 2) as stub:
        with RawSocket(address(stub)).join(alice) as user:
            user.send_frame(BINARY, bytes([1, 2, 0, 0]) + (1).to_bytes(4, "big") + bytes(41))
            error = user.receive_json("error")
            assert error["code"] == "recipient_absent" and error["message_id"]
            user.send(bytes([0x83, 0x80, 0, 0, 0, 0]))
            with pytest.raises((EOFError, ConnectionError)):
                user.receive_exactly(1)
        with RawSocket(address(stub)).upgrade() as stranger:
            stranger.receive_json("hello")
            stranger.send_frame(BINARY, bytes(64))
            with pytest.raises((EOFError, ConnectionError)):
                stranger.receive_exactly(1)
        with RawSocket(address(stub)).join(alice):
            pass


def test_ceiling_is_reported(load):
    with StubRelay("--rate", RATE) as stub:
        run = load(stub.url, "-c", 4, "-d", "500ms", "--warmup", "100ms", "--ceiling=500ms")
        document = run.passed()
    generator = document["generator"]
    assert generator["ceiling_per_s"] > RATE and generator["ceiling_connections"] == 4
    assert generator["achieved_of_ceiling"] == \
        pytest.approx(document["messages"]["per_s"] / generator["ceiling_per_s"], abs=0.001)
    assert "ceiling" in run.log()


def test_ceiling_of_an_open_loop(load):
    with StubRelay() as stub:
        document = load(stub.url, "-c", 4, "-r", 100, "-d", "500ms", "--warmup", "100ms",
                        "--ceiling=300ms").passed()
    assert document["generator"]["achieved_of_ceiling"] < 0.5
    assert document["offered"]["model"] == "open, constant"


def test_ceiling_of_groups(load):
    """A broadcast's envelopes are of several recipients, and each is attributed to its send."""
    with StubRelay() as stub:
        document = load(stub.url, "-c", 24, "--group", "chat", "--group", "fan-out,recipients=5",
                        "-d", "500ms", "--warmup", "100ms", "--ceiling=300ms").passed()
    assert document["generator"]["ceiling_per_s"] > 0, document["generator"]
    check_budget(document)


def test_no_ceiling_by_default(load):
    with StubRelay() as stub:
        document = load(stub.url, "-c", 2, "-d", "200ms", "--warmup", "0").passed()
    assert document["generator"]["ceiling_per_s"] is None


@pytest.mark.parametrize("options", [["--ceiling=0"], ["--ceiling=x"],
                                     ["--ceiling", "-m", "idle"],
                                     ["--ceiling", "--group", "chat", "--group", "offline"]])
def test_bad_ceiling(options):
    out = subprocess.run([binary("loadgen/sealpost-load"), "ws://127.0.0.1:1", *options],
                         capture_output=True, text=True, timeout=PATIENCE_S)
    assert out.returncode == BAD_OPTIONS and "--ceiling" in out.stderr


def test_ceiling_interrupted(load):
    with StubRelay() as stub:
        run = load(stub.url, "-c", 4, "-d", 60, "--ceiling=60")
        # The coordinator, the sink and a generator.
        eventually(lambda: len(os.listdir(f"/proc/{run.process.pid}/task")) >= 3)
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(PATIENCE_S) == INTERRUPTED
        assert "ceiling" in run.log() and not run.file.exists()
        assert stub.stop()["connections"] == 0


def test_growing_backlog_is_a_reason(load):
    """The queue takes everything that is offered and is never worked off."""
    with StubRelay("--rate", RATE, "--queue", 100000) as stub:
        document = load(stub.url, "-c", 20, "-r", 2 * RATE, "-d", "2200ms", "--warmup", "0",
                        "--drain", 10).passed()
    generator = document["generator"]
    assert generator["verdict"] != "ok"
    assert any("grew from" in reason for reason in generator["reasons"]), generator
    assert generator["backlog"] == sorted(generator["backlog"])
    assert generator["backlog"][-1] == pytest.approx(2.2 * RATE, rel=0.15)


def test_no_more_descriptors_limits():
    """Room for the ring and for no socket beside it."""
    with StubRelay() as stub:
        out = subprocess.run(
            [binary("loadgen/sealpost-load"), stub.url, "-c", "2", "-d", "1", "-q", "-o", "-"],
            capture_output=True, text=True, timeout=PATIENCE_S,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4)))
    assert out.returncode == LIMITED, out.stderr
    assert "raise ulimit -n" in out.stderr
    generator = json.loads(out.stdout)["generator"]
    assert generator["verdict"] == "limited" and "descriptors" in generator["reasons"][0]


# In a network of its own with room for the listener and three connections.
FEW_PORTS = """
ip link set lo up || exit 77
echo 61000 61003 > /proc/sys/net/ipv4/ip_local_port_range || exit 77
"$0" > "$2" & stub=$!
while ! grep -q listening "$2"; do kill -0 $stub || exit 77; sleep 0.01; done
"$1" "$(awk '{print $3}' "$2")" -c 8 -d 1 -q -o - --source-addresses 1
code=$?
kill $stub
exit $code
"""


def test_no_more_ports_limits(tmp_path):
    out = subprocess.run(
        ["unshare", "-rn", "sh", "-c", FEW_PORTS, binary("tests/stub-relay"),
         binary("loadgen/sealpost-load"), str(tmp_path / "stub.txt")],
        capture_output=True, text=True, timeout=PATIENCE_S)
    if out.returncode == 77 or "unshare" in out.stderr:
        pytest.skip("a network of its own is not allowed here: " + out.stderr.strip())
    assert out.returncode == LIMITED, out.stderr
    assert "--source-addresses" in out.stderr
    assert json.loads(out.stdout)["generator"]["verdict"] == "limited"


def envelope_for(mailbox, size, number=0):
    """A session envelope the sink forwards; what is in it is nobody's business."""
    return struct.pack(">BBBBI16s16sII", 1, 2, 0, 0, size, mailbox, bytes(15) + bytes([number]), 0,
                       0) + bytes([number]) * size


def test_frames_in_pieces_and_in_one_piece():
    alice, bob = Identity(), Identity()
    with StubRelay() as stub, RawSocket(address(stub)).join(alice) as sender, \
            RawSocket(address(stub)).join(bob) as recipient:
        first, second = envelope_for(bob.mailbox, 100, 1), envelope_for(bob.mailbox, 60000, 2)
        for byte in encode_frame(BINARY, first):
            sender.send(bytes([byte]))
        sender.send(encode_frame(BINARY, second) + encode_frame(BINARY, first) +
                    encode_frame(PING, b"here?"))
        for expected in (first, second, first):
            assert recipient.receive_envelope() == expected
        pong = sender.receive_frame()
        assert pong.opcode == PONG and pong.payload == b"here?"
        assert stub.stop()["forwarded"] == 3


def test_recipient_that_does_not_read():
    alice, bob = Identity(), Identity()
    with StubRelay() as stub, RawSocket(address(stub)).join(alice) as sender, \
            RawSocket(address(stub), receive_buffer=4096).join(bob) as recipient:
        # Some MiB fit into the sockets; what waits in the sink is bounded.
        for _ in range(200):
            sender.send_frame(BINARY, envelope_for(bob.mailbox, 60000))
        error = sender.receive_json("error")
        assert error["code"] == "recipient_busy"
        assert len(recipient.receive_envelope()) == 60048


def test_one_connection_too_many():
    with StubRelay("--connections", 1) as stub, RawSocket(address(stub)).join(Identity()) as user:
        with pytest.raises((EOFError, ConnectionError)):
            RawSocket(address(stub)).upgrade()
        user.send_frame(PING)
        assert user.receive_frame().opcode == PONG


def test_no_websocket():
    with StubRelay() as stub, RawSocket(address(stub)) as user:
        user.send(b"HELLO\r\n\r\n")
        with pytest.raises((EOFError, ConnectionError)):
            user.receive_exactly(1)


@pytest.mark.parametrize("options", [["--rate", "0"], ["--rate", "x"], ["--queue", "0"],
                                     ["--connections", "0"], ["--pin", "-1"], ["--pin", "1023"]])
def test_bad_options_of_the_stub(options):
    out = subprocess.run([binary("tests/stub-relay"), *options], capture_output=True, text=True,
                         timeout=PATIENCE_S)
    assert out.returncode != 0 and "stub-relay: " in out.stderr and out.stdout == ""
