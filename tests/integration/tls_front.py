"""TLS in front of a relay's ws listener, ended by Python's OpenSSL: a server that knows other tickets
than the relay's own TLS would."""
import asyncio
import ssl
import threading

from relay_process import PATIENCE_S


class TlsFront:
    """Runs in a thread of its own; use it in a `with`. With `forgets` each connection meets keys of
    tickets that there never were before, as if the server had been restarted in between."""

    def __init__(self, target, certificate, key, *, forgets=False):
        self.target, self.certificate, self.key, self.forgets = target, certificate, key, forgets
        self.context = self._make_context()
        self.handshakes = self.resumed = 0
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
        return f"wss://localhost:{self.port}"

    def _make_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    async def _run(self):
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, client_reader, client_writer):
        self._tasks.add(task := asyncio.current_task())
        task.add_done_callback(self._tasks.discard)
        writers = [client_writer]
        try:
            await client_writer.start_tls(self._make_context() if self.forgets else self.context)
            self.handshakes += 1
            self.resumed += client_writer.get_extra_info("ssl_object").session_reused
            relay_reader, relay_writer = await asyncio.open_connection(*self.target)
            writers.append(relay_writer)
            await asyncio.gather(pump(client_reader, relay_writer),
                                 pump(relay_reader, client_writer))
        except (OSError, ssl.SSLError):
            pass  # users drop their connections without a word
        finally:
            for writer in writers:
                writer.close()


async def pump(reader, writer):
    """One direction, until its end; then the other end is told."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
