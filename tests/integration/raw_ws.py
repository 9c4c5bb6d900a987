"""A WebSocket connection by hand: every byte sent is the test's own, right or wrong, and every
frame received is checked for what a server must do.
"""
import base64
import collections
import hashlib
import json
import os
import socket
import ssl
import struct

from relay_process import PATIENCE_S
from sealpost_client import SUBPROTOCOL, decode64

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

Frame = collections.namedtuple("Frame", "fin opcode payload")


def mask_bytes(payload, mask):
    repeated = (mask * (len(payload) // 4 + 1))[:len(payload)]
    whole = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return whole.to_bytes(len(payload), "big")


def encode_frame(opcode, payload=b"", *, fin=True, reserved=0, mask=b"\x12\x34\x56\x78",
                 announce=None, length_form=None):
    """A client's frame. `mask` None: not masked. `announce`: the length it claims. `length_form`:
    7, 16 or 64 bits of length, whatever the shortest form is."""
    length = len(payload) if announce is None else announce
    form = length_form or (7 if length < 126 else 16 if length < 65536 else 64)
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    masked = 0x80 if mask is not None else 0
    if form == 7:
        head += bytes([masked | length])
    elif form == 16:
        head += bytes([masked | 126]) + struct.pack(">H", length)
    else:
        head += bytes([masked | 127]) + struct.pack(">Q", length)
    if mask is None:
        return head + payload
    return head + mask + mask_bytes(payload, mask)


def upgrade_request(resource="/v1", protocol=SUBPROTOCOL, key=None, version="13", extra=""):
    key = key or base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET {resource} HTTP/1.1", "Host: localhost", "Upgrade: websocket",
             "Connection: Upgrade", f"Sec-WebSocket-Key: {key}"]
    if version is not None:
        lines.append(f"Sec-WebSocket-Version: {version}")
    if protocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    return ("\r\n".join(lines) + "\r\n" + extra + "\r\n").encode()


def trusting(relay):
    """A TLS context that accepts the relay's own certificate and no other."""
    return ssl.create_default_context(cafile=relay.certificate)


class RawSocket:
    """A blocking connection; every wait is bounded. `receive_buffer` bytes shrink its window."""

    def __init__(self, address, *, tls=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._received = b""
        self.kept = collections.deque()  # messages read while waiting for another

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """End with a reset instead of an end of stream."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        self.socket.sendall(data)

    def send_frame(self, opcode, payload=b"", **how):
        self.send(encode_frame(opcode, payload, **how))

    def send_json(self, message):
        self.send_frame(TEXT, json.dumps(message).encode())

    def receive_exactly(self, count):
        while len(self._received) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the relay ended the stream")
            self._received += more
        out, self._received = self._received[:count], self._received[count:]
        return out

    def receive_http(self):
        """One HTTP head: (status, {header: value})."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.receive_exactly(1)
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        return int(status.split()[1]), headers

    def upgrade(self, resource="/v1", protocol=SUBPROTOCOL, then=b""):
        """Upgrade; `then` is sent in the same segment as the request."""
        key = base64.b64encode(os.urandom(16)).decode()
        self.send(upgrade_request(resource, protocol, key) + then)
        status, headers = self.receive_http()
        assert status == 101, status
        expected = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert headers["sec-websocket-accept"] == base64.b64encode(expected).decode().lower()
        assert headers.get("sec-websocket-protocol") == protocol
        assert "sec-websocket-extensions" not in headers
        return self

    def receive_frame(self):
        first, second = self.receive_exactly(2)
        assert first & 0x70 == 0 and second & 0x80 == 0, "a server neither extends nor masks"
        length = second
        if second == 126:
            length = struct.unpack(">H", self.receive_exactly(2))[0]
            assert length >= 126
        elif second == 127:
            length = struct.unpack(">Q", self.receive_exactly(8))[0]
            assert length >= 65536
        return Frame(bool(first & 0x80), first & 0x0F, self.receive_exactly(length))

    def receive_json(self, kind=None):
        """The next message, which must be text of this type."""
        if self.kept:
            message = self.kept.popleft()
        else:
            frame = self.receive_frame()
            assert frame.fin and frame.opcode == TEXT, frame
            message = json.loads(frame.payload)
        assert kind is None or message["type"] == kind, message
        return message

    def receive_envelope(self):
        frame = self.receive_frame()
        assert frame.fin and frame.opcode == BINARY, frame
        return frame.payload

    def receive_close(self):
        """Read to the close frame and then to the end of the stream; returns the close code."""
        frame = self.receive_frame()
        while frame.opcode != CLOSE:
            frame = self.receive_frame()
        self.expect_end()
        return struct.unpack(">H", frame.payload[:2])[0] if frame.payload else 1005

    def expect_end(self):
        assert self._received == b"" and self.socket.recv(1) == b""

    def join(self, identity):
        """Upgrade, hello, register."""
        self.upgrade()
        challenge = decode64(self.receive_json("hello")["challenge"])
        self.send_json({**identity.register(challenge), "id": 0})
        self.registered = self.receive_json("registered")
        return self

    def ask(self, message):
        """Send a request; messages before its answer are kept for receive_json."""
        self.send_json({**message, "id": 1})
        before = []
        answer = self.receive_json()
        while answer.get("id") != 1:
            before.append(answer)
            answer = self.receive_json()
        self.kept.extend(before)
        return answer
