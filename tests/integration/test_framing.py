"""Good frames in every shape a network or a client may give them."""
import json
import os
import ssl

import pytest

from raw_ws import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, encode_frame,
                    trusting)
from relay_process import eventually, is_sanitized
from sealpost_client import Identity, encode_envelope


@pytest.fixture
def pair(relay):
    alice, bob = Identity(), Identity()
    sockets = [RawSocket(relay.address()).join(one) for one in (alice, bob)]
    sockets[0].identity, sockets[1].identity = alice, bob
    yield sockets
    for one in sockets:
        one.close()


def test_frame_split_at_every_byte(pair):
    alice, bob = pair
    # 60 bytes: a length of 7 bits; 200: of 16.
    for size in (12, 152):
        envelope = encode_envelope(bob.identity.mailbox, os.urandom(size))
        frame = encode_frame(BINARY, envelope, mask=os.urandom(4))
        for cut in range(1, len(frame)):
            alice.send(frame[:cut])
            alice.send(frame[cut:])
            assert bob.receive_envelope() == envelope, cut


def test_frame_byte_by_byte(pair):
    alice, bob = pair
    frames = b""
    envelopes = [encode_envelope(bob.identity.mailbox, os.urandom(size)) for size in (1, 90, 300)]
    for envelope in envelopes:
        frames += encode_frame(BINARY, envelope, mask=os.urandom(4)) + encode_frame(PING, b"?")
    for at in range(len(frames)):
        alice.send(frames[at:at + 1])
    assert [bob.receive_envelope() for _ in envelopes] == envelopes
    assert [alice.receive_frame()[1:] for _ in envelopes] == [(PONG, b"?")] * 3


def test_64_bit_length_split_around_the_header(pair):
    alice, bob = pair
    envelope = encode_envelope(bob.identity.mailbox, os.urandom(65536))
    frame = encode_frame(BINARY, envelope, mask=os.urandom(4))
    for cut in list(range(1, 70)) + [16384, 16385, len(frame) - 1]:
        alice.send(frame[:cut])
        alice.send(frame[cut:])
        assert bob.receive_envelope() == envelope, cut


def test_many_frames_in_one_segment_cut_anywhere(pair):
    alice, bob = pair
    envelopes = [encode_envelope(bob.identity.mailbox, os.urandom(1 + i * 13 % 700))
                 for i in range(400)]
    stream = b"".join(encode_frame(BINARY, e, mask=os.urandom(4)) for e in envelopes)
    step = 4099
    for at in range(0, len(stream), step):
        alice.send(stream[at:at + step])
    assert [bob.receive_envelope() for _ in envelopes] == envelopes


def test_every_length_around_the_forms(pair):
    alice, bob = pair
    for size in (125 - 48, 126 - 48, 127 - 48, 65535 - 48, 65536 - 48, 65537 - 48, 65536):
        envelope = encode_envelope(bob.identity.mailbox, os.urandom(size))
        alice.send_frame(BINARY, envelope)
        assert bob.receive_envelope() == envelope


def test_zero_mask(pair):
    alice, bob = pair
    envelope = encode_envelope(bob.identity.mailbox, os.urandom(100))
    alice.send_frame(BINARY, envelope, mask=bytes(4))
    assert bob.receive_envelope() == envelope


def test_fragments_with_pings_between(pair):
    alice, bob = pair
    envelope = encode_envelope(bob.identity.mailbox, os.urandom(5000))
    alice.send_frame(BINARY, envelope[:1], fin=False)
    for at in range(1, len(envelope), 611):
        alice.send_frame(PING, b"at %d" % at)
        assert alice.receive_frame() == (True, PONG, b"at %d" % at)
        alice.send_frame(CONTINUATION, envelope[at:at + 611], fin=False)
    alice.send_frame(CONTINUATION, b"")
    assert bob.receive_envelope() == envelope


def test_fragments_of_one_byte_and_of_none(pair):
    alice, bob = pair
    envelope = encode_envelope(bob.identity.mailbox, b"tiny")
    frames = encode_frame(BINARY, b"", fin=False)
    for byte in envelope:
        frames += encode_frame(CONTINUATION, bytes([byte]), fin=False)
        frames += encode_frame(CONTINUATION, b"", fin=False)
    alice.send(frames + encode_frame(CONTINUATION, b""))
    assert bob.receive_envelope() == envelope


def test_fragmented_frames_split_at_every_byte(pair):
    alice, bob = pair
    envelope = encode_envelope(bob.identity.mailbox, b"0123456789")
    stream = (encode_frame(BINARY, envelope[:20], fin=False) + encode_frame(PING, b"p") +
              encode_frame(CONTINUATION, envelope[20:]))
    for cut in range(1, len(stream)):
        alice.send(stream[:cut])
        alice.send(stream[cut:])
        assert bob.receive_envelope() == envelope, cut
        assert alice.receive_frame() == (True, PONG, b"p")


def test_fragmented_text_cut_inside_a_character(pair):
    alice, _ = pair
    text = json.dumps({"type": "user_list", "filler": "€uro 𝄞"}, ensure_ascii=False).encode()
    for cut in range(1, len(text)):
        alice.send_frame(TEXT, text[:cut], fin=False)
        alice.send_frame(CONTINUATION, text[cut:])
        assert len(alice.receive_json("user_list")["users"]) == 2


def test_largest_fragmented_envelope(pair):
    alice, bob = pair
    envelope = encode_envelope(bob.identity.mailbox, os.urandom(65536))
    alice.send_frame(BINARY, envelope[:30000], fin=False)
    alice.send_frame(CONTINUATION, envelope[30000:])
    assert bob.receive_envelope() == envelope


def test_ping_of_every_size(pair):
    alice, _ = pair
    for size in range(126):
        said = os.urandom(size)
        alice.send_frame(PING, said)
        assert alice.receive_frame() == (True, PONG, said)


def test_unasked_pong_is_ignored(pair):
    alice, _ = pair
    alice.send_frame(PONG, b"nobody asked")
    alice.send_frame(PING, b"?")
    assert alice.receive_frame() == (True, PONG, b"?")


def test_whole_messages_after_fragmented_ones(relay, pair):
    alice, bob = pair
    for _ in range(50):
        envelope = encode_envelope(bob.identity.mailbox, os.urandom(64))
        alice.send_frame(BINARY, envelope[:50], fin=False)
        alice.send_frame(CONTINUATION, envelope[50:])
        alice.send_frame(BINARY, envelope)
        assert bob.receive_envelope() == bob.receive_envelope() == envelope
    for one in pair:
        one.close()
    assert relay.stop()["messages_fragmented"] == 50


def test_end_of_stream_together_with_data(relay):
    """Failure case 4: what came in the last segments before the end counts."""
    bob_identity = Identity()
    bob = RawSocket(relay.address()).join(bob_identity)
    for i in range(100):
        alice = RawSocket(relay.address()).join(Identity())
        envelopes = [encode_envelope(bob_identity.mailbox, os.urandom(1 + i * 500))
                     for _ in range(3)]
        alice.send(b"".join(encode_frame(BINARY, e) for e in envelopes))
        alice.half_close()
        assert [bob.receive_envelope() for _ in envelopes] == envelopes
        alice.close()
    bob.close()
    assert relay.stop()["envelopes_forwarded"] == 300


def test_close_frame_together_with_data(relay):
    bob_identity = Identity()
    bob = RawSocket(relay.address()).join(bob_identity)
    alice = RawSocket(relay.address()).join(Identity())
    envelope = encode_envelope(bob_identity.mailbox, b"last words")
    alice.send(encode_frame(BINARY, envelope) + encode_frame(CLOSE, b"\x03\xe8"))
    assert bob.receive_envelope() == envelope
    assert alice.receive_close() == 1000
    alice.close()
    bob.close()


def test_end_of_stream_inside_a_frame(relay):
    envelope = encode_frame(BINARY, encode_envelope(bytes(16), bytes(3000)))
    for cut in (1, 3, 9, 60, 2000):
        with RawSocket(relay.address()).join(Identity()) as alice:
            alice.send(envelope[:cut])
    relay.await_stats(lambda s: s["connections_closed"] == 5)
    assert relay.stop()["envelopes_in"] == 0


class CutSocket(RawSocket):
    """TLS over memory BIOs, so that every record goes out in pieces of `step` bytes."""

    def __init__(self, relay, step):
        super().__init__(relay.address("wss"))
        self.step = step
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = trusting(relay).wrap_bio(self._in, self._out, server_hostname="localhost")
        self._until(self.tls.do_handshake)

    def _flush(self):
        pending = self._out.read()
        for at in range(0, len(pending), self.step):
            self.socket.sendall(pending[at:at + self.step])

    def _until(self, act):
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                self._flush()
                more = self.socket.recv(65536)
                assert more, "the relay ended the stream"
                self._in.write(more)
            finally:
                self._flush()

    def send(self, data):
        self.tls.write(data)
        self._flush()

    def receive_exactly(self, count):
        while len(self._received) < count:
            self._received += self._until(lambda: self.tls.read(65536))
        out, self._received = self._received[:count], self._received[count:]
        return out


@pytest.mark.parametrize("step", [1, 7, 100])
def test_tls_bytes_in_small_segments(start_relay, step):
    """Failure case 10: ClientHello (two segments with ML-KEM) and records cut every few bytes."""
    relay = start_relay("--workers", 1, listen=("wss",))
    with CutSocket(relay, step) as client:
        identity = Identity()
        client.join(identity)
        envelope = encode_envelope(identity.mailbox, os.urandom(1000))
        client.send_frame(BINARY, envelope)
        assert client.receive_envelope() == envelope
    assert relay.stop()["tls_handshakes"] == 1


def test_partial_frames_of_many_connections(relay):
    """Buffers of begun messages come back when their connections leave."""
    before = relay.resident_kb()
    for _ in range(5):
        sockets = [RawSocket(relay.address()).join(Identity()) for _ in range(40)]
        for one in sockets:
            one.send(encode_frame(BINARY, announce=60000) + bytes(50000))
        for one in sockets:
            one.close()
    eventually(lambda: relay.descriptors() < 40)
    stats = relay.await_stats(lambda s: s["connections_closed"] == 200)
    assert stats["closed_no_buffers"] == 0
    assert is_sanitized() or relay.resident_kb() - before < 60000
