"""A proxy between the load tester and a relay that does exactly the harm it is told to.

It understands the upgrade and the frames of both directions. Session envelopes (kind 2) from the
relay to a client are counted; from the first one after `skip` on, every `every`-th takes the next
fault of the plan. `done` says how often each was done. Everything else passes as it came.
"""
import asyncio
import collections
import random
import socket
import struct
import threading

from raw_ws import BINARY, mask_bytes
from relay_process import PATIENCE_S

WIRE_HEADER_BYTES = 48
SESSION_HEADER_BYTES = 16  # id and counter: what is behind is sealed
KIND_SESSION = 2
# A frame held back whose successor does not come goes on after this, and counts for nothing.
HOLD_S = 0.5

Envelope = collections.namedtuple("Envelope", "payload_at kind")


class Frames:
    """Cuts a stream into what precedes the frames (the HTTP head) and whole frames."""

    def __init__(self):
        self.rest = bytearray()
        self.upgraded = False

    def feed(self, data):
        self.rest += data
        if not self.upgraded:
            end = self.rest.find(b"\r\n\r\n")
            if end < 0:
                return
            self.upgraded = True
            yield self._take(end + 4), None
        while (length := self._frame_length()) is not None:
            frame = self._take(length)
            yield frame, self._describe(frame)

    def _take(self, length):
        taken = bytearray(self.rest[:length])
        del self.rest[:length]
        return taken

    def _header_length(self):
        form = self.rest[1] & 0x7F
        return 2 + {126: 2, 127: 8}.get(form, 0) + (4 if self.rest[1] & 0x80 else 0)

    def _frame_length(self):
        if len(self.rest) < 2 or len(self.rest) < (header := self._header_length()):
            return None
        length = self.rest[1] & 0x7F
        if length == 126:
            length = struct.unpack_from(">H", self.rest, 2)[0]
        elif length == 127:
            length = struct.unpack_from(">Q", self.rest, 2)[0]
        return header + length if len(self.rest) >= header + length else None

    @staticmethod
    def _describe(frame):
        """The envelope in a frame, None for anything else."""
        at = 2 + {126: 2, 127: 8}.get(frame[1] & 0x7F, 0)
        mask = b""
        if frame[1] & 0x80:
            mask, at = bytes(frame[at:at + 4]), at + 4
        if frame[0] != 0x80 | BINARY or len(frame) - at <= WIRE_HEADER_BYTES:
            return None
        head = frame[at:at + 4]
        return Envelope(at, (mask_bytes(head, mask) if mask else head)[1])


class Link:
    """One direction of one connection."""

    def __init__(self, proxy, reader, writer, is_down):
        self.proxy, self.reader, self.writer, self.is_down = proxy, reader, writer, is_down
        self.frames = Frames()
        self.outgoing = asyncio.Queue()
        self.held = None  # a frame and how many are still to pass it

    async def read(self):
        try:
            while True:
                data = await self.reader.read(65536)
                await self.proxy.flowing[self.is_down].wait()
                if not data:
                    break
                for frame, envelope in self.frames.feed(data):
                    self.pass_on(frame, envelope)
        except ConnectionError:
            pass
        self.outgoing.put_nowait((0, None))

    async def write(self):
        try:
            while True:
                due, frame = await self.outgoing.get()
                if frame is None:
                    break
                if due > (now := asyncio.get_running_loop().time()):
                    await asyncio.sleep(due - now)
                self.writer.write(frame)
                await self.writer.drain()
        except ConnectionError:
            pass
        self.writer.close()

    def send(self, frame):
        due = 0
        if self.proxy.delay_s and self.frames.upgraded:
            due = asyncio.get_running_loop().time() + self.proxy.delay_s
            self.proxy.done["delay"] += 1
        self.outgoing.put_nowait((due, bytes(frame)))

    def pass_on(self, frame, envelope):
        if not self.is_down or envelope is None or envelope.kind != KIND_SESSION:
            self.send(frame)
        elif self.held:
            self.send(frame)
            self.held[1] -= 1
            if self.held[1] == 0:
                self.let_go(counts=True)
        else:
            fault, argument = self.proxy.next_fault()
            getattr(self, "do_" + fault)(frame, envelope, argument)

    def let_go(self, counts):
        frame, self.held = self.held[0], None
        self.send(frame)
        if counts:
            self.proxy.done["reorder"] += 1

    def do_nothing(self, frame, _envelope, _argument):
        self.send(frame)

    def do_drop(self, _frame, _envelope, _argument):
        self.proxy.done["drop"] += 1

    def do_duplicate(self, frame, _envelope, _argument):
        self.proxy.done["duplicate"] += 1
        self.send(frame)
        self.send(frame)

    def do_reorder(self, frame, _envelope, behind):
        """Behind the next `behind` of this connection."""
        held = self.held = [frame, behind or 1]
        asyncio.get_running_loop().call_later(
            HOLD_S, lambda: self.held is held and self.let_go(counts=False))

    def do_corrupt(self, frame, envelope, _argument):
        self.proxy.done["corrupt"] += 1
        first = envelope.payload_at + WIRE_HEADER_BYTES + SESSION_HEADER_BYTES
        frame[self.proxy.random.randrange(first, len(frame))] ^= 1 << self.proxy.random.randrange(8)
        self.send(frame)

    def do_misroute(self, frame, _envelope, _argument):
        other = self.proxy.random.choice([link for link in self.proxy.down if link is not self])
        self.proxy.done["misroute"] += 1
        other.send(frame)


class FaultProxy:
    """Runs in a thread of its own; use it in a `with`. `plan`: faults, or (fault, argument)."""

    def __init__(self, target, plan=(), *, every=5, skip=0, delay_s=0, receive_buffer=None, seed=1):
        self.target, self.every, self.skip, self.delay_s = target, every, skip, delay_s
        self.receive_buffer = receive_buffer
        self.random = random.Random(seed)
        self.plan = collections.deque(fault if isinstance(fault, tuple) else (fault, None)
                                      for fault in plan)
        self.done = collections.Counter()
        self.envelopes = 0  # of sessions, towards clients
        self.down = []
        self._tasks = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}"

    def next_fault(self):
        self.envelopes += 1
        number = self.envelopes - self.skip
        if number <= 0 or number % self.every != 0 or not self.plan:
            return "nothing", None
        return self.plan.popleft()

    def stall(self, seconds, is_down):
        """Pass on and read nothing of one direction for so long."""
        def begin():
            self.done["stall"] += 1
            self.flowing[is_down].clear()
            self._loop.call_later(seconds, self.flowing[is_down].set)
        self._loop.call_soon_threadsafe(begin)

    def reset(self, count):
        """End `count` connections with a reset towards the client."""
        def reset_some():
            for link in [link for link in self.down if not link.writer.is_closing()][:count]:
                sock = link.writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                link.writer.transport.abort()
                self.done["reset"] += 1
        self._loop.call_soon_threadsafe(reset_some)

    async def _run(self):
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.flowing = {True: asyncio.Event(), False: asyncio.Event()}
        for flowing in self.flowing.values():
            flowing.set()
        listener = socket.socket()
        if self.receive_buffer:  # what is accepted inherits it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        listener.bind(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        server = await asyncio.start_server(self._accept, sock=listener, backlog=1024)
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, client_reader, client_writer):
        relay_reader, relay_writer = await asyncio.open_connection(*self.target)
        for writer in (client_writer, relay_writer):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        links = [Link(self, client_reader, relay_writer, is_down=False),
                 Link(self, relay_reader, client_writer, is_down=True)]
        self.down.append(links[1])
        for link in links:
            for work in (link.read(), link.write()):
                task = asyncio.create_task(work)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
