"""The terminal view on a pseudo-terminal: what it draws, and that it leaves no trace."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from relay_process import PATIENCE_S, binary, eventually

TAKE, GIVE_BACK = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"
SEQUENCE = re.compile(rb"\x1b\[[?0-9;]*[a-zA-Z]|\x18")


def fill(terminal):
    """Write until the terminal takes no more."""
    own = os.open(os.ttyname(terminal), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        for _ in range(1000):
            os.write(own, b"x" * 4096)
        pytest.fail("a terminal without a bound")
    except BlockingIOError:
        pass
    finally:
        os.close(own)


class Watched:
    """A run whose standard error is a terminal of this size."""

    def __init__(self, directory, relay, *options, columns=100, rows=30, environment=None,
                 is_full=False):
        self.master, slave = pty.openpty()
        if is_full:
            fill(slave)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.file = directory / "load.json"
        self.seen = b""
        self.process = subprocess.Popen(
            [binary("loadgen/sealpost-load"), relay.url(), "-c", "4", "-r", "500", "--warmup", "0",
             "--drain", "200ms", "-o", self.file, *map(str, options)],
            stderr=slave, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8",
                 **(environment or {})})
        self.slave = slave

    def read(self):
        """What came until now."""
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        return self.seen

    def read_to_the_end(self):
        eventually(lambda: (self.read(), self.process.poll() is not None)[1],
                   what="the run's end")
        self.read()
        # The terminal works as before: the descriptor is shared with the shell.
        assert termios.tcgetattr(self.slave) == self.before
        assert not fcntl.fcntl(self.slave, fcntl.F_GETFL) & os.O_NONBLOCK
        return self.process.returncode

    def text(self):
        return SEQUENCE.sub(b"", self.seen).decode(errors="replace")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def watch(relay, tmp_path):
    runs = []

    def start(*options, **how):
        runs.append(Watched(tmp_path, relay, *options, **how))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


def test_view(watch, relay):
    run = watch("-d", "3", "--server-pid", relay.process.pid)
    assert run.read_to_the_end() in (0, 112)
    assert run.seen.count(TAKE) == 1 and run.seen.count(GIVE_BACK) == 1
    assert run.seen.index(TAKE) < run.seen.index(GIVE_BACK)
    frames = run.seen.split(b"\x1b[H")
    # At most four a second, over three seconds, the set-up and the end.
    assert 6 <= len(frames) <= 24
    last = SEQUENCE.sub(b"", frames[-1]).decode()
    for words in ("talk", relay.url(), "delivered", "p50", "p99", "in flight", "faults       0",
                  "generator", "so far; busy", "relay", "% CPU"):
        assert words in last, last
    assert re.search("delivered +\\d+/s +[▁▂▃▄▅▆▇█]+", run.text())
    result = json.loads(run.file.read_text())
    # What watching costs, of one processor: under a percent (sanitizers multiply it).
    assert 0 < result["generator"]["coordinator_busy_pct"] < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", ["measure", "set-up"])
def test_signals_give_the_screen_back(watch, relay, number, phase):
    if phase == "set-up":
        os.kill(relay.process.pid, signal.SIGSTOP)
    try:
        run = watch("-d", "1m")
        eventually(lambda: run.read() and phase in run.text(), what="the view")
        run.process.send_signal(number)
        assert run.read_to_the_end() in (105, 111)
    finally:
        os.kill(relay.process.pid, signal.SIGCONT)
    assert run.seen.count(TAKE) == run.seen.count(GIVE_BACK) == 1
    # Nothing is drawn after it.
    assert b"\x1b[H" not in run.seen[run.seen.index(GIVE_BACK):]


def test_abort_gives_the_screen_back(watch):
    run = watch("-d", "1m")
    eventually(lambda: b"measure" in run.read(), what="the view")
    run.process.send_signal(signal.SIGABRT)
    assert run.read_to_the_end() == -signal.SIGABRT
    assert run.seen.count(GIVE_BACK) == 1


def test_terminal_that_nobody_reads_does_not_delay_the_end(watch):
    run = watch("-d", "1", is_full=True)
    # Standard output is elsewhere, so only the view could wait; it would for ever.
    assert run.process.wait(PATIENCE_S) in (0, 112)
    assert json.loads(run.file.read_text())["delivery"]["lost"] == 0


def test_terminal_that_is_stopped_does_not_delay_the_end(watch):
    run = watch("-d", "2")
    eventually(lambda: TAKE in run.read(), what="the view")
    os.write(run.master, b"\x13")  # Control-S
    began = time.monotonic()
    assert run.process.wait(PATIENCE_S) in (0, 112)
    assert time.monotonic() - began < PATIENCE_S


@pytest.mark.parametrize("how", [
    {"columns": 50}, {"rows": 10}, {"options": ["--progress-lines"]},
    {"options": ["--view", "never"]}, {"environment": {"TERM": "dumb"}}],
    ids=["narrow", "low", "lines", "never", "dumb"])
def test_plain_line(watch, how):
    run = watch("-d", "1500ms", *how.pop("options", []), **how)
    run.read_to_the_end()
    assert b"\x1b[?1049h" not in run.seen
    assert "measure" in run.text() and "in flight" in run.text()


def test_always_and_plain_text(watch):
    run = watch("-d", "1", "--view", "always", columns=40, rows=12,
                environment={"NO_COLOR": "1", "LC_ALL": "C"})
    run.read_to_the_end()
    assert run.seen.count(TAKE) == run.seen.count(GIVE_BACK) == 1
    assert b"\x1b[3" not in run.seen and max(run.seen) < 0x80


def test_resized(watch):
    run = watch("-d", "3", columns=160)
    eventually(lambda: b"measure" in run.read(), what="the view")
    fcntl.ioctl(run.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 70, 0, 0))
    run.read_to_the_end()
    last = SEQUENCE.sub(b"", run.seen.split(b"\x1b[H")[-1]).decode()
    assert max(len(line) for line in last.split("\r\n")) < 70


def test_quiet(watch):
    run = watch("-d", "300ms", "-q")
    run.read_to_the_end()
    assert run.seen == b""


def test_wrong_view(relay):
    out = subprocess.run([binary("loadgen/sealpost-load"), relay.url(), "--view", "big"],
                         capture_output=True, text=True, timeout=PATIENCE_S)
    assert out.returncode == 104 and "--view takes auto, always or never" in out.stderr
