#!/usr/bin/env python3
"""Write x3dh.txt: handshakes, sessions and messages from fixed keys.

An independent recomputation of docs/PROTOCOL.md sections 2, 5 and 6, with nothing but the standard
library and the package `cryptography`. `make_x3dh_vectors.py --check` compares instead of writing.
"""
import hashlib
import hmac
import pathlib
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

OUTPUT = pathlib.Path(__file__).resolve().parent / "x3dh.txt"
P = 2**255 - 19
RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw


def secret(name):
    return hashlib.sha256(b"sealpost test vector: " + name.encode()).digest()


def x25519_public(scalar):
    return X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes(*RAW)


def dh(scalar, point):
    key = X25519PrivateKey.from_private_bytes(scalar)
    return key.exchange(X25519PublicKey.from_public_bytes(point))


def ed25519_public(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(*RAW)


def seed_to_x25519(seed):
    return hashlib.sha512(seed).digest()[:32]  # X25519 clamps


def public_to_x25519(public):
    """The birational map of RFC 7748 section 4.1: u = (1 + y) / (1 - y)."""
    y = int.from_bytes(public, "little") & (2**255 - 1)
    return ((1 + y) * pow(1 - y, P - 2, P) % P).to_bytes(32, "little")


def encode(key):
    return b"\x05" + key


def hkdf(ikm, info, length):
    return HKDF(hashes.SHA256(), length, bytes(32), info).derive(ikm)


def mailbox(identity_key):
    return hashlib.sha256(b"sealpost.v1 mailbox" + identity_key).digest()[:16]


def nonce(counter):
    return bytes(4) + counter.to_bytes(8, "big")


def ad(sender, recipient, kind, counter):
    return mailbox(sender) + mailbox(recipient) + bytes([kind]) + counter.to_bytes(8, "big")


def session_message(key, session_id, sender, recipient, counter, text):
    sealed = AESGCM(key).encrypt(nonce(counter), text, ad(sender, recipient, 2, counter))
    return session_id + counter.to_bytes(8, "big") + sealed


def handshake(name, with_one_time):
    ik_a, ik_b = secret(name + " IK_A"), secret(name + " IK_B")
    spk, opk, ek = secret(name + " SPK_B"), secret(name + " OPK_B"), secret(name + " EK_A")
    pub_a, pub_b = ed25519_public(ik_a), ed25519_public(ik_b)
    xa, xb = public_to_x25519(pub_a), public_to_x25519(pub_b)
    assert x25519_public(seed_to_x25519(ik_a)) == xa
    spk_pub, opk_pub, ek_pub = x25519_public(spk), x25519_public(opk), x25519_public(ek)
    spk_id, opk_id = 0x01020304, 0xA1B2C3D4 if with_one_time else 0
    signature = Ed25519PrivateKey.from_private_bytes(ik_b).sign(encode(spk_pub))

    dh1, dh2, dh3 = dh(seed_to_x25519(ik_a), spk_pub), dh(ek, xb), dh(ek, spk_pub)
    assert dh1 == dh(spk, xa) and dh2 == dh(seed_to_x25519(ik_b), ek_pub)
    dh4 = dh(ek, opk_pub) if with_one_time else b""
    sk = hkdf(b"\xff" * 32 + dh1 + dh2 + dh3 + dh4, b"sealpost.v1 x3dh", 32)
    header_key = hkdf(dh3, b"sealpost.v1 header", 32)
    x3dh_ad = encode(xa) + encode(xb)
    keys = hkdf(sk, b"sealpost.v1 session" + x3dh_ad, 104)
    key_ab, id_ab, id_ba = keys[:32], keys[64:72], secret(name + " id B->A")[:8]
    answer = hkdf(keys[32:64], b"sealpost.v1 answer" + id_ba, 64)
    key_ba = answer[:32]
    chains = hkdf(sk, b"sealpost.v1 ratchet" + x3dh_ad, 72)
    chain_ba = hkdf(chains[32:64], b"sealpost.v1 answer" + id_ba, 64)[:32]
    reply_key = hmac.digest(chain_ba, b"\x01", "sha256")
    message_key = hmac.digest(chains[:32], b"\x01", "sha256")

    hello, text, reply = b"the first words", b"a later message of A", b""
    keys_used = spk_id.to_bytes(4, "big") + opk_id.to_bytes(4, "big") + ek_pub

    def initial(flags, key):
        header = bytes([1, flags, 0, 0]) + keys_used
        front = header + AESGCM(header_key).encrypt(nonce(0), pub_a, header)
        return front + AESGCM(key).encrypt(nonce(0), hello, front + ad(pub_a, pub_b, 1, 0))

    fields = {
        "identity_seed_a": ik_a, "identity_seed_b": ik_b, "identity_a": pub_a, "identity_b": pub_b,
        "mailbox_a": mailbox(pub_a), "mailbox_b": mailbox(pub_b),
        "signed_prekey_secret": spk, "signed_prekey": spk_pub, "signature": signature,
        "signed_prekey_id": spk_id.to_bytes(4, "big"),
        "one_time_prekey_secret": opk if with_one_time else b"",
        "one_time_prekey": opk_pub if with_one_time else b"",
        "one_time_prekey_id": opk_id.to_bytes(4, "big"),
        "ephemeral_secret": ek, "ephemeral": ek_pub,
        "sk": sk, "header_key": header_key, "ad": x3dh_ad,
        "key_ab": key_ab, "key_ba": key_ba, "id_ab": id_ab, "id_ba": id_ba,
        "root_ab": keys[72:], "root_ba": answer[32:],
        "chain_ab": chains[:32], "chain_ba": chain_ba, "ratchet_id_ab": chains[64:],
        "initial_text": hello, "initial": initial(int(with_one_time), key_ab),
        "initial_ratchet": initial(int(with_one_time) | 4, message_key),
        "session_text": text, "session": session_message(key_ab, id_ab, pub_a, pub_b, 1, text),
        "reply_text": reply, "reply": session_message(key_ba, id_ba, pub_b, pub_a, 0, reply),
        "reply_ratchet": session_message(reply_key, id_ba, pub_b, pub_a, 0, reply),
    }
    lines = [f"{key} = {value.hex()}".rstrip() for key, value in fields.items()]
    return "\n".join([f"# {name}", *lines]) + "\n"


def main():
    text = "# X3DH, sessions and messages from fixed keys. Written by make_x3dh_vectors.py.\n\n"
    text += handshake("with a one-time prekey", True) + "\n"
    text += handshake("without a one-time prekey", False)
    if "--check" in sys.argv[1:]:
        return 0 if OUTPUT.read_text() == text else 1
    OUTPUT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
