"""Envelopes and control messages that are wrong inside good frames: each gets its named error on
the open connection, is counted by its name, and the connection goes on.
"""
import json
import struct

import pytest

from raw_ws import BINARY, CONTINUATION, TEXT, RawSocket
from sealpost_client import ENVELOPE_BYTES, Identity, encode64, encode_envelope


def header(version=1, kind=2, flags=0, zero=0, length=1, word=0):
    return (struct.pack(">BBBBI", version, kind, flags, zero, length) + bytes(32) +
            struct.pack(">II", 0, word))


BAD_ENVELOPES = {
    "version_0": (header(version=0) + b"x", "envelope_bad_version"),
    "version_2": (header(version=2) + b"x", "envelope_bad_version"),
    "kind_0": (header(kind=0) + b"x", "envelope_bad_kind"),
    "unknown_flag": (header(flags=4) + b"x", "envelope_bad_flags"),
    "all_flags": (header(flags=255) + b"x", "envelope_bad_flags"),
    "receipt_without_durable": (header(flags=2) + b"x", "envelope_bad_flags"),
    "reserved_byte": (header(zero=1) + b"x", "envelope_bad_flags"),
    "reserved_word": (header(word=1) + b"x", "envelope_bad_flags"),
    "length_over_what_follows": (header(length=2) + b"x", "envelope_bad_length"),
    "length_under_what_follows": (header(length=1) + b"xx", "envelope_bad_length"),
    "no_ciphertext": (header(length=0), "envelope_bad_length"),
    "length_over_the_limit": (header(length=ENVELOPE_BYTES + 1) + b"x", "envelope_too_large"),
    "length_at_its_most": (header(length=2**32 - 1) + b"x", "envelope_too_large"),
    "empty": (b"", "envelope_truncated"),
    "one_byte": (b"\x01", "envelope_truncated"),
    "header_cut_by_one": (header()[:47], "envelope_truncated"),
}


def still_works(client):
    client.send_frame(BINARY, encode_envelope(bytes(16), b"x"))
    assert client.receive_json("error")["code"] == "recipient_absent"


@pytest.mark.parametrize("name", BAD_ENVELOPES)
@pytest.mark.parametrize("fragmented", [False, True], ids=["whole", "fragmented"])
def test_bad_envelope(relay, name, fragmented):
    envelope, counter = BAD_ENVELOPES[name]
    with RawSocket(relay.address()).join(Identity()) as client:
        if fragmented:
            client.send_frame(BINARY, envelope[:1], fin=False)
            client.send_frame(CONTINUATION, envelope[1:])
        else:
            client.send_frame(BINARY, envelope)
        assert client.receive_json("error")["code"] == "bad_envelope"
        still_works(client)
    stats = relay.stop()
    assert stats[counter] == 1
    assert not [c for c, n in stats.items() if c.startswith("envelope_") and n and c != counter]


BAD_JSON = {
    "empty": b"", "blank": b" ", "word": b"hello", "number": b"1", "string": b'"x"',
    "array": b"[]", "null": b"null", "open": b'{"type":"user_list"', "two_objects": b"{}{}",
    "trailing_comma": b'{"type":"user_list",}', "comment": b'{"type":"user_list"}//',
    "single_quotes": b"{'type':'user_list'}", "nul": b'{"type":"user_list"}\0',
    "control_character": b'{"type":"user\nlist"}', "bare_nan": b'{"type":NaN}',
    "bom": b'\xef\xbb\xbf{"type":"user_list"}', "lone_surrogate": b'{"type":"\\ud800"}',
    "deep": b'{"a":' * 10000, "deep_arrays": b"[" * 90000,
}

KEY, SIGNATURE = encode64(bytes(32)), encode64(bytes(64))
SIGNED = {"id": 1, "key": KEY, "signature": SIGNATURE}
BAD_MESSAGES = {
    "no_type": {}, "type_null": {"type": None}, "type_number": {"type": 1},
    "type_unknown": {"type": "launch"}, "type_prefix": {"type": "user_lis"},
    "type_with_nul": {"type": "user_list\0"},
    "id_negative": {"type": "user_list", "id": -1}, "id_string": {"type": "user_list", "id": "1"},
    "id_real": {"type": "user_list", "id": 1.5}, "id_too_large": {"type": "user_list",
                                                                   "id": 2**53},
    "id_null": {"type": "user_list", "id": None},
    "cursor_string": {"type": "user_list", "cursor": "0"},
    "cursor_negative": {"type": "user_list", "cursor": -1},
    "bundle_without_name": {"type": "get_bundle"},
    "bundle_name_number": {"type": "get_bundle", "name": 7},
    "bundle_name_too_long": {"type": "get_bundle", "name": "a" * 33},
    "pubkey_bad_name": {"type": "get_pubkey", "name": "A"},
    "signed_prekey_array": {"type": "publish_prekeys", "signed_prekey": []},
    "signed_prekey_id_0": {"type": "publish_prekeys", "signed_prekey": {**SIGNED, "id": 0}},
    "signed_prekey_id_33_bits": {"type": "publish_prekeys",
                                 "signed_prekey": {**SIGNED, "id": 2**32}},
    "signed_prekey_short_key": {"type": "publish_prekeys",
                                "signed_prekey": {**SIGNED, "key": KEY[:-1]}},
    "signed_prekey_padded_key": {"type": "publish_prekeys",
                                 "signed_prekey": {**SIGNED, "key": KEY + "="}},
    "signed_prekey_plain_base64": {"type": "publish_prekeys",
                                   "signed_prekey": {**SIGNED, "key": "+" + KEY[1:]}},
    "signed_prekey_no_signature": {"type": "publish_prekeys",
                                   "signed_prekey": {"id": 1, "key": KEY}},
    "one_time_prekeys_object": {"type": "publish_prekeys", "one_time_prekeys": {}},
    "one_time_prekey_number": {"type": "publish_prekeys", "one_time_prekeys": [1]},
    "one_time_prekey_twice": {"type": "publish_prekeys",
                              "one_time_prekeys": [{"id": 1, "key": KEY}, {"id": 1, "key": KEY}]},
    "kem_prekey_array": {"type": "publish_prekeys", "kem_prekey": []},
    "kem_prekey_of_32_bytes": {"type": "publish_prekeys", "kem_prekey": SIGNED},
    "one_time_kem_prekeys_object": {"type": "publish_prekeys", "one_time_kem_prekeys": {}},
    "one_time_kem_prekey_number": {"type": "publish_prekeys", "one_time_kem_prekeys": [1]},
    "signed_prekey_second_signature": {"type": "publish_prekeys", "signed_prekey": {
        **SIGNED, "ml_dsa_65_signature": "A" * 4412}},
    "suite_unknown": {"type": "get_bundle", "name": "a", "suite": "x4dh"},
    "suite_null": {"type": "get_bundle", "name": "a", "suite": None},
    "chat_without_to": {"type": "chat_request", "body": {}},
    "relay_without_envelope": {"type": "relay"},
    "relay_envelope_number": {"type": "relay", "envelope": 1},
    "relay_envelope_spaces": {"type": "relay", "envelope": "AA AA"},
    "ack_without_ids": {"type": "ack"}, "ack_ids_string": {"type": "ack", "message_ids": "A" * 22},
    "ack_id_number": {"type": "ack", "message_ids": [1]},
    "ack_id_short": {"type": "ack", "message_ids": ["A" * 21]},
    "ack_id_of_another_length": {"type": "ack", "message_ids": ["A" * 43]},
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json(relay, name):
    with RawSocket(relay.address()).join(Identity()) as client:
        client.send_frame(TEXT, BAD_JSON[name])
        assert client.receive_json("error")["code"] == "bad_json"
        still_works(client)
    assert relay.stop()["control_bad_json"] == 1


@pytest.mark.parametrize("name", BAD_MESSAGES)
def test_bad_message(relay, name):
    message = {"id": 5, **BAD_MESSAGES[name]}
    with RawSocket(relay.address()).join(Identity()) as client:
        client.send_json(message)
        answer = client.receive_json("error")
        assert answer["code"] == "bad_message"
        assert name.startswith("id_") or answer["id"] == 5
        still_works(client)
    assert relay.stop()["control_bad_message"] == 1


@pytest.mark.parametrize("claim", [
    {}, {"name": "x"}, {"name": "x", "signatures": []}, {"name": "x", "signatures": {}},
    {"name": "x", "signatures": {"ed25519": SIGNATURE[:-1]}},
    {"name": "x", "signatures": {"ed25519": SIGNATURE}, "identity_keys": "k"},
    {"name": "x", "signatures": {"ed25519": SIGNATURE}, "identity_keys": {"ed25519": KEY[1:]}},
    {"name": "x", "signatures": {"ed25519": SIGNATURE, "ml_dsa_65": SIGNATURE},
     "identity_keys": {"ed25519": KEY}},
    {"name": "x", "signatures": {"ed25519": SIGNATURE},
     "identity_keys": {"ed25519": KEY, "ml_dsa_65": KEY}}])
def test_bad_registration(relay, claim):
    with RawSocket(relay.address()).upgrade() as client:
        client.receive_json("hello")
        client.send_json({"type": "register", "id": 5, **claim})
        answer = client.receive_json("error")
        assert (answer["code"], answer["id"]) == ("bad_message", 5)


def test_unknown_members_are_ignored(relay):
    with RawSocket(relay.address()).join(Identity()) as client:
        message = {"type": "user_list", "ml_dsa_65": {"x": [1]}, "": None, "cursor": 0}
        assert client.ask(message)["type"] == "user_list"


def test_id_at_its_ends_comes_back(relay):
    with RawSocket(relay.address()).join(Identity()) as client:
        for number in (0, 2**53 - 1):
            client.send_json({"type": "user_list", "id": number})
            assert client.receive_json("user_list")["id"] == number
        client.send_json({"type": "user_list"})
        assert "id" not in client.receive_json("user_list")


def test_largest_control_message(relay):
    with RawSocket(relay.address()).join(Identity()) as client:
        message = json.dumps({"type": "user_list", "filler": ""})
        filler = "x" * (98304 - len(message))
        client.send_json({"type": "user_list", "filler": filler})
        client.receive_json("user_list")
