"""sealpost-load capacity: the rate it finds against a relay of known capacity, and how it ends."""
import json
import signal
import socket
import subprocess

import pytest

from relay_process import PATIENCE_S, binary, eventually, is_sanitized
from stub_relay import StubRelay
from test_load import BAD_OPTIONS, INTERRUPTED, LIMITED, PASS, UNREACHABLE

THRESHOLD = 99


class Capacity:
    """The command under way; `result()` waits for its end and gives its JSON."""

    def __init__(self, directory, url, *options):
        self.file = directory / "capacity.json"
        self.log_file = directory / "capacity.txt"
        with open(self.log_file, "w") as log:
            self.process = subprocess.Popen(
                [binary("loadgen/sealpost-load"), "capacity", url, *map(str, options),
                 "-o", str(self.file)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def log(self):
        return self.log_file.read_text()

    def result(self):
        try:
            self.code = self.process.wait(120 + PATIENCE_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        assert "anitizer" not in self.log() and "runtime error" not in self.log(), self.log()
        document = json.loads(self.file.read_text())
        assert document["schema"] == "sealpost.capacity/1"
        assert document["exit_code"] == self.code, self.log()
        return document


@pytest.fixture
def capacity(tmp_path):
    runs = []

    def start(url, *options):
        directory = tmp_path / f"capacity-{len(runs)}"
        directory.mkdir()
        runs.append(Capacity(directory, url, *options))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()


SHORT = ("-c", 20, "-d", "300ms", "--warmup", "100ms", "--drain", "1")


@pytest.mark.parametrize("rate", [2000, 5000])
def test_finds_the_known_rate(capacity, rate):
    with StubRelay("--rate", rate) as stub:
        for _ in range(2):
            run = capacity(stub.url, "--slo", "p95<50ms", "--start-rate", rate * 0.4,
                           "--repeats", 2, "--precision", "3%", *SHORT)
            document = run.result()
            found = document["capacity"]
            # That this machine was the limit far below is said, and tells nothing of the relay.
            if found["limited_by"] != "generator" or found["rate_per_s"] > rate * 0.9:
                break
    assert run.code == PASS, run.log()
    assert found["rate_per_s"] == pytest.approx(rate, rel=0.05), run.log()
    assert found["lower"] <= found["rate_per_s"] <= found["upper"]
    assert found["confirmed"] and found["samples"] >= 2
    assert document["slo"] == "response:p(95)<50ms"
    trials = document["trials"]
    assert any(not trial["ok"] for trial in trials)
    assert trials[-1]["ok"] and trials[-1]["rate_per_s"] == found["offered_per_s"]
    for trial in trials:
        assert trial["ok"] == (trial["result"] == "pass")
        # What came through is what was offered, or what the relay can: never more.
        assert trial["achieved_per_s"] < 1.1 * min(trial["offered_per_s"], rate) + 50
    assert f"{found['rate_per_s']:.0f}/s" in run.log()


def test_max_rate_is_at_least(relay, capacity):
    run = capacity(relay.url(), "--slo", "p50<20s", "--slo", "lost:count==0", "--start-rate", 200,
                   "--max-rate", 400, "--repeats", 1, "--server-pid", relay.process.pid,
                   "--plan", "users=1e6,messages=40,peak=10,cores=4,rss_bytes=700", *SHORT)
    document = run.result()
    assert run.code == PASS, run.log()
    found = document["capacity"]
    assert found["limited_by"] == "max_rate" and found["at_least"]
    assert found["offered_per_s"] == 400 and found["failed_per_s"] is None
    assert [trial["rate_per_s"] for trial in document["trials"]] == [200, 400, 400]
    assert "at least" in run.log()
    plan = document["plan"]
    assert plan["peak_per_s"] == pytest.approx(4629.63, abs=0.01)
    assert plan["relays"] >= 1 and plan["cores"] > 0
    assert plan["breaks_first"] in ("processors", "memory", "descriptors", "network")
    assert "users x 40 messages / 86400 s x 10" in plan["arithmetic"]["peak rate"]


def test_no_rate_holds(relay, capacity):
    run = capacity(relay.url(), "--slo", "max<1us", "--start-rate", 4, "--trials", 4, *SHORT)
    document = run.result()
    assert run.code in (THRESHOLD, LIMITED), run.log()
    assert document["capacity"]["rate_per_s"] is None
    assert document["capacity"]["limited_by"] == "nothing"
    assert "no rate held response:max<1us" in run.log()


def test_sweep_of_connections(relay, capacity):
    sizes = [2, 4, 8, 16, 32]
    run = capacity(relay.url(), "--sweep", "connections=" + ",".join(map(str, sizes)),
                   "--server-pid", relay.process.pid, *SHORT)
    document = run.result()
    assert run.code == PASS, run.log()
    assert "capacity" not in document
    sweep = document["sweep"]
    assert sweep["over"] == "connections"
    assert [point["n"] for point in sweep["points"]] == sizes
    assert all(point["per_s"] > 0 and point["server_cpu_ns_per_msg"] > 0
               for point in sweep["points"])
    fit = sweep["fit"]
    if fit["meaningful"]:
        assert len(fit["residuals"]) == len(sizes) and fit["sigma"] >= 0 and fit["kappa"] >= 0
    else:
        assert fit["reason"] in run.log()


def test_groups_are_split_again_for_each_point(relay, capacity):
    run = capacity(relay.url(), "--sweep", "connections=8,16", "--group", "chat", "--group", "idle",
                   *SHORT)
    document = run.result()
    assert run.code == PASS, run.log()
    assert all(point["per_s"] > 0 for point in document["sweep"]["points"])
    run = capacity(relay.url(), "--sweep", "connections=2", "--group", "chat", "--group", "chat",
                   *SHORT)
    run.result()
    assert run.code == BAD_OPTIONS, run.log()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_sweep_of_workers_starts_and_ends_its_relays(capacity, tmp_path):
    url = f"ws://127.0.0.1:{free_port()}"
    command = (f"{binary('relay/sealpost-relay')} --listen {{url}} --workers {{}} "
               f"--stats {tmp_path}/stats-{{}}.json")
    run = capacity(url, "--sweep", "workers=1,2", "--server-command", command, *SHORT)
    document = run.result()
    assert run.code == PASS, run.log()
    assert [point["n"] for point in document["sweep"]["points"]] == [1, 2]
    # Each ended well: it drained and wrote its statistics.
    for point, workers in zip(document["sweep"]["points"], (1, 2)):
        stats = json.loads((tmp_path / f"stats-{workers}.json").read_text())
        assert stats["envelopes_forwarded"] >= point["delivered"] > 0
    assert not document["sweep"]["fit"]["meaningful"]
    assert "needs 4" in document["sweep"]["fit"]["reason"]
    with socket.socket() as s:
        assert s.connect_ex(("127.0.0.1", int(url.rsplit(":", 1)[1]))) != 0


def test_server_command_that_ends(capacity):
    run = capacity(f"ws://127.0.0.1:{free_port()}", "--sweep", "workers=1", "--server-command",
                   "false {}")
    run.result()
    assert run.code == UNREACHABLE and "ended at once (exit code 1)" in run.log()


def test_server_command_where_something_listens(relay, capacity):
    run = capacity(relay.url(), "--sweep", "workers=1", "--server-command", "false {}")
    run.result()
    assert run.code == UNREACHABLE and "accepts" in run.log() and "already" in run.log()


def test_interrupt_keeps_what_is_known(relay, capacity):
    run = capacity(relay.url(), "--slo", "p50<20s", "--start-rate", 100, "--max-rate", 101,
                   "--repeats", 20, *SHORT)
    eventually(lambda: " pass\n" in run.log(), what="the first trial")
    run.process.send_signal(signal.SIGINT)
    document = run.result()
    assert run.code == INTERRUPTED, run.log()
    assert document["run"]["interrupted"]
    assert document["trials"][0]["ok"] and len(document["trials"]) < 22
    assert document["capacity"]["rate_per_s"] > 0 and not document["capacity"]["confirmed"]
    assert "so far" in run.log()


def test_nobody_there(capacity):
    run = capacity(f"ws://127.0.0.1:{free_port()}", "--slo", "p99<20ms", "-c", 2)
    run.result()
    assert run.code == UNREACHABLE


@pytest.mark.parametrize("options, says", [
    ((), "nothing to find"),
    (("--slo", "p99"), "comparison is missing"),
    (("--slo", "p99<20ms,abort"), "one objective for each --slo"),
    (("--slo", "p99<20ms", "--rate", "100"), "leave --rate and --stage out"),
    (("--slo", "p99<20ms", "-m", "idle"), "--mode talk"),
    (("--slo", "p99<20ms", "--ceiling"), "belong to a run"),
    (("--slo", "p99<20ms", "--csv", "x.csv"), "belong to a run"),
    (("--slo", "p99<20ms", "--max-rate", "10"), "above --max-rate"),
    (("--slo", "p99.99<20ms", "--start-rate", "100"), "give at least"),
    (("--slo", "p99<20ms", "--precision", "0"), "--precision takes"),
    (("--slo", "p99<20ms", "--repeats", "1.5"), "whole number"),
    (("--slo", "p99<20ms", "--trials", "101"), "--trials takes"),
    (("--sweep", "connections=3"), "--sweep takes"),
    (("--sweep", "workers=1,2"), "needs --server-command"),
    (("--sweep", "connections=2", "--server-command", "x {}"), "workers of --sweep"),
    (("--plan", "users=1"), "lacks messages="),
    (("--slo", "p99<20ms", "-o", "-", "--html", "-"), "only one of the files"),
    (("--plan", "users=1,messages=1,peak=1"), "nothing to find"),
])
def test_bad_options(options, says):
    done = subprocess.run([binary("loadgen/sealpost-load"), "capacity", "ws://127.0.0.1:1",
                           *options], capture_output=True, text=True, timeout=30)
    assert done.returncode == BAD_OPTIONS and says in done.stderr, done.stderr


@pytest.mark.skipif(is_sanitized(), reason="sanitizers keep freed memory: it is not the relay's")
def test_idle_connections_are_measured(relay, capacity):
    run = capacity(relay.url(), "--server-pid", relay.process.pid, "-q", "--plan",
                   "users=1e6,messages=40,peak=10,cpu_ns=10000")
    document = run.result()
    assert run.code == PASS, run.log()
    each = document["rss_bytes_per_idle_conn"]
    assert 100 < each < 10000
    assert document["plan"]["memory_bytes"] == pytest.approx(1e6 * (each + 4420), rel=1e-3)


def test_plan_of_given_costs(relay, capacity, tmp_path):
    """Nothing needs to be measured when the costs are given."""
    page = tmp_path / "page.html"
    run = capacity(relay.url(), "--html", page, "--plan",
                   "users=8.64e6,messages=10,peak=6,cpu_ns=10000,rss_bytes=1580,payload=256")
    document = run.result()
    assert run.code == PASS
    assert document["plan"]["cores"] == pytest.approx(0.1)
    assert document["plan"]["memory_bytes"] == pytest.approx(51.84e9)
    assert "what breaks first: descriptors" in run.log()
    text = page.read_text()
    assert "<html" in text and '"schema":"sealpost.capacity/1"' in text
