"""bench/generators: arithmetic, readers of other tools' reports, errors, a run of sealpost-load.

None of the foreign tools is needed.
"""
import json
import os
import subprocess
import sys
import time

import pytest

from relay_process import PATIENCE_S, binary, eventually

ROOT = os.path.normpath(os.path.join(os.path.dirname(__file__), "../.."))
BENCH = os.path.join(ROOT, "bench")
sys.path.insert(0, BENCH)

from generators import (arithmetic, report, tool, tool_artillery, tool_loadtest,  # noqa: E402
                        tool_sealpost, tool_thor, tool_tsung, tree)
from generators.work import Trouble, Work  # noqa: E402

PASS, FAILED, BAD_OPTIONS, INTERRUPTED = 0, 1, 104, 105

# As the tools write them, shortened.
TSUNG_LOG = """# stats: dump at 1795746512
stats: users 100 100
stats: connect 100 1.69 0.68 3.766 0.442 0 0
stats: request 1000 2.0 0.9 10.5 0.066 0 0
stats: size_rcv 43770380 43770380
# stats: dump at 1795746522
stats: connect 0 0 0 3.766 0.442 1.69 100
stats: request 3000 4.0 0.9 1377.855 0.05 2.0 1000
stats: error_abort 1 1
"""
ARTILLERY = {"aggregate": {
    "counters": {"vusers.created": 100, "vusers.failed": 0, "websocket.messages_received": 5000},
    "rates": {"websocket.receive_rate": 998},
    "summaries": {tool_artillery.LATENCY: {"min": 0.1, "max": 1401.2, "mean": 9.9, "p50": 5,
                                           "p90": 11, "p99": 55.2}}}}
LOADTEST = """
Target URL:          ws://127.0.0.1:18086/echo
Completed requests:  90879
Total errors:        0
Total time:          5.003 s
Mean latency:        4.9 ms
Effective rps:       18165

Percentage of requests served within a certain time
  50%      4 ms
  90%      9 ms
  99%      16 ms
 100%      42 ms (longest request)
"""

THOR = """
Online               178 milliseconds
Connected            100
Failed               0

Durations (ms):

                     min     mean     stddev  median max
Handshaking          39      50            7      49 61
Latency              0       6             4       5 1444

Percentile (ms):

                      50%     66%     75%     80%     90%     95%     98%     98%    100%
Handshaking          49      55      56      58      59      60      61      61      61
Latency              5       6       6       7       9       14      20      24      1444
"""


def generators(*options, path=None, code):
    environment = {**os.environ, "PYTHONPATH": BENCH}
    if path:
        environment["PATH"] = path
    out = subprocess.run(["/usr/bin/python3", "-B", "-m", "generators", *map(str, options)],
                         env=environment,
                         capture_output=True, text=True, stdin=subprocess.DEVNULL,
                         timeout=2 * PATIENCE_S)
    assert out.returncode == code, (out.returncode, out.stdout, out.stderr)
    return out


def ours(*options, **kwargs):
    return generators("--relay", binary("relay/sealpost-relay"), "--load",
                      binary("loadgen/sealpost-load"), *options, **kwargs)


def test_open_loop_quantile_is_that_of_simulated_arrivals():
    window_s, stall_s, rate = 14.0, 1.4, 1000
    begin = 6.0
    delays = []
    for arrival in range(int(window_s * rate)):
        at = arrival / rate
        delays.append(max(0.0, begin + stall_s - at) * 1000 if at >= begin else 0.0)
    assert arithmetic.open_loop_mean_ms(stall_s, window_s) == \
        pytest.approx(sum(delays) / len(delays), abs=0.1)
    for quantile in (0.5, 0.89, 0.95, 0.99, 0.999):
        expected = arithmetic.quantile_ms(delays, quantile)
        assert arithmetic.open_loop_quantile_ms(quantile, stall_s, window_s) == \
            pytest.approx(expected, abs=1.1)
    assert arithmetic.open_loop_quantile_ms(0.99, 1.4, 14) == pytest.approx(1260)
    assert arithmetic.open_loop_quantile_ms(1, 1.4, 14, service_ms=2) == pytest.approx(1402)
    assert arithmetic.open_loop_quantile_ms(0.5, 1.4, 14, service_ms=2) == 2


@pytest.mark.parametrize("arguments", [(0.5, 0, 14), (0.5, 15, 14), (1.1, 1, 14), (-0.1, 1, 14)])
def test_open_loop_quantile_refuses_what_cannot_be(arguments):
    with pytest.raises(ValueError):
        arithmetic.open_loop_quantile_ms(*arguments)


def test_open_loop_mean_refuses_what_cannot_be():
    with pytest.raises(ValueError):
        arithmetic.open_loop_mean_ms(15, 14)


def test_summaries_ratios_and_rates_per_core():
    assert arithmetic.summarise([3, 1, 2]) == {"median": 2, "low": 1, "high": 3}
    assert arithmetic.summarise([None, None]) is None
    assert arithmetic.per_core_second(1000, 0.5) == 2000
    assert arithmetic.per_core_second(1000, 0) is None
    # Within a round, not of the medians: the second round was slow for both.
    assert arithmetic.ratio_of_rounds([100, 50, 90], [20, 10, 30]) == 5
    assert arithmetic.ratio_of_rounds([100], [None]) is None


def test_tsung_sums_its_intervals():
    said = tool_tsung.parse_log(TSUNG_LOG, 20)
    assert (said.messages, said.per_s, said.mean_ms, said.max_ms) == (4000, 200, 3.5, 1377.855)
    assert said.p50_ms is None and said.p99_ms is None
    with pytest.raises(Trouble, match="sent nothing"):
        tool_tsung.parse_log("stats: users 100 100\n", 20)


def test_artillery_report_and_a_failed_user():
    said = tool_artillery.parse_report(ARTILLERY)
    assert (said.messages, said.per_s) == (5000, 998)
    assert (said.p50_ms, said.p90_ms, said.p99_ms, said.max_ms) == (5, 11, 55.2, 1401.2)
    failed = json.loads(json.dumps(ARTILLERY))
    failed["aggregate"]["counters"]["vusers.failed"] = 3
    with pytest.raises(Trouble, match="3 of artillery's users"):
        tool_artillery.parse_report(failed)
    with pytest.raises(Trouble, match="no message"):
        tool_artillery.parse_report({"aggregate": {"counters": {}}})


def test_artillery_thinks_only_with_a_rate():
    fast = tool_artillery.scenario(Work(100, 5), "ws://127.0.0.1:1", "p.cjs")
    paced = tool_artillery.scenario(Work(100, 5, rate=1000), "ws://127.0.0.1:1", "p.cjs")
    assert [list(step) for step in fast["scenarios"][0]["flow"][1]["loop"]] == [["send"]]
    assert paced["scenarios"][0]["flow"][1]["loop"][0] == {"think": "100ms"}
    assert fast["config"]["target"] == "ws://127.0.0.1:1/echo"


def test_loadtest_report_and_its_errors():
    said = tool_loadtest.parse_report(LOADTEST)
    assert (said.messages, said.per_s, said.mean_ms) == (90879, 18165, 4.9)
    assert (said.p50_ms, said.p90_ms, said.p99_ms, said.max_ms) == (4, 9, 16, 42)
    with pytest.raises(Trouble, match="7 errors"):
        tool_loadtest.parse_report(LOADTEST.replace("errors:        0", "errors:        7"))
    with pytest.raises(Trouble, match="Completed requests"):
        tool_loadtest.parse_report("Total errors: 0\nKilled\n")


def test_thor_report_with_its_wrong_label():
    said = tool_thor.parse_report(THOR)
    assert (said.mean_ms, said.p50_ms, said.p90_ms, said.p99_ms, said.max_ms) == (6, 5, 9, 24, 1444)
    with pytest.raises(Trouble, match="'Latency'"):
        tool_thor.parse_report(THOR.partition("Latency")[0])
    with pytest.raises(Trouble, match="another form"):
        tool_thor.parse_report(THOR.replace(" 24 ", " "))


def test_versions_are_pinned_and_compared():
    assert tool.pinned_version("tsung") and tool.pinned_version("artillery")
    with pytest.raises(KeyError):
        tool.pinned_version("nothing")
    with pytest.raises(Trouble, match="tsung is version 0.1.*scripts/setup --generators"):
        tool_tsung.Tsung().check_version("0.1")


def test_missing_tools_say_what_installs_them(tmp_path):
    (tmp_path / "bin").mkdir()
    out = ours("--only", "tsung", path=str(tmp_path / "bin"), code=FAILED)
    assert "tsung is not installed: run scripts/setup --generators" in out.stderr
    for name in ("artillery", "loadtest", "thor"):
        out = ours("--only", name, "--generators", tmp_path, code=FAILED)
        assert f"{name} is not installed: run scripts/setup --generators" in out.stderr
    out = generators("--relay", tmp_path / "nothing", code=FAILED)
    assert "build it" in out.stderr


def test_an_npm_generator_of_another_version_is_refused(tmp_path):
    folder = tmp_path / "node_modules" / "loadtest"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"version": "0.0.1"}')
    (tmp_path / "node").write_text("#!/bin/sh\n")
    (tmp_path / "node").chmod(0o755)
    out = ours("--only", "loadtest", "--generators", tmp_path,
               path=f"{tmp_path}:{os.environ['PATH']}", code=FAILED)
    assert "loadtest is version 0.0.1" in out.stderr


@pytest.mark.parametrize("arguments, complaint", [
    (("--only", "ab"), "there is no 'ab'"),
    (("--rounds", "0"), "'0' is no number from 1 to 20"),
    (("--connections", "100,x"), "'x' is no number"),
    (("--keep", "a/b"), "cannot be part of a folder's name"),
    (("--stall", "3", "--stall-window", "5"), "at least twice --stall"),
    (("--server-cpu", "1", "--client-cpu", "1"), "must differ"),
    (("--client-cpu", "255"), "no processor 255"),
    (("extra",), "unrecognized arguments"),
])
def test_bad_options(arguments, complaint):
    assert complaint in generators(*arguments, code=BAD_OPTIONS).stderr


def test_a_tree_counts_its_children_those_that_ended_too():
    burn = "x = 0\nwhile __import__('time').process_time() < 0.3: x += 1"
    script = (f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\n"
              f"c = subprocess.Popen([sys.executable, '-c', {burn!r} + chr(10) + 'input()'], "
              "stdin=subprocess.PIPE)\ninput()")
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
    try:
        eventually(lambda: len(tree.members(parent.pid)) == 2 and
                   tree.cpu_seconds(parent.pid) >= 0.55, what="both children's time")
        proportional, resident = tree.memory_bytes(parent.pid)
        assert 0 < proportional <= resident
        child, = set(tree.members(parent.pid)) - {parent.pid}
    finally:
        tree.end(parent)
    eventually(lambda: not os.path.exists(f"/proc/{child}") or
               tree._stat(child)[0] == "Z", what="the child's end")


def test_a_broken_generator_is_an_error_and_leaves_nothing(tmp_path):
    """A sealpost-load that ends at once, and one that never connects."""
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo broken 1 && exit\n"
                      "echo no luck today >&2\nexit 3\n")
    broken.chmod(0o755)
    out = generators("--relay", binary("relay/sealpost-relay"), "--load", broken, "--only",
                     "sealpost-load", "--parts", "rate", "--results", tmp_path, code=FAILED)
    assert "no luck today" in out.stderr and "exit code 3" in out.stderr
    assert not (tmp_path / "latest").exists()


def test_interrupted_ends_what_it_started(tmp_path):
    process = subprocess.Popen(
        ["/usr/bin/python3", "-B", "-m", "generators", "--relay", binary("relay/sealpost-relay"),
         "--load", binary("loadgen/sealpost-load"), "--only", "sealpost-load",
         "--results", tmp_path],
        env={**os.environ, "PYTHONPATH": BENCH}, stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: len(tree.members(process.pid)) == 3, what="the relay and the generator")
        started = set(tree.members(process.pid)) - {process.pid}
        process.terminate()
        _, text = process.communicate(timeout=PATIENCE_S)
    finally:
        tree.end(process)
    assert process.returncode == INTERRUPTED and "interrupted" in text
    assert not any(os.path.exists(f"/proc/{pid}") for pid in started)


def test_a_real_run_of_sealpost_load(tmp_path):
    """Counts agree with its own, and a stall is reported as an open loop must."""
    begin = time.monotonic()
    out = ours("--only", "sealpost-load", "--rounds", 1, "--seconds", 1, "--connections", 10,
               "--stall", 0.8, "--stall-window", 4, "--stall-rate", 1000, "--results", tmp_path,
               "--keep", "test", code=PASS)
    took_s = time.monotonic() - begin
    result = json.loads((tmp_path / "latest" / "generators.json").read_text())
    assert result["schema"] == report.SCHEMA
    (measured,) = result["rate"]["rounds"]
    assert 0.5 < measured["window_s"] < took_s
    assert 0 < measured["messages"] < measured["said"]["messages"]
    assert 0 < measured["busy"] <= 1.2
    assert measured["per_core_second"] == pytest.approx(1e9 / measured["cpu_ns_per_message"])
    assert measured["memory_bytes_per_connection"] * 10 == pytest.approx(measured["memory_bytes"])
    (row,) = result["rate"]["rows"]
    assert row["sealpost_load_times"] == 1
    (stall,) = result["stall"]
    assert stall["stall_s"] >= 0.8
    # 4 s at 1,000 a second, or a little more where the window's end came late; each counted by the
    # relay, the warm-up's too.
    assert stall["said"]["per_s"] == pytest.approx(1000, rel=0.02)
    assert stall["said"]["messages"] == pytest.approx(4000, rel=0.05)
    assert stall["messages"] >= stall["said"]["messages"]
    # An open loop must say 800 and 760; who sends only after an answer could not say the second.
    assert stall["open_loop"]["p99_ms"] == pytest.approx(stall["stall_s"] * 1000 - 40)
    assert stall["said"]["max_ms"] >= 700 and stall["said"]["p99_ms"] >= 660
    assert stall["said"]["uncorrected"]["max_ms"] > 0
    (kept,) = [folder for folder in tmp_path.iterdir() if folder.name.endswith("-test")]
    assert (kept / "summary.md").read_text() == out.stdout
    assert "| **sealpost-load** | 10 |" in out.stdout and "an open loop must say" in out.stdout


def test_uncorrected_latency_of_ours_stands_beside():
    latency = {"mean": 10.0, "p50": 5.0, "p90": 6.0, "p99": None, "max": 20.0}
    said = tool_sealpost.parse_report({
        "latency_us": {"response": latency, "uncorrected": {**latency, "max": 7.0}},
        "messages": {"count": 5, "per_s": 1.0}, "generator": {"verdict": "ok"}})
    assert (said.p50_ms, said.p99_ms, said.max_ms) == (0.005, None, 0.02)
    assert said.uncorrected["max_ms"] == 0.007 and said.verdict == "ok"


def test_rows_compare_within_rounds_and_per_number_of_connections():
    def entry(name, connections, number, per_core):
        return {"tool": name, "connections": connections, "round": number, "per_s": per_core,
                "cpu_ns_per_message": 1e9 / per_core, "per_core_second": per_core, "busy": 1,
                "memory_bytes": 1, "resident_bytes": 1, "memory_bytes_per_connection": 1,
                "said": {"per_s": None}}
    rows = report.summarise_rate([
        entry("sealpost-load", 100, 1, 100), entry("tsung", 100, 1, 20),
        entry("tsung", 100, 2, 10), entry("sealpost-load", 100, 2, 60),
        entry("sealpost-load", 1000, 1, 90), entry("tsung", 1000, 1, 30)])
    times = {(row["tool"], row["connections"]): row["sealpost_load_times"] for row in rows}
    assert times == {("sealpost-load", 100): 1, ("tsung", 100): 5.5,
                     ("sealpost-load", 1000): 1, ("tsung", 1000): 3}
    assert "5.5×" in report.rate_table(rows)
