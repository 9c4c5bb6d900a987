"""Frames that break RFC 6455: each is answered with its close code, counted by its name, and
disturbs nobody else.
"""
import struct

import pytest

from raw_ws import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, encode_frame)
from sealpost_client import HEADER_BYTES, Identity, encode_envelope

CONTROL_BYTES = 98304
MESSAGE_BYTES = HEADER_BYTES + 65536


def close_frame(code, reason=b""):
    return encode_frame(CLOSE, struct.pack(">H", code) + reason)


BAD = {
    # name: (bytes, close code, counter)
    "reserved_bit_1": (encode_frame(BINARY, b"x", reserved=4), 1002, "frame_bad_reserved_bits"),
    "reserved_bit_2": (encode_frame(TEXT, b"x", reserved=2), 1002, "frame_bad_reserved_bits"),
    "reserved_bit_3": (encode_frame(PING, b"x", reserved=1), 1002, "frame_bad_reserved_bits"),
    **{f"opcode_{opcode}": (encode_frame(opcode, b"x"), 1002, "frame_bad_opcode")
       for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "not_masked": (encode_frame(BINARY, b"x", mask=None), 1002, "frame_not_masked"),
    "not_masked_ping": (encode_frame(PING, b"", mask=None), 1002, "frame_not_masked"),
    "length_16_bits_for_125": (encode_frame(BINARY, bytes(125), length_form=16), 1002,
                               "frame_bad_length"),
    "length_64_bits_for_125": (encode_frame(BINARY, bytes(125), length_form=64), 1002,
                               "frame_bad_length"),
    "length_64_bits_for_65535": (encode_frame(BINARY, bytes(65535), length_form=64), 1002,
                                 "frame_bad_length"),
    "length_top_bit": (encode_frame(BINARY, announce=2**63, length_form=64), 1002,
                       "frame_bad_length"),
    # Announced, never sent: refused before any of it is buffered.
    "text_too_large": (encode_frame(TEXT, announce=CONTROL_BYTES + 1), 1009, "frame_too_large"),
    "binary_too_large": (encode_frame(BINARY, announce=MESSAGE_BYTES + 1), 1009,
                         "frame_too_large"),
    "binary_far_too_large": (encode_frame(BINARY, announce=2**62), 1009, "frame_too_large"),
    "fragment_too_large": (encode_frame(BINARY, fin=False, announce=MESSAGE_BYTES + 1), 1009,
                           "frame_too_large"),
    "continuation_too_large": (encode_frame(TEXT, b"x", fin=False) +
                               encode_frame(CONTINUATION, announce=CONTROL_BYTES + 1), 1009,
                               "frame_too_large"),
    "fragments_too_large_together": (
        encode_frame(TEXT, b"x" * 60000, fin=False) +
        encode_frame(CONTINUATION, b"x" * 60000), 1009, "frame_too_large"),
    "binary_fragments_too_large_together": (
        encode_frame(BINARY, bytes(40000), fin=False) +
        encode_frame(CONTINUATION, bytes(MESSAGE_BYTES + 1 - 40000)), 1009, "frame_too_large"),
    "ping_of_126": (encode_frame(PING, bytes(126)), 1002, "frame_bad_control"),
    "pong_of_126": (encode_frame(PONG, bytes(126)), 1002, "frame_bad_control"),
    "close_of_126": (close_frame(1000, b"x" * 124), 1002, "frame_bad_control"),
    "ping_fragmented": (encode_frame(PING, b"x", fin=False), 1002, "frame_bad_control"),
    "close_fragmented": (encode_frame(CLOSE, b"\x03\xe8", fin=False), 1002, "frame_bad_control"),
    "continuation_without_start": (encode_frame(CONTINUATION, b"x"), 1002, "frame_bad_sequence"),
    "continuation_after_the_last": (
        encode_frame(TEXT, b"{", fin=False) + encode_frame(CONTINUATION, b"}") +
        encode_frame(CONTINUATION, b"x"), 1002, "frame_bad_sequence"),
    "text_inside_a_message": (encode_frame(TEXT, b"x", fin=False) + encode_frame(TEXT, b"x"),
                              1002, "frame_bad_sequence"),
    "binary_inside_a_message": (encode_frame(TEXT, b"x", fin=False) +
                                encode_frame(BINARY, b"x"), 1002, "frame_bad_sequence"),
    "close_of_1_byte": (encode_frame(CLOSE, b"\x03"), 1002, "frame_bad_close"),
    **{f"close_code_{code}": (close_frame(code), 1002, "frame_bad_close")
       for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)},
    "close_reason_not_utf8": (close_frame(1000, b"\xff"), 1007, "text_not_utf8"),
    "text_not_utf8": (encode_frame(TEXT, b'{"a":"\xff"}'), 1007, "text_not_utf8"),
    "text_surrogate": (encode_frame(TEXT, b"\xed\xa0\x80"), 1007, "text_not_utf8"),
    "text_overlong": (encode_frame(TEXT, b"\xc0\x80"), 1007, "text_not_utf8"),
    "text_cut_short": (encode_frame(TEXT, b"\xe2\x82"), 1007, "text_not_utf8"),
    "text_fragmented_not_utf8": (encode_frame(TEXT, b"\xe2\x82", fin=False) +
                                 encode_frame(CONTINUATION, b"\x41"), 1007, "text_not_utf8"),
    "text_fragmented_cut_short": (encode_frame(TEXT, b"a", fin=False) +
                                  encode_frame(CONTINUATION, b"\xe2\x82"), 1007,
                                  "text_not_utf8"),
    "too_many_fragments": (encode_frame(TEXT, b"", fin=False) +
                           encode_frame(CONTINUATION, b"", fin=False) * 1024, 1008,
                           "frame_too_many_fragments"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_frame(relay, name):
    sent, code, counter = BAD[name]
    neighbour = RawSocket(relay.address()).join(Identity())
    with RawSocket(relay.address()).join(Identity()) as bad:
        bad.send(sent)
        assert bad.receive_close() == code
    neighbour.send_frame(BINARY, encode_envelope(Identity().mailbox, b"x"))
    assert neighbour.receive_json("error")["code"] == "recipient_absent"
    neighbour.close()
    stats = relay.stop()
    assert stats[counter] == 1
    others = {c: n for c, n in stats.items()
              if n and c.startswith(("frame_", "text_")) and c != counter}
    assert not others


def test_bad_frame_before_login(relay):
    with RawSocket(relay.address()).upgrade() as bad:
        bad.send(encode_frame(BINARY, b"x", mask=None))
        assert bad.receive_close() == 1002


def test_nothing_is_taken_behind_a_bad_frame(relay):
    bob = RawSocket(relay.address()).join(Identity())
    identity = Identity()
    with RawSocket(relay.address()).join(identity) as bad:
        envelope = encode_frame(BINARY, encode_envelope(identity.mailbox, b"never"))
        bad.send(encode_frame(3) + envelope)
        assert bad.receive_frame().opcode == CLOSE
        bad.expect_end()
    bob.close()
    assert relay.stop()["envelopes_in"] == 0


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000,
                                  3999, 4000, 4999])
def test_good_close_is_echoed(relay, code):
    with RawSocket(relay.address()).join(Identity()) as client:
        client.send(close_frame(code, "gründe".encode()))
        assert client.receive_close() == code
    assert relay.stop()["closed_by_peer"] == 1


def test_close_without_code(relay):
    with RawSocket(relay.address()).join(Identity()) as client:
        client.send(encode_frame(CLOSE))
        assert client.receive_close() in (1000, 1005)
