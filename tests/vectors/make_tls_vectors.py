#!/usr/bin/env python3
"""Protected records of TLS 1.3 (RFC 8446 sections 5.2, 5.3, 7.1 to 7.3), made with the Python
package `cryptography`; --check compares tls_record.txt and recomputes rfc8448.txt."""
import pathlib
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

HERE = pathlib.Path(__file__).resolve().parent
SUITES = {  # hash, AEAD, bytes of a key
    0x1301: (hashes.SHA256, AESGCM, 16),
    0x1302: (hashes.SHA384, AESGCM, 32),
    0x1303: (hashes.SHA256, ChaCha20Poly1305, 32),
}
HEAD = """# Records of TLS 1.3, made by make_tls_vectors.py: the generation counts the key
# updates since `secret`, and `padding` the zeros after the content type.
"""


def expand_label(digest, secret, label, length):
    name = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
    return HKDFExpand(digest(), length, info).derive(secret)


def protect(v):
    digest, aead, key_bytes = SUITES[int.from_bytes(v["suite"], "big")]
    secret = v["secret"]
    for _ in range(v["generation"][0]):
        secret = expand_label(digest, secret, b"traffic upd", digest.digest_size)
    key = expand_label(digest, secret, b"key", key_bytes)
    iv = expand_label(digest, secret, b"iv", 12)
    nonce = bytes(a ^ b for a, b in zip(iv, bytes(4) + v["sequence"]))
    inner = v["content"] + v["type"] + bytes(v["padding"][0])
    header = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
    return iv, header + aead(key).encrypt(nonce, inner, header)


def vectors():
    for suite, (digest, _, _) in SUITES.items():
        for generation, sequence, kind, length, padding in (
            (0, 0, 23, 0, 0), (0, 1, 23, 1, 0), (0, 255, 22, 5, 0), (0, 2**32, 21, 2, 0),
            (1, 0, 23, 300, 0), (3, 0x0123456789ABCDEF, 23, 17, 0), (2, 7, 23, 0, 33),
            (0, 2**64 - 1, 22, 40, 255),
        ):
            yield {
                "suite": suite.to_bytes(2, "big"),
                "secret": bytes((suite + 7 * i) & 255 for i in range(digest.digest_size)),
                "generation": bytes([generation]),
                "sequence": sequence.to_bytes(8, "big"),
                "type": bytes([kind]),
                "content": bytes((3 * i + length) & 255 for i in range(length)),
                "padding": bytes([padding]),
            }


def make():
    text = HEAD
    for v in vectors():
        v["iv"], v["record"] = protect(v)
        lines = [f"{name} = {value.hex()}".strip() for name, value in v.items()]
        text += "\n" + "\n".join(lines) + "\n"
    return text


def recompute(name):
    right = []
    for block in (HERE / name).read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if lines:
            v = {k.strip(): bytes.fromhex(x) for k, x in (line.split("=", 1) for line in lines)}
            right.append(protect(v) == (v["iv"], v["record"]))
    print(f"{name}: {sum(right)} of {len(right)}")
    return bool(right) and all(right)


def main():
    if sys.argv[1:] == ["--check"]:
        same = (HERE / "tls_record.txt").read_text() == make()
        print("tls_record.txt:", "as made" if same else "differs")
        return 0 if recompute("rfc8448.txt") and same else 1
    (HERE / "tls_record.txt").write_text(make())
    return 0


if __name__ == "__main__":
    sys.exit(main())
