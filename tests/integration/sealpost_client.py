"""A client of docs/PROTOCOL.md written from that document alone, on python3-cryptography and
python3-websockets: identities, control messages, envelopes, X3DH and sessions.
"""
import asyncio
import base64
import hashlib
import json
import os
import struct

import websockets
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (Ed25519PrivateKey,
                                                               Ed25519PublicKey)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ml_dsa import MlDsa65
from relay_process import PATIENCE_S, remember_name

SUBPROTOCOL = "sealpost.v1"
DURABLE, RECEIPT = 1, 2
KIND_INITIAL, KIND_SESSION = 1, 2
ENVELOPE_BYTES = 65536
HEADER_BYTES = 48

_RAW = serialization.Encoding.Raw
_P = 2**255 - 19


def encode64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _public_bytes(private):
    return private.public_key().public_bytes(_RAW, serialization.PublicFormat.Raw)


def _private_bytes(private):
    return private.private_bytes(_RAW, serialization.PrivateFormat.Raw,
                                 serialization.NoEncryption())


def compute_mailbox(identity_key, ml_dsa_key=b""):
    return hashlib.sha256(b"sealpost.v1 mailbox" + identity_key + ml_dsa_key).digest()[:16]


def convert_public(identity_key):
    """Ed25519 → X25519 (RFC 7748 section 4.1): u = (1 + y) / (1 − y)."""
    y = int.from_bytes(identity_key, "little") & (2**255 - 1)
    return ((1 + y) * pow(1 - y, _P - 2, _P) % _P).to_bytes(32, "little")


def _hkdf(key_material, info, length):
    return HKDF(hashes.SHA256(), length, bytes(32), info).derive(key_material)


def _encode_key(x25519_public):
    return b"\x05" + x25519_public


def _exchange(private, public):
    return private.exchange(X25519PublicKey.from_public_bytes(public))  # refuses all zero


# ---- identities and control messages ----------------------------------------------------------


class Identity:
    """One user's keys. `publish(n)` makes prekeys and the message that publishes them. A hybrid
    one has an ML-DSA-65 key, too.
    """

    def __init__(self, name=None, hybrid=False):
        self.name = name or "user-" + os.urandom(8).hex()
        remember_name(self.name)
        self.ed25519 = Ed25519PrivateKey.generate()
        self.public = _public_bytes(self.ed25519)
        self.ml_dsa_65 = MlDsa65() if hybrid else None
        self.mailbox = compute_mailbox(self.public, self.ml_dsa_65.public if hybrid else b"")
        digest = bytearray(hashlib.sha512(_private_bytes(self.ed25519)).digest()[:32])
        digest[0] &= 248
        digest[31] = digest[31] & 127 | 64
        self.x25519 = X25519PrivateKey.from_private_bytes(bytes(digest))
        self.x25519_public = convert_public(self.public)
        assert self.x25519_public == _public_bytes(self.x25519)
        self.signed_prekeys = {}
        self.one_time_prekeys = {}

    def _claim(self, verb, challenge):
        name = self.name.encode()
        signed = (b"sealpost.v1 " + verb.encode() + b"\0" + challenge + bytes([len(name)]) + name +
                  self.public + (self.ml_dsa_65.public if self.ml_dsa_65 else b""))
        signatures = {"ed25519": encode64(self.ed25519.sign(signed))}
        if self.ml_dsa_65:
            signatures["ml_dsa_65"] = encode64(self.ml_dsa_65.sign(signed))
        return {"type": verb, "name": self.name, "signatures": signatures}

    @property
    def identity_keys(self):
        keys = {"ed25519": encode64(self.public)}
        if self.ml_dsa_65:
            keys["ml_dsa_65"] = encode64(self.ml_dsa_65.public)
        return keys

    def register(self, challenge):
        return {**self._claim("register", challenge), "identity_keys": self.identity_keys}

    def login(self, challenge):
        return self._claim("login", challenge)

    def make_signed_prekey(self):
        private = X25519PrivateKey.generate()
        number = len(self.signed_prekeys) + 1
        self.signed_prekeys[number] = private
        public = _public_bytes(private)
        return self._sign_key(number, public, _encode_key(public))

    def _sign_key(self, number, public, encoded):
        key = {"id": number, "key": encode64(public),
               "signature": encode64(self.ed25519.sign(encoded))}
        if self.ml_dsa_65:
            key["ml_dsa_65_signature"] = encode64(self.ml_dsa_65.sign(encoded))
        return key

    def make_kem_prekey(self, number):
        """What the relay takes for one, truly signed: 1,184 random bytes instead of an ML-KEM-768
        key, which nobody can encapsulate to. The relay stores them and never looks inside."""
        public = os.urandom(1184)
        return self._sign_key(number, public, b"\x0c" + public)

    def make_one_time_prekeys(self, count, first=1):
        made = []
        for number in range(first, first + count):
            private = X25519PrivateKey.generate()
            self.one_time_prekeys[number] = private
            made.append({"id": number, "key": encode64(_public_bytes(private))})
        return made

    def publish(self, count):
        return {"type": "publish_prekeys", "signed_prekey": self.make_signed_prekey(),
                "one_time_prekeys": self.make_one_time_prekeys(count)}


# ---- envelopes --------------------------------------------------------------------------------


def encode_envelope(mailbox, ciphertext, *, kind=KIND_SESSION, flags=0, message_id=None, ttl_s=0):
    return (struct.pack(">BBBBI", 1, kind, flags, 0, len(ciphertext)) + mailbox +
            (message_id or os.urandom(16)) + struct.pack(">II", ttl_s, 0) + ciphertext)


def message_id_of(envelope):
    return envelope[24:40]


def ciphertext_of(envelope):
    """The ciphertext, after a look at the whole header."""
    version, kind, flags, zero, length = struct.unpack(">BBBBI", envelope[:8])
    assert version == 1 and kind > 0 and flags & ~3 == 0 and zero == 0
    assert envelope[44:48] == bytes(4) and length == len(envelope) - HEADER_BYTES
    return envelope[HEADER_BYTES:]


# ---- X3DH and sessions ------------------------------------------------------------------------


def _nonce(counter):
    return bytes(4) + struct.pack(">Q", counter)


def _associated(sender, recipient, kind, counter):
    return sender + recipient + bytes([kind]) + struct.pack(">Q", counter)


class Session:
    """Both directions between two mailboxes; messages are what an envelope's ciphertext holds."""

    def __init__(self, secret, associated, initiates, own_mailbox, peer_mailbox):
        keys = _hkdf(secret, b"sealpost.v1 session" + associated, 80)
        there = (keys[:32], keys[64:72])
        back = (keys[32:64], keys[72:80])
        (self.send_key, self.send_id), (self.receive_key, self.receive_id) = (
            (there, back) if initiates else (back, there))
        self.own_mailbox, self.peer_mailbox = own_mailbox, peer_mailbox
        self.send_counter = 1 if initiates else 0  # the initial message is counter 0 of A→B
        self.seen = set() if initiates else {0}

    def seal(self, plaintext):
        counter = self.send_counter
        self.send_counter += 1
        sealed = AESGCM(self.send_key).encrypt(
            _nonce(counter), plaintext,
            _associated(self.own_mailbox, self.peer_mailbox, KIND_SESSION, counter))
        return self.send_id + struct.pack(">Q", counter) + sealed

    def open(self, message):
        counter = struct.unpack(">Q", message[8:16])[0]
        if message[:8] != self.receive_id or counter in self.seen:
            raise InvalidTag
        plaintext = AESGCM(self.receive_key).decrypt(
            _nonce(counter), message[16:],
            _associated(self.peer_mailbox, self.own_mailbox, KIND_SESSION, counter))
        self.seen.add(counter)
        return plaintext


def _secret(dh1, dh2, dh3, dh4):
    return _hkdf(b"\xff" * 32 + dh1 + dh2 + dh3 + dh4, b"sealpost.v1 x3dh", 32)


def initiate(identity, bundle, plaintext):
    """Verify a bundle and begin a session with its owner. Returns (initial message, session)."""
    peer_key = decode64(bundle["identity_keys"]["ed25519"])
    prekey = decode64(bundle["signed_prekey"]["key"])
    one_time = bundle["one_time_prekey"]
    Ed25519PublicKey.from_public_bytes(peer_key).verify(
        decode64(bundle["signed_prekey"]["signature"]), _encode_key(prekey))
    peer_mailbox = compute_mailbox(peer_key)
    if decode64(bundle["mailbox"]) != peer_mailbox:
        raise InvalidSignature("the relay exchanged the mailbox")
    peer_x25519 = convert_public(peer_key)
    ephemeral = X25519PrivateKey.generate()
    dh3 = _exchange(ephemeral, prekey)
    secret = _secret(_exchange(identity.x25519, prekey), _exchange(ephemeral, peer_x25519), dh3,
                     _exchange(ephemeral, decode64(one_time["key"])) if one_time else b"")
    associated = _encode_key(identity.x25519_public) + _encode_key(peer_x25519)
    session = Session(secret, associated, True, identity.mailbox, peer_mailbox)
    head = struct.pack(">BBHII", 1, 1 if one_time else 0, 0, bundle["signed_prekey"]["id"],
                       one_time["id"] if one_time else 0) + _public_bytes(ephemeral)
    head += AESGCM(_hkdf(dh3, b"sealpost.v1 header", 32)).encrypt(_nonce(0), identity.public, head)
    body = AESGCM(session.send_key).encrypt(
        _nonce(0), plaintext,
        head + _associated(identity.mailbox, peer_mailbox, KIND_INITIAL, 0))
    return head + body, session


def respond(identity, message):
    """Open an initial message. Returns (sender's identity key, plaintext, session)."""
    suite, flags, zero, signed_id, one_time_id = struct.unpack(">BBHII", message[:12])
    assert suite == 1 and zero == 0 and flags in (0, 1) and bool(one_time_id) == bool(flags)
    ephemeral = message[12:44]
    prekey = identity.signed_prekeys[signed_id]
    dh3 = _exchange(prekey, ephemeral)
    peer_key = AESGCM(_hkdf(dh3, b"sealpost.v1 header", 32)).decrypt(
        _nonce(0), message[44:92], message[:44])
    peer_x25519 = convert_public(peer_key)
    # Used once: gone before anything can fail.
    dh4 = _exchange(identity.one_time_prekeys.pop(one_time_id), ephemeral) if flags else b""
    secret = _secret(_exchange(prekey, peer_x25519), _exchange(identity.x25519, ephemeral), dh3,
                     dh4)
    associated = _encode_key(peer_x25519) + _encode_key(identity.x25519_public)
    peer_mailbox = compute_mailbox(peer_key)
    session = Session(secret, associated, False, identity.mailbox, peer_mailbox)
    plaintext = AESGCM(session.receive_key).decrypt(
        _nonce(0), message[92:],
        message[:92] + _associated(peer_mailbox, identity.mailbox, KIND_INITIAL, 0))
    return peer_key, plaintext, session


# ---- connection -------------------------------------------------------------------------------


class Client:
    """A connection. Answers go to whoever asked, other text to `notices`, binary to `envelopes`."""

    @classmethod
    async def connect(cls, url, ssl=None):
        self = cls()
        self.socket = await websockets.connect(
            url + "/v1", ssl=ssl, subprotocols=[SUBPROTOCOL], compression=None, max_size=None,
            ping_interval=None, open_timeout=PATIENCE_S, close_timeout=PATIENCE_S)
        assert self.socket.subprotocol == SUBPROTOCOL
        self.notices, self.envelopes = asyncio.Queue(), asyncio.Queue()
        self._answers, self._next_id = {}, 1
        self._reader = asyncio.create_task(self._read())
        self.hello = await self.notice("hello")
        self.challenge = decode64(self.hello["challenge"])
        return self

    @classmethod
    async def open(cls, url, identity, ssl=None):
        """Connected and registered (a login, if the name is known already)."""
        self = await cls.connect(url, ssl)
        self.identity = identity
        answer = await self.ask(identity.register(self.challenge))
        assert answer["type"] == "registered", answer
        assert decode64(answer["mailbox"]) == identity.mailbox
        self.registered = answer
        return self

    async def _read(self):
        try:
            async for message in self.socket:
                if isinstance(message, bytes):
                    self.envelopes.put_nowait(message)
                    continue
                message = json.loads(message)
                answer = self._answers.pop(message.get("id"), None)
                if answer:
                    answer.set_result(message)
                else:
                    self.notices.put_nowait(message)
        except websockets.ConnectionClosed:
            pass

    async def ask(self, message):
        """Send a request with an id of its own; returns what answers it."""
        number, self._next_id = self._next_id, self._next_id + 1
        self._answers[number] = asyncio.get_running_loop().create_future()
        answer = self._answers[number]
        await self.socket.send(json.dumps({**message, "id": number}))
        return await asyncio.wait_for(answer, PATIENCE_S)

    async def send(self, message):
        await self.socket.send(message if isinstance(message, (bytes, str)) else
                               json.dumps(message))

    async def notice(self, kind):
        message = await asyncio.wait_for(self.notices.get(), PATIENCE_S)
        assert message["type"] == kind, message
        return message

    async def envelope(self):
        return await asyncio.wait_for(self.envelopes.get(), PATIENCE_S)

    async def ack(self, *envelopes):
        await self.send({"type": "ack",
                         "message_ids": [encode64(message_id_of(e)) for e in envelopes]})

    async def closed(self):
        """Wait for the relay to close; returns the close code."""
        await asyncio.wait_for(self.socket.wait_closed(), PATIENCE_S)
        await self._reader
        return self.socket.close_code

    async def close(self):
        await self.socket.close()
        await self._reader
