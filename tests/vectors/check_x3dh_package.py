#!/usr/bin/env python3
"""Hold the X3DH handshakes of this folder against Debian's python3-x3dh, another X3DH altogether.

From the same keys both of its sides must come to the secret and the associated data of the vectors.
Exits with 77, which CTest takes for a skip, where the package is not installed: the tests need it
nowhere else.
"""
import asyncio
import pathlib
import sys
from unittest import mock

try:
    import x3dh
    import xeddsa
    from x3dh.models import BaseStateModel, IdentityKeyPairModel, SignedPreKeyPairModel
    from x3dh.types import SecretType
except ImportError as error:
    print(f"skipped: {error} (apt-get install python3-x3dh)")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
FORMAT = x3dh.IdentityKeyFormat.ED_25519


def records(name):
    for block in (HERE / name).read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if lines:
            pairs = (line.split("=", 1) for line in lines)
            yield {key.strip(): bytes.fromhex(value.strip()) for key, value in pairs}


class State(x3dh.BaseState):
    @staticmethod
    def _encode_public_key(key_format, pub):
        if key_format is FORMAT:
            pub = xeddsa.ed25519_pub_to_curve25519_pub(pub)
        return b"\x05" + pub


def state(seed, signed_prekey, signature, one_time_prekey):
    model = BaseStateModel(
        identity_key=IdentityKeyPairModel(secret=seed, secret_type=SecretType.SEED),
        signed_pre_key=SignedPreKeyPairModel(priv=signed_prekey, sig=signature, timestamp=0),
        old_signed_pre_key=None,
        pre_keys=frozenset([one_time_prekey] if one_time_prekey else []))
    return State.from_model(model, FORMAT, x3dh.HashFunction.SHA_256, b"sealpost.v1 x3dh")


async def agrees(v):
    # A's own prekeys take no part.
    a = state(v["identity_seed_a"], bytes([1] * 32), bytes(64), b"")
    b = state(v["identity_seed_b"], v["signed_prekey_secret"], v["signature"],
              v["one_time_prekey_secret"])
    with mock.patch("secrets.token_bytes", return_value=v["ephemeral_secret"]):
        active = await a.get_shared_secret_active(b.bundle, require_pre_key=False)
    passive = await b.get_shared_secret_passive(active[2], require_pre_key=False)
    assert active[2].ephemeral_key == v["ephemeral"]
    assert (active[2].pre_key or b"") == v["one_time_prekey"]
    return active[:2] == passive[:2] == (v["sk"], v["ad"])


def main():
    vectors = [*records("x3dh.txt"), *(v for v in records("pqxdh.txt") if v["suite"] == b"\x01")]
    results = [asyncio.run(agrees(v)) for v in vectors]
    print(f"python3-x3dh: {sum(results)} of {len(results)}")
    return 0 if all(results) and len(results) == 3 else 1


if __name__ == "__main__":
    sys.exit(main())
