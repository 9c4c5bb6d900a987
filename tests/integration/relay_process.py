"""A relay of the build under test as a child process: started on free ports, watched, ended.

Every relay that a test starts must end well: exit code 0 after SIGTERM, every connection accepted
also closed, and nothing in its log that a sanitizer or a person could be named by.
"""
import functools
import json
import os
import re
import signal
import subprocess
import time

BIN_DIR = os.environ.get("SEALPOST_BIN_DIR", "")
# Nothing takes this long unless it hangs; sanitizer builds on a busy machine are slow.
PATIENCE_S = 30
# The least that --outbox-bytes takes.
OUTBOX_MIN_BYTES = 147456

os.environ.setdefault("TSAN_OPTIONS", "suppressions=" +
                      os.path.join(os.path.dirname(os.path.abspath(__file__)), "tsan.supp"))

_SANITIZER = re.compile(r"Sanitizer|runtime error:|Assertion|SUMMARY:")
_LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info|warn|error) .+$")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]*::")
_names_used = set()


def binary(path):
    """Path of a program in the build under test."""
    assert BIN_DIR, "SEALPOST_BIN_DIR must name the build directory"
    return os.path.join(BIN_DIR, path)


@functools.cache
def is_sanitized():
    """Sanitizers keep freed memory and shadows of it: bounds on memory are not the relay's then."""
    with open(binary("relay/sealpost-relay"), "rb") as program:
        return bool(re.search(rb"__[at]san_init", program.read()))


def remember_name(name):
    """`name` belongs to a user: no log may contain it."""
    _names_used.add(name)


def eventually(condition, within_s=PATIENCE_S, what="the condition"):
    """Poll until `condition()` is true and return its value; fail after `within_s`."""
    end = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come true in {within_s} s"
        time.sleep(0.01)


class Relay:
    """`listen`: schemes, one listener each. `options`: the rest of the command line."""

    def __init__(self, directory, *options, listen=("ws",)):
        self.directory = directory
        self.stats_file = directory / "stats.json"
        self.log_file = directory / "stderr.txt"
        self._out_file = directory / "stdout.txt"
        self.ended = False
        self._terminated = False
        self._listeners = len(listen) + options.count("--listen")
        command = [binary("relay/sealpost-relay"), "--stats", str(self.stats_file)]
        for scheme in listen:
            command += ["--listen", f"{scheme}://127.0.0.1:0"]
        if "wss" in listen:
            self.certificate = directory / "certificate.pem"
            command += ["--tls-certificate-out", str(self.certificate)]
        command += [str(option) for option in options]
        with open(self._out_file, "w") as out, open(self.log_file, "w") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err)
        self.urls = eventually(self._announced, what="the relay's start")

    def _announced(self):
        assert self.process.poll() is None, "the relay ended at start: " + self.log()
        lines = self._out_file.read_text().splitlines(keepends=True)
        urls = [line.split()[-1] for line in lines
                if line.startswith("listening on ") and line.endswith("\n")]
        return urls if len(urls) == self._listeners else None

    def url(self, scheme="ws"):
        return next(url for url in self.urls if url.startswith(scheme + "://"))

    def address(self, scheme="ws"):
        """(host, port) of the first listener with this scheme."""
        host, port = self.url(scheme).split("//")[1].split(":")
        return host, int(port)

    def log(self):
        return self.log_file.read_text()

    def stats(self):
        """The counters as last written: each second, and exactly at the end."""
        return json.loads(self.stats_file.read_text())

    def await_stats(self, condition, within_s=PATIENCE_S):
        """Wait for counters that satisfy `condition(stats)`; returns them."""
        eventually(self.stats_file.exists, what="the statistics file")
        found = []

        def check():
            found[:] = [self.stats()]
            return condition(found[0])

        try:
            eventually(check, within_s, what="the counters")
        except AssertionError as late:
            shown = {k: v for k, v in found[0].items() if v}
            raise AssertionError(f"{late}: {shown}") from None
        return found[0]

    def await_fresh_stats(self):
        """Counters that were read after this call."""
        before = self.stats_file.stat().st_ino if self.stats_file.exists() else 0
        eventually(lambda: self.stats_file.exists() and self.stats_file.stat().st_ino != before,
                   what="new statistics")
        return self.stats()

    def resident_kb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmRSS:"))
        return int(line.split()[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def kill(self):
        """The end that a power cut would be."""
        self.process.kill()
        self.process.wait()
        self.ended = True

    def terminate(self):
        self._terminated = True
        self.process.send_signal(signal.SIGTERM)

    def wait(self, within_s=PATIENCE_S):
        """Wait for the end after a SIGTERM, check that it was a good one; the final counters."""
        self.ended = True
        try:
            code = self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the relay did not end in {within_s} s: {self.log()}") from None
        self.check_log()
        assert code == 0, f"exit code {code}: {self.log()}"
        stats = self.stats()
        assert stats["connections_accepted"] == stats["connections_closed"]
        return stats

    def stop(self, within_s=PATIENCE_S):
        if not self._terminated:
            assert self.process.poll() is None, "the relay ended on its own: " + self.log()
            self.terminate()
        return self.wait(within_s)

    def check_log(self):
        log = self.log()
        assert not _SANITIZER.search(log), log
        for line in log.splitlines():
            assert _LOG_LINE.match(line), f"not a line of the log: {line!r}"
            assert not _ADDRESS.search(line), f"an address in the log: {line!r}"
            assert not any(name in line for name in _names_used), f"a name in the log: {line!r}"
