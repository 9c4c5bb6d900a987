"""tsung: Erlang, users who arrive at a rate and go through a session; its WebSocket plugin."""
import contextlib
import glob
import os
import re
import shutil
import socket
import subprocess

from . import tool
from .work import Said, Trouble

# Users connect in the first second and wait as long; then each repeats its message until the load's
# time is over.
ARRIVAL_S = 1
WAIT_S = 1
EPMD_START_TIMEOUT_S = 5


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def parse_log(text, seconds):
    """tsung.log: blocks of `stats:` lines, sums over the run in the last. Milliseconds.

    A sample has count, mean and deviation of the last interval, then largest and smallest, then
    mean and count of all intervals before.
    """
    count = highest = mean = 0
    for line in text.splitlines():
        match = re.match(r"stats: request ([0-9.]+) ([0-9.]+) ([0-9.]+) ([0-9.]+) ([0-9.]+) "
                         r"([0-9.]+) ([0-9.]+)$", line)
        if not match:
            continue
        now, mean_now, _, most, _, mean_before, before = map(float, match.groups())
        count = now + before
        highest = max(highest, most)
        mean = (now * mean_now + before * mean_before) / count if count else 0
    if not count:
        raise Trouble("tsung's log has no 'stats: request' line: it sent nothing")
    return Said(messages=round(count), per_s=count / seconds, mean_ms=mean, max_ms=highest)


class Tsung(tool.Tool):
    name = "tsung"
    arrival_s = ARRIVAL_S
    work = "binary messages that come back on /echo, no cryptography"
    latency = "from the send; mean and maximum, no percentiles for WebSockets"

    def version(self):
        line = tool.first_line("tsung", "-v")
        if line is None or not shutil.which("epmd"):
            raise self.missing()
        return self.check_version(line.split()[-1] if line else "unknown")

    def command(self, work, relay, folder):
        think = f'<thinktime value="{work.think_s:g}" random="false"/>' if work.rate else ""
        text = tool.template("tsung.xml")
        for key, value in {"PORT": relay.port, "SECONDS": round(work.seconds) + ARRIVAL_S + WAIT_S,
                           "WAIT": WAIT_S,
                           "CONNECTIONS": work.connections,
                           "ARRIVALS": work.connections / ARRIVAL_S,
                           "THINK": think, "PAYLOAD": "x" * work.payload_bytes}.items():
            text = text.replace(f"@{key}@", str(value))
        config = tool.write(folder, "tsung.xml", text)
        return ["tsung", "-n", "-I", "127.0.0.1", "-f", config, "-l", os.path.join(folder, "log"),
                "start"]

    def environment(self, folder):
        # Nothing in the user's home, nothing reachable from elsewhere, no port that is well known.
        return {"HOME": folder, "ERL_EPMD_PORT": str(self.epmd_port), "ERL_CRASH_DUMP_SECONDS": "0",
                "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1}"}

    @contextlib.contextmanager
    def helpers(self, folder):
        """Erlang's port mapper as our child: it would stay for good if Erlang started it."""
        self.epmd_port = _free_port()
        epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(self.epmd_port)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        try:
            self._await_epmd(epmd)
            yield
        finally:
            epmd.kill()
            epmd.wait()

    def _await_epmd(self, epmd):
        for _ in range(EPMD_START_TIMEOUT_S * 100):
            try:
                socket.create_connection(("127.0.0.1", self.epmd_port)).close()
                return
            except ConnectionRefusedError:
                try:
                    epmd.wait(0.01)
                    break
                except subprocess.TimeoutExpired:
                    continue
        raise Trouble("Erlang's epmd did not start")

    def said(self, work, folder):
        logs = glob.glob(os.path.join(folder, "log", "*", "tsung.log"))
        if len(logs) != 1:
            raise Trouble(f"tsung left {len(logs)} logs instead of one")
        with open(logs[0]) as log:
            return parse_log(log.read(), round(work.seconds) + ARRIVAL_S / 2)
