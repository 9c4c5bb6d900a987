#!/usr/bin/env python3
"""Recompute every published vector of this folder with the Python package `cryptography`."""
import pathlib
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = pathlib.Path(__file__).resolve().parent


def records(name):
    for block in (HERE / name).read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if lines:
            pairs = (line.split("=", 1) for line in lines)
            yield {key.strip(): bytes.fromhex(value.strip()) for key, value in pairs}


def gcm(v):
    return AESGCM(v["key"]).encrypt(v["iv"], v["plaintext"], v["aad"]) == v["ciphertext"] + v["tag"]


def ed25519(v):
    key = Ed25519PrivateKey.from_private_bytes(v["seed"])
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    public = key.public_key().public_bytes(*raw)
    return public == v["public"] and key.sign(v["message"]) == v["signature"]


def hkdf(v):
    kdf = HKDF(hashes.SHA256(), len(v["okm"]), v["salt"], v["info"])
    return kdf.derive(v["ikm"]) == v["okm"]


def x25519(v):
    key = X25519PrivateKey.from_private_bytes(v["scalar"])
    return key.exchange(X25519PublicKey.from_public_bytes(v["point"])) == v["result"]


def main():
    wrong = 0
    files = {"aes256gcm.txt": gcm, "rfc8032.txt": ed25519, "rfc5869.txt": hkdf,
             "rfc7748.txt": x25519}
    for name, check in files.items():
        results = [check(vector) for vector in records(name)]
        print(f"{name}: {sum(results)} of {len(results)}")
        wrong += len(results) - sum(results)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
