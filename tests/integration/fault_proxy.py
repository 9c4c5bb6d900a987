"""A proxy between the load tester and a relay that does exactly the harm it is told to.

It understands the upgrade and the frames of both directions. Session envelopes (kind 2) of one
direction, from the relay to clients unless `is_up`, are counted; after the first `skip` of them the
faults of the plan take theirs, at random distances of `every` on average. `done` says how often
each was done, `stalls` how long each stall really was. Everything else passes as it came.
"""
import asyncio
import base64
import collections
import json
import random
import socket
import struct
import threading
import time

from raw_ws import BINARY, TEXT, encode_frame, mask_bytes
from relay_process import PATIENCE_S

WIRE_HEADER_BYTES = 48
MESSAGE_ID_AT = 24
DIALOG_BYTES = 8  # of a message id: what a dialog's have in common
SESSION_HEADER_BYTES = 16  # id and counter: what is behind is sealed
KIND_SESSION = 2
# A frame held back whose successor does not come goes on after this, and counts for nothing.
HOLD_S = 0.5
# How often the proxy looks whether it gets its processor.
LOOK_S = 0.005
# Answered to the sender in the relay's name. What it refused and delivered all the same, or refused
# twice, is answered once too often.
REFUSALS = ("refuse", "refuse_twice", "refuse_and_deliver")

Envelope = collections.namedtuple("Envelope", "payload_at kind message_id")
# In seconds of time.monotonic(). `caught_up`: when as many envelopes as the proxy's `follow` says had
# been passed to clients since it began.
Stall = collections.namedtuple("Stall", "began ended caught_up")


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
        head = bytes(frame[at:at + WIRE_HEADER_BYTES])
        if mask:
            head = mask_bytes(head, mask)
        return Envelope(at, head[1], head[MESSAGE_ID_AT:MESSAGE_ID_AT + 16])


class Link:
    """One direction of one connection."""

    def __init__(self, proxy, reader, writer, is_down):
        self.proxy, self.reader, self.writer, self.is_down = proxy, reader, writer, is_down
        self.way_back = None
        self.frames = Frames()
        self.waiting = bytearray()
        self.outgoing = asyncio.Queue()
        self.held = None  # a frame and how many are still to pass it

    async def read(self):
        try:
            while True:
                data = await self.reader.read(65536)
                await self.proxy.flowing[self.is_down].wait()
                if not data:
                    break
                if self.proxy.looks_at[self.is_down]:
                    for frame, envelope in self.frames.feed(data):
                        self.pass_on(frame, envelope)
                else:
                    self.send(data)
        except ConnectionError:
            pass
        self.flush()
        self.outgoing.put_nowait((0, None))

    async def write(self):
        try:
            while True:
                due, frames = await self.outgoing.get()
                if frames is None:
                    break
                if due > (now := asyncio.get_running_loop().time()):
                    await asyncio.sleep(due - now)
                self.writer.write(frames)
                await self.writer.drain()
        except ConnectionError:
            pass
        self.writer.close()

    def send(self, frame):
        """With everything else of this turn, so that what a stall piled up is through at once."""
        if not self.waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self.waiting += frame
        if self.proxy.delay_s and self.frames.upgraded:
            self.proxy.done["delay"] += 1

    def flush(self):
        due = 0
        if self.proxy.delay_s and self.frames.upgraded:
            due = asyncio.get_running_loop().time() + self.proxy.delay_s
        if self.waiting:
            self.outgoing.put_nowait((due, bytes(self.waiting)))
        self.waiting.clear()

    def pass_on(self, frame, envelope):
        if envelope is None or envelope.kind != KIND_SESSION:
            self.send(frame)
            return
        if self.is_down:
            self.proxy.count_passed()
        else:
            self.proxy.senders[envelope.message_id[:DIALOG_BYTES]] = self.way_back
        if self.is_down == self.proxy.is_up:
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

    def do_stall(self, frame, _envelope, seconds):
        """Of this direction, from behind this envelope on."""
        self.send(frame)
        self.proxy.begin_stall(seconds, self.is_down)

    def answer_refused(self, envelope):
        message_id = base64.urlsafe_b64encode(envelope.message_id).rstrip(b"=").decode()
        text = json.dumps({"type": "error", "code": "recipient_busy", "message_id": message_id})
        self.proxy.senders[envelope.message_id[:DIALOG_BYTES]].send(
            encode_frame(TEXT, text.encode(), mask=None))

    def do_refuse(self, _frame, envelope, _argument):
        self.proxy.done["refuse"] += 1
        self.answer_refused(envelope)

    def do_refuse_twice(self, _frame, envelope, _argument):
        self.proxy.done["refuse_twice"] += 1
        self.answer_refused(envelope)
        self.answer_refused(envelope)

    def do_refuse_and_deliver(self, frame, envelope, _argument):
        self.proxy.done["refuse_and_deliver"] += 1
        self.answer_refused(envelope)
        self.send(frame)


class FaultProxy:
    """Runs in a thread of its own; use it in a `with`. `plan`: faults, or (fault, argument)."""

    def __init__(self, target, plan=(), *, every=5, skip=0, is_up=False, delay_s=0,
                 receive_buffer=None, segment=None, follow=0, seed=1):
        self.target, self.every, self.is_up, self.delay_s = target, every, is_up, delay_s
        self.receive_buffer, self.segment = receive_buffer, segment
        self.random = random.Random(seed)
        self.plan = collections.deque(fault if isinstance(fault, tuple) else (fault, None)
                                      for fault in plan)
        self.next_at = skip + self._draw_distance()
        self.done = collections.Counter()
        self.late_s = 0  # the longest that it did not get its processor
        self._ended = []
        self.follow, self._left_to_follow, self._caught_up = follow, 0, 0
        self.envelopes = 0  # of sessions, in the direction of the faults
        self.down = []
        self.senders = {}  # by what their message ids have in common: the way back to them
        self._tasks = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        refuses = any(fault in REFUSALS for fault, _ in self.plan)
        # What nobody needs to know of passes unseen.
        self.looks_at = {True: bool(not is_up or delay_s or follow), False: bool(is_up or delay_s or refuses)}

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

    def _draw_distance(self):
        return self.random.randrange(1, 2 * self.every)

    def next_fault(self):
        self.envelopes += 1
        if self.envelopes < self.next_at or not self.plan:
            return "nothing", None
        self.next_at += self._draw_distance()
        return self.plan.popleft()

    def stall(self, seconds, is_down):
        """Pass on and read nothing of one direction for so long."""
        self._loop.call_soon_threadsafe(self.begin_stall, seconds, is_down)

    @property
    def stalls(self):
        return [Stall(began, ended, self._caught_up) for began, ended in self._ended]

    def count_passed(self):
        if self._left_to_follow:
            self._left_to_follow -= 1
            self._caught_up = time.monotonic()

    def begin_stall(self, seconds, is_down):
        began = time.monotonic()

        def end():
            self.flowing[is_down].set()
            self._ended.append((began, time.monotonic()))
        self._left_to_follow = self.follow
        self.done["stall"] += 1
        self.flowing[is_down].clear()
        self._loop.call_later(seconds, end)

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
        if self.segment:  # so short that the kernel gives a client no megabytes to send into
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, self.segment)
        listener.bind(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        server = await asyncio.start_server(self._accept, sock=listener, backlog=1024)
        self._start_task(self._look_at_itself())
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look_at_itself(self):
        while True:
            before = time.monotonic()
            await asyncio.sleep(LOOK_S)
            self.late_s = max(self.late_s, time.monotonic() - before - LOOK_S)

    def _start_task(self, work):
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, client_reader, client_writer):
        relay_reader, relay_writer = await asyncio.open_connection(*self.target)
        for writer in (client_writer, relay_writer):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        links = [Link(self, client_reader, relay_writer, is_down=False),
                 Link(self, relay_reader, client_writer, is_down=True)]
        links[0].way_back = links[1]
        self.down.append(links[1])
        for link in links:
            for work in (link.read(), link.write()):
                self._start_task(work)
