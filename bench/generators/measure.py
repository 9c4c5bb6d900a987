"""One run of one generator against a relay of its own: what is counted from outside, what it says.

The relay has one processor, the generator with all its processes another.
"""
import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import tempfile
import time

from . import arithmetic, tree
from .relay import Relay
from .work import Trouble, Work

# Around the window: the wait for the relay's next count, the warm-up, and what is left when it ends.
COUNT_S, WARMUP_S, REST_S = 1, 1, 1
START_TIMEOUT_S = 30
END_TIMEOUT_S = 60
OUTPUT_SHOWN_CHARS = 400
QUANTILES = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "max_ms": 1.0}


@dataclasses.dataclass(frozen=True)
class Place:
    """Where runs happen. `temp`: a folder for the runs' folders."""
    relay: str
    server_cpu: int
    client_cpu: int
    temp: str


@contextlib.contextmanager
def _started(tool, work, place):
    """The relay and the generator, both ended afterwards: (relay, process, folder)."""
    folder = tempfile.mkdtemp(prefix=tool.name + "-", dir=place.temp)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        relay = stack.enter_context(Relay(place.relay, folder, place.server_cpu))
        stack.enter_context(tool.helpers(folder))
        command = ["taskset", "-c", str(place.client_cpu), *tool.command(work, relay, folder)]
        output = stack.enter_context(open(os.path.join(folder, "output.txt"), "w"))
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder,
                                   stdin=subprocess.DEVNULL,
                                   env={**os.environ, **tool.environment(folder)})
        stack.callback(tree.end, process)
        yield relay, process, folder


def _complain(tool, process, folder, what):
    with open(os.path.join(folder, "output.txt")) as output:
        text = output.read().strip()[-OUTPUT_SHOWN_CHARS:]
    raise Trouble(f"{tool.name} {what} (exit code {process.poll()}): "
                  f"{text or 'it printed nothing'}")


def _is_open(counters, work):
    return counters["connections_accepted"] - counters["connections_closed"] == work.connections


def _await_load(tool, work, relay, process, folder):
    """Until all its connections are open and messages flow: the relay's count then."""
    end = time.monotonic() + START_TIMEOUT_S
    while True:
        now, counters = relay.tick()
        if process.poll() is not None:
            _complain(tool, process, folder, "ended before it had its connections")
        if _is_open(counters, work) and counters[tool.counter] > 0:
            return now, counters
        if now > end:
            _complain(tool, process, folder, f"had no {work.connections} connections at work "
                      f"after {START_TIMEOUT_S} s")


def _await_end(tool, process, folder):
    if not tool.ends_by_itself:
        process.send_signal(signal.SIGINT)
    try:
        code = process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        _complain(tool, process, folder, f"did not end in {END_TIMEOUT_S} s")
    if code not in tool.exit_codes:
        _complain(tool, process, folder, "failed")


def _take_window(tool, relay, process, window_s):
    """Whole seconds between two counts of the relay, and the generator's processor time in them."""
    begin, counters = relay.tick()
    first, cpu = counters[tool.counter], tree.cpu_seconds(process.pid)
    end = begin
    while end - begin < window_s - 0.5:
        end, counters = relay.tick()
    cpu = tree.cpu_seconds(process.pid) - cpu
    return end - begin, counters[tool.counter] - first, cpu, counters


def measure_rate(tool, connections, window_s, place):
    """As fast as it can, one message in flight for each connection."""
    work = Work(connections, tool.arrival_s + COUNT_S + WARMUP_S + window_s + REST_S)
    with _started(tool, work, place) as (relay, process, folder):
        _await_load(tool, work, relay, process, folder)
        seconds, messages, cpu_s, counters = _take_window(tool, relay, process, window_s)
        proportional, resident = tree.memory_bytes(process.pid)
        if process.poll() is not None or not _is_open(counters, work):
            _complain(tool, process, folder, "lost connections, or ended, in the window")
        if messages == 0 or cpu_s <= 0:
            _complain(tool, process, folder, "sent nothing in the window")
        _await_end(tool, process, folder)
        said = tool.said(work, folder)
    return {
        "window_s": seconds, "messages": messages, "per_s": messages / seconds,
        "cpu_ns_per_message": cpu_s / messages * 1e9,
        "per_core_second": arithmetic.per_core_second(messages, cpu_s),
        "busy": cpu_s / seconds,
        "memory_bytes": proportional, "resident_bytes": resident,
        "memory_bytes_per_connection": proportional / connections,
        "said": dataclasses.asdict(said),
    }


def measure_stall(tool, work, stall_s, place):
    """A steady load, in the middle of which the relay does nothing for a while."""
    with _started(tool, work, place) as (relay, process, folder):
        _await_load(tool, work, relay, process, folder)
        time.sleep(max(0.0, (work.seconds - stall_s) / 2 - COUNT_S))
        stalled_s = relay.pause(stall_s)
        if process.poll() is not None:
            _complain(tool, process, folder, "ended before the stall was over")
        if not tool.ends_by_itself:
            time.sleep(max(0.0, (work.seconds - stall_s) / 2))
        _await_end(tool, process, folder)
        said = tool.said(work, folder)
        _, counters = relay.tick()
    expected = {name: arithmetic.open_loop_quantile_ms(q, stalled_s, work.seconds)
                for name, q in QUANTILES.items()}
    expected["mean_ms"] = arithmetic.open_loop_mean_ms(stalled_s, work.seconds)
    return {"stall_s": stalled_s, "window_s": work.seconds, "messages": counters[tool.counter],
            "open_loop": expected, "said": dataclasses.asdict(said)}
