"""Readers that stop reading: bounded, told, closed in time, and nobody else waits for them."""
import os
import select
import signal
import struct
import threading
import time

import pytest

from raw_ws import BINARY, PING, PONG, TEXT, RawSocket, encode_frame, trusting
from relay_process import OUTBOX_MIN_BYTES, PATIENCE_S, is_sanitized
from sealpost_client import Identity, decode64, encode_envelope, message_id_of

SMALL_WINDOW = 4096


def join(relay, **how):
    identity = Identity()
    client = RawSocket(relay.address(), **how).join(identity)
    client.identity = identity
    return client


def refusals_of(sender, envelopes):
    """Send and fence with a ping; the refusals that came."""
    sender.send(b"".join(encode_frame(BINARY, e) for e in envelopes) + encode_frame(PING, b"f"))
    refusals = []
    while True:
        frame = sender.receive_frame()
        if frame.opcode == PONG:
            return refusals
        assert frame.opcode == TEXT
        refusals.append(frame.payload)


def fill(sender, reader, size=1000, at_most=20000):
    """Send until the reader is busy. Returns the envelopes that were not refused."""
    kept = []
    while len(kept) < at_most:
        batch = [encode_envelope(reader.identity.mailbox, os.urandom(size)) for _ in range(20)]
        refusals = refusals_of(sender, batch)
        kept += batch[:len(batch) - len(refusals)]
        if refusals:
            assert all(b'"recipient_busy"' in refusal for refusal in refusals)
            return kept
    raise AssertionError("the reader never got busy")


def touch_receive_buffers(relay, sender):
    """What is reserved at start is resident from its first use on, and receive buffers are used one
    after the other: use them until a round adds nothing, so that what grows later is kept."""
    envelopes = [encode_envelope(bytes(16), bytes(16000))] * 50
    before_kb, now_kb = 0, relay.resident_kb()
    while now_kb - before_kb > 500 and not is_sanitized():
        for _ in range(50):
            assert len(refusals_of(sender, envelopes)) == 50
        before_kb, now_kb = now_kb, relay.resident_kb()
        assert now_kb < 150000


def exchange(one, other, rounds=1):
    """A pair that talks; returns the slowest answer in seconds."""
    slowest = 0
    for _ in range(rounds):
        envelope = encode_envelope(other.identity.mailbox, os.urandom(100))
        began = time.monotonic()
        one.send_frame(BINARY, envelope)
        assert other.receive_envelope() == envelope
        slowest = max(slowest, time.monotonic() - began)
    return slowest


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_slow_reader_is_bounded_then_closed(start_relay, scheme):
    relay = start_relay("--workers", 1, "--write-timeout", 4000, "--outbox-bytes",
                        OUTBOX_MIN_BYTES, listen=("ws", "wss"))
    tls = trusting(relay) if scheme == "wss" else None
    reader_identity = Identity()
    reader = RawSocket(relay.address(scheme), tls=tls, receive_buffer=SMALL_WINDOW)
    reader.join(reader_identity)
    reader.identity = reader_identity
    sender = join(relay)
    fill(sender, reader)

    def offer_16_mb():
        for _ in range(20):
            batch = [encode_envelope(reader_identity.mailbox, bytes(16000))] * 50
            assert len(refusals_of(sender, batch)) == 50
        return relay.resident_kb()

    # What is reserved is touched in the first rounds; then nothing grows.
    sizes_kb = [offer_16_mb() for _ in range(6)]
    assert is_sanitized() or (sizes_kb[5] - sizes_kb[4] < 2000 and sizes_kb[5] < 150000), sizes_kb
    relay.await_stats(lambda s: s["closed_write_timeout"] == 1)
    refusal = refusals_of(sender, [encode_envelope(reader_identity.mailbox, b"x")])[0]
    assert b'"recipient_absent"' in refusal
    reader.close()
    sender.close()
    stats = relay.stop()
    assert stats["refused_recipient_busy"] >= 1000 and stats["backlog_stalls"] >= 1


def test_refusal_names_the_envelope(start_relay):
    relay = start_relay("--workers", 1, "--outbox-bytes", OUTBOX_MIN_BYTES)
    reader, sender = join(relay, receive_buffer=SMALL_WINDOW), join(relay)
    fill(sender, reader)
    envelope = encode_envelope(reader.identity.mailbox, bytes(1000))
    sender.send_frame(BINARY, envelope)
    refusal = sender.receive_json("error")
    assert refusal["code"] == "recipient_busy"
    assert decode64(refusal["message_id"]) == message_id_of(envelope)
    reader.close()
    sender.close()


def test_reader_that_resumes_gets_all_that_was_not_refused(relay):
    """Failure case 6: a window of zero for a while, memory flat, then everything in order."""
    reader, sender = join(relay, receive_buffer=SMALL_WINDOW), join(relay)
    touch_receive_buffers(relay, sender)
    kept = fill(sender, reader)
    began = time.monotonic()
    sizes_kb = []
    while time.monotonic() < began + 3:  # nothing may happen meanwhile: that is what is watched
        assert len(refusals_of(sender, [encode_envelope(reader.identity.mailbox,
                                                        bytes(1000))] * 50)) == 50
        sizes_kb.append(relay.resident_kb())
    assert is_sanitized() or max(sizes_kb) - sizes_kb[0] < 2000, sizes_kb
    assert [reader.receive_envelope() for _ in kept] == kept
    sender.send_frame(BINARY, kept[0])
    assert reader.receive_envelope() == kept[0]
    reader.close()
    sender.close()
    assert relay.stop()["closed_write_timeout"] == 0


def test_reader_that_makes_progress_is_not_closed(start_relay):
    relay = start_relay("--workers", 1, "--write-timeout", 1000)
    reader, sender = join(relay), join(relay)
    reader.socket.setblocking(False)
    end = time.monotonic() + 3
    fill(sender, reader, size=8000)
    while time.monotonic() < end:
        taken = 0
        while taken < 100000 and select.select([reader.socket], [], [], 0.2)[0]:
            more = reader.socket.recv(65536)
            assert more, "closed in spite of its progress"
            taken += len(more)
        refusals_of(sender, [encode_envelope(reader.identity.mailbox, bytes(8000))] * 20)
        threading.Event().wait(0.1)  # a slow reader is what is simulated
    reader.close()
    sender.close()
    assert relay.stop()["closed_write_timeout"] == 0


def test_burst_to_a_good_reader_is_not_refused(relay):
    """More than the outbox's bound in one turn, for a recipient whose socket is empty: it does
    not read slowly, so nothing may be refused."""
    reader, sender = join(relay), join(relay)
    envelopes = [encode_envelope(reader.identity.mailbox, os.urandom(4000)) for _ in range(150)]
    relay.process.send_signal(signal.SIGSTOP)  # so that all of it is there at once
    try:
        sender.send(b"".join(encode_frame(BINARY, e) for e in envelopes) +
                    encode_frame(PING, b"end"))
    finally:
        relay.process.send_signal(signal.SIGCONT)
    assert [reader.receive_envelope() for _ in envelopes] == envelopes
    assert sender.receive_frame() == (True, PONG, b"end")
    reader.close()
    sender.close()
    assert relay.stop()["refused_recipient_busy"] == 0


def pour(relay, client, frames, counter):
    """Send without reading until the relay ends it, as `counter` tells."""
    client.socket.settimeout(0.2)
    end = time.monotonic() + PATIENCE_S
    while not (relay.stats_file.exists() and relay.stats()[counter]):
        assert time.monotonic() < end
        try:
            client.send(frames)
        except OSError:  # full for now, or ended
            relay.await_fresh_stats()
    client.close()
    relay.await_stats(lambda s: s["connections_closed"] == 1)
    assert relay.stop()[counter] == 1


def test_sender_that_does_not_read_its_refusals_is_closed(relay):
    sender = join(relay, receive_buffer=SMALL_WINDOW)
    pour(relay, sender, encode_frame(BINARY, b"short") * 2000, "closed_outbox_full")


def test_pinger_that_does_not_read_its_pongs_is_closed(relay):
    client = join(relay, receive_buffer=SMALL_WINDOW)
    pour(relay, client, encode_frame(PING, bytes(125)) * 1000, "closed_outbox_full")


def test_many_slow_readers_and_a_fast_sender(start_relay):
    """Failure case 7, scaled: a normal pair keeps talking all the while."""
    relay = start_relay("--workers", 1, "--outbox-bytes", OUTBOX_MIN_BYTES, "--write-timeout",
                        3000, "--drain", 1000)
    one, other, sender = join(relay), join(relay), join(relay)
    readers = [join(relay, receive_buffer=SMALL_WINDOW) for _ in range(300)]
    waiting = set(range(len(readers)))
    slowest = 0
    end = time.monotonic() + 120
    while waiting:
        assert time.monotonic() < end
        for i in list(waiting):
            envelope = encode_envelope(readers[i].identity.mailbox, bytes(16000))
            # Below the outbox's size, so that only a full socket makes it busy.
            if refusals_of(sender, [envelope] * 2):
                waiting.discard(i)
        slowest = max(slowest, exchange(one, other), exchange(other, one))
    # 300 outboxes of 144 KiB and what one turn holds.
    assert is_sanitized() or relay.resident_kb() < 300000
    slowest = max(slowest, exchange(one, other, 200))
    assert slowest < 2
    relay.await_stats(lambda s: s["closed_write_timeout"] == 300)
    exchange(one, other, 10)
    for client in [one, other, sender, *readers]:
        client.close()
    relay.await_stats(lambda s: s["connections_closed"] == 303)


def test_flooder_does_not_starve_the_others(relay):
    """Failure case 1: one connection sends as fast as it can, a pair keeps talking."""
    one, other = join(relay), join(relay)
    flooder, sink = join(relay), join(relay)
    batch = encode_frame(BINARY, encode_envelope(sink.identity.mailbox, bytes(1000))) * 500
    stopping = threading.Event()

    def flood():
        while not stopping.is_set():
            flooder.socket.sendall(batch)

    def drain(client):
        while True:
            try:
                if not client.socket.recv(1 << 20):
                    return
            except OSError:
                return

    threads = [threading.Thread(target=flood), threading.Thread(target=drain, args=(sink,)),
               threading.Thread(target=drain, args=(flooder,))]
    for thread in threads:
        thread.start()
    try:
        relay.await_stats(lambda s: s["envelopes_in"] > 5000)
        slowest = exchange(one, other, 300)
    finally:
        stopping.set()
        threads[0].join()
        for client in (flooder, sink):
            client.socket.shutdown(2)
        for thread in threads[1:]:
            thread.join()
    assert slowest < 1
    for client in (one, other, flooder, sink):
        client.close()


def test_burst_from_many_connections_at_once(relay):
    """Failure cases 2 and 3: more completions than one turn takes; every receive is armed again."""
    hub = join(relay)
    clients = [join(relay) for _ in range(200)]
    per_client = 40
    for turn in range(3):
        for i, client in enumerate(clients):
            client.send(b"".join(
                encode_frame(BINARY, encode_envelope(hub.identity.mailbox,
                                                     struct.pack(">HHH", turn, i, n)))
                for n in range(per_client)))
        seen = {}
        for _ in range(per_client * len(clients)):
            t, i, n = struct.unpack(">HHH", hub.receive_envelope()[48:])
            assert t == turn and n == seen.get(i, 0), "out of order"
            seen[i] = n + 1
        assert set(seen.values()) == {per_client}
    for client in [hub, *clients]:
        client.close()


def test_receive_buffers_run_out_and_come_back(relay):
    """More data at once than there are receive buffers; nothing is lost, everyone goes on."""
    hub = join(relay)
    clients = [join(relay) for _ in range(100)]
    size = 60000
    stopped = threading.Event()
    received = []

    def read():
        while len(received) < len(clients) * 5:
            frame = hub.receive_frame()
            received.append(frame.payload)
        stopped.set()

    def send(client, i):
        for n in range(5):
            client.send_frame(BINARY, encode_envelope(
                hub.identity.mailbox, struct.pack(">HH", i, n) + bytes(size)))
            # Refused for a full outbox: try again until it is taken.
            while b"recipient_busy" in b"".join(refusals_of(client, [])):
                client.send_frame(BINARY, encode_envelope(
                    hub.identity.mailbox, struct.pack(">HH", i, n) + bytes(size)))

    threads = [threading.Thread(target=read)] + [
        threading.Thread(target=send, args=(c, i)) for i, c in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert stopped.is_set(), f"{len(received)} arrived"
    got = {}
    for payload in received:
        i, n = struct.unpack(">HH", payload[48:52])
        assert n == got.get(i, 0)
        got[i] = n + 1
    assert len(got) == 100 and set(got.values()) == {5}
    for client in [hub, *clients]:
        client.close()
