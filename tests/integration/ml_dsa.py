"""ML-DSA-65 key pairs by the openssl program: Debian's python3-cryptography has none yet."""
import os
import subprocess
import tempfile

KEY_BYTES, SIGNATURE_BYTES = 1952, 3309


def _openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True,
                          check=True).stdout


class MlDsa65:
    def __init__(self):
        self._private = _openssl("genpkey", "-algorithm", "ML-DSA-65")
        # SubjectPublicKeyInfo ends with the key as it is.
        self.public = _openssl("pkey", "-pubout", "-outform", "DER", data=self._private)[-KEY_BYTES:]

    def sign(self, message):
        with tempfile.TemporaryDirectory() as directory:
            key, data = (os.path.join(directory, name) for name in ("key", "data"))
            for path, content in ((key, self._private), (data, message)):
                with open(path, "wb") as file:
                    file.write(content)
            signature = _openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", data)
        assert len(signature) == SIGNATURE_BYTES
        return signature
