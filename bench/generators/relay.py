"""A relay for one run: started on a free port and one processor, counted, paused, ended.

Its counters are the count of messages that is none of the generators' own.
"""
import json
import os
import signal
import subprocess
import time

from .work import Trouble

START_TIMEOUT_S = 15
TICK_TIMEOUT_S = 10
POLL_S = 0.002


class Relay:
    def __init__(self, program, folder, cpu):
        self.stats_file = os.path.join(folder, "relay-stats.json")
        log_file = os.path.join(folder, "relay.log")
        command = ["taskset", "-c", str(cpu), program, "--echo", "--workers", "1", "--listen",
                   "ws://127.0.0.1:0", "--stats", self.stats_file]
        with open(log_file, "w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        self.url = self._announced(log_file)
        self.port = int(self.url.rpartition(":")[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _announced(self, log_file):
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end:
            with open(log_file) as log:
                text = log.read()
            for line in text.splitlines(keepends=True):
                if line.startswith("listening on ") and line.endswith("\n"):
                    return line.split()[-1]
            if self.process.poll() is not None:
                raise Trouble(f"the relay ended at start: {text.strip()}")
            time.sleep(POLL_S)
        self.__exit__()
        raise Trouble(f"the relay did not start in {START_TIMEOUT_S} s: {text.strip()}")

    def _file_state(self):
        try:
            state = os.stat(self.stats_file)
            return state.st_ino, state.st_mtime_ns
        except FileNotFoundError:
            return None

    def tick(self):
        """Wait until the counters are written, once a second: (monotonic seconds, counters)."""
        before = self._file_state()
        end = time.monotonic() + TICK_TIMEOUT_S
        while self._file_state() in (before, None):
            if self.process.poll() is not None:
                raise Trouble("the relay ended in the middle of a run")
            if time.monotonic() > end:
                raise Trouble(f"the relay wrote no counters in {TICK_TIMEOUT_S} s")
            time.sleep(POLL_S)
        now = time.monotonic()
        with open(self.stats_file) as stats:
            return now, json.load(stats)

    def pause(self, seconds):
        """Stop the process for so long; returns how long it was."""
        self.process.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        try:
            time.sleep(seconds)
        finally:
            end = time.monotonic()
            self.process.send_signal(signal.SIGCONT)
        return end - begin
