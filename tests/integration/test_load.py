"""sealpost-load against a real relay: what it counts, how it ends, what it writes."""
import itertools
import json
import signal
import subprocess

import pytest

from relay_process import PATIENCE_S, binary, eventually
from test_tls import make_certificate

PASS, BAD_OPTIONS, INTERRUPTED, INTEGRITY, LIMITED, UNREACHABLE = 0, 104, 105, 111, 112, 113
FAULTS = ("lost", "duplicate", "reordered", "gaps", "misrouted", "auth_fail", "foreign")


class Load:
    """A run of the generator; `result()` waits for its end and gives its JSON."""

    def __init__(self, directory, url, *options):
        self.file = directory / "load.json"
        self.log_file = directory / "load.txt"
        with open(self.log_file, "w") as log:
            self.process = subprocess.Popen(
                [binary("loadgen/sealpost-load"), url, *map(str, options), "-o", str(self.file)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def log(self):
        return self.log_file.read_text()

    def result(self):
        try:
            self.code = self.process.wait(60 + PATIENCE_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        assert "anitizer" not in self.log() and "runtime error" not in self.log(), self.log()
        document = json.loads(self.file.read_text())
        assert document["schema"] == "sealpost.load/1"
        assert document["exit_code"] == self.code, self.log()
        return document

    def passed(self):
        """The run must have lost nothing. That the generator was the limit is this machine's
        fault and not a failure."""
        document = self.result()
        faults = {name: document["delivery"][name] for name in FAULTS
                  if document["delivery"][name]}
        assert not faults, faults
        assert document["delivery"]["expected"] == document["delivery"]["received"]
        assert document["delivery"]["disconnected"] == 0
        limited = document["generator"]["verdict"] == "limited"
        assert self.code == (LIMITED if limited else PASS), self.log()
        assert not document["run"]["interrupted"] and document["run"]["failure"] is None
        return document


@pytest.fixture
def load(tmp_path):
    runs = []
    numbers = itertools.count()  # several may be started at a time

    def start(url, *options):
        directory = tmp_path / f"load-{next(numbers)}"
        directory.mkdir()
        run = Load(directory, url, *options)
        runs.append(run)
        return run

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()


def url_of(relay, scheme):
    """The relay's address by the name its certificate has, and the options to verify it."""
    if scheme == "ws":
        return relay.url("ws"), ()
    return relay.url("wss").replace("127.0.0.1", "localhost"), ("--ca", relay.certificate)


def check_budget(document):
    """The parts add up to the response, and nearly every envelope could be attributed."""
    budget, latency = document["budget"], document["latency_us"]
    assert budget["count"] == latency["response"]["count"] > 0
    assert budget["response_us"] == pytest.approx(latency["response"]["mean"], abs=0.01)
    parts = {name: value for name, value in budget.items()
             if name not in ("count", "unattributed_count", "response_us")}
    assert sum(parts.values()) == pytest.approx(budget["response_us"], abs=0.01)
    assert parts["seal_us"] > 0 and parts["open_us"] > 0 and parts["server_network_us"] > 0
    attributed = budget["count"] - budget["unattributed_count"]
    assert attributed > 0.9 * budget["count"]
    for name in ("seal", "socket_queue", "server_network"):
        assert latency[name]["count"] == attributed


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("durable", [False, True], ids=["transient", "durable"])
def test_closed_loop(start_relay, load, scheme, durable):
    relay = start_relay("--workers", 2, listen=(scheme,))
    url, tls = url_of(relay, scheme)
    document = load(url, *tls, "-c", 10, "-w", 2, "-d", "1", "--warmup", "200ms",
                    *(["--durable"] if durable else [])).passed()
    assert document["offered"]["model"] == "closed"
    check_budget(document)
    assert document["connections"] == {"wanted": 10, "connected": 10, "disconnected": 0}
    assert document["messages"]["count"] > 50 and document["messages"]["per_s"] > 50
    assert (document["env"]["tls"] == "none") == (scheme == "ws")
    stats = relay.stop()
    # The relay's count and the generator's agree.
    if durable:
        assert document["delivery"]["accepted"] > 0
        assert stats["store_accepted"] >= document["delivery"]["received"]
    else:
        assert stats["envelopes_forwarded"] >= document["delivery"]["received"]
    assert stats["refused_recipient_absent"] == 0


def test_hybrid_group_is_reported(start_relay, load):
    relay = start_relay("--workers", 1, listen=("wss",))
    url, tls = url_of(relay, "wss")
    document = load(url, *tls, "-c", 2, "-d", "300ms", "--warmup", "0").passed()
    assert "X25519MLKEM768" in document["env"]["tls"]
    assert document["env"]["shortcuts"] == []


def test_insecure_is_reported(start_relay, load):
    relay = start_relay("--workers", 1, listen=("wss",))
    document = load(relay.url("wss"), "--insecure", "-c", 2, "-d", "300ms",
                    "--warmup", "0").passed()
    assert document["env"]["shortcuts"] == ["the relay's certificate is not verified"]


@pytest.mark.parametrize("arrival", ["constant", "poisson"])
def test_open_loop(relay, load, arrival):
    document = load(relay.url(), "-c", 10, "-r", 500, "--arrival", arrival, "-d", "2",
                    "--warmup", "300ms").passed()
    check_budget(document)
    offered = document["offered"]
    assert offered["model"] == f"open, {arrival}" and offered["rate_per_s"] == 500
    assert 600 < offered["scheduled"] < 1500
    # Those intended in the window, whenever they arrived.
    assert document["latency_us"]["response"]["count"] == offered["sent"] > 0
    # A latency from the intended time is never below the one from the sending.
    assert document["latency_us"]["response"]["p50"] >= \
        document["latency_us"]["uncorrected"]["p50"]


@pytest.mark.parametrize("payload", [48, 4096, 60000])
def test_payload(relay, load, payload):
    document = load(relay.url(), "-c", 4, "-p", payload, "-d", "500ms", "--warmup", "0").passed()
    assert document["run"]["config"]["payload_bytes"] == payload


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_payload_distribution(start_relay, load, scheme):
    relay = start_relay("--workers", 1, listen=(scheme,))
    url, tls = url_of(relay, scheme)
    # From the shortest frame header to the longest, several in one send.
    document = load(url, *tls, "-c", 4, "-w", 32, "-p", "choice:48*70,1000*20,20000*9,65504*1",
                    "-d", "500ms", "--warmup", "0", "--drain", "10").passed()
    config = document["run"]["config"]
    assert config["payload"] == "choice:48*70,1000*20,20000*9,65504*1"
    assert config["payload_bytes"] == 65504
    assert document["messages"]["count"] > 100


def test_threads(start_relay, load):
    relay = start_relay("--workers", 2)
    document = load(relay.url(), "-c", 20, "-t", 2, "-d", "1", "--warmup", "0").passed()
    assert len(document["generator"]["busy_pct_per_thread"]) == 2


@pytest.mark.parametrize("sources", ["127.0.0.7,127.3.0.1", "127.1.0.0/29", "3"])
def test_source_addresses(relay, load, sources):
    document = load(relay.url(), "-c", 8, "-d", "300ms", "--warmup", "0", "--source-addresses",
                    sources).passed()
    assert document["connections"]["connected"] == 8


def test_source_address_of_nobody(relay):
    out = subprocess.run([binary("loadgen/sealpost-load"), relay.url(), "--source-addresses",
                          "127.0.0.2,192.0.2.7"], capture_output=True, text=True,
                         timeout=PATIENCE_S)
    assert out.returncode == BAD_OPTIONS
    assert "192.0.2.7" in out.stderr and "not an address of this machine" in out.stderr


def test_handshakes(start_relay, load):
    relay = start_relay("--workers", 1, "--bundle-rate", 0)
    document = load(relay.url(), "-m", "handshake", "-c", 6, "-d", "1",
                    "--warmup", "200ms").passed()
    assert document["handshakes"]["count"] > 0 and document["handshakes"]["failed"] == 0
    assert relay.stop()["bundles"] >= document["handshakes"]["count"]


@pytest.mark.parametrize("anonymous", [False, True], ids=["logged_in", "anonymous"])
def test_idle(relay, load, anonymous):
    document = load(relay.url(), "-m", "idle", "-c", 50, "-d", "500ms", "--warmup", "0",
                    "--server-pid", relay.process.pid,
                    *(["--idle-anonymous"] if anonymous else [])).passed()
    assert document["offered"]["model"] == "idle" and document["connections"]["connected"] == 50
    assert document["server"]["rss_bytes"] >= document["server"]["rss_before_bytes"] > 0
    assert relay.stop()["logged_in"] == (0 if anonymous else 50)


def test_schema(relay, load):
    """Every member that a reader of sealpost.load/1 relies on."""
    document = load(relay.url(), "-c", 4, "-d", "1200ms", "--warmup", "0", "--seed", 7,
                    "--server-pid", relay.process.pid).passed()
    assert list(document) == ["schema", "run", "env", "offered", "connections", "messages",
                              "handshakes", "delivery", "latency_us", "budget", "generator",
                              "server", "intervals", "stages", "groups", "thresholds",
                              "aborted_by", "agents", "exit_code"]
    run = document["run"]
    assert len(run["id"]) == 16 and run["seed"] == 7 and run["duration_s"] >= 1.1
    assert run["config"]["connections"] == 4 and run["config"]["mode"] == "talk"
    assert run["argv"][0].endswith("sealpost-load")
    assert {"cpu", "cores", "kernel", "colocated", "tls", "crypto", "masking",
            "shortcuts"} <= set(document["env"])
    assert document["env"]["colocated"] is True
    assert set(FAULTS) | {"ahead", "expected", "received", "late", "refused", "refused_by", "accepted",
                          "disconnected", "first_disconnect"} == set(document["delivery"])
    for name in ("response", "uncorrected", "schedule_lag", "send_queue", "seal", "socket_queue",
                 "server_network", "open", "seal_cost", "open_cost", "turn"):
        assert set(document["latency_us"][name]) == {"count", "mean", "p50", "p90", "p99",
                                                     "p99_9", "p99_99", "max", "curve"}
    response = document["latency_us"]["response"]
    assert 0 < response["p50"] <= response["p90"] <= response["max"]
    assert document["server"]["cpu_ns"] > 0 and document["server"]["cpu_ns_per_msg"] > 0
    assert document["generator"]["verdict"] in ("ok", "suspect", "limited")
    assert document["intervals"]
    assert {"at_s", "length_s", "count", "per_s", "p50_us", "p90_us", "p99_us", "p99_9_us",
            "max_us", "sent", "delivered", "refused", "faults", "generator_busy_pct",
            "server_busy_pct", "server_cpu_ns_per_op"} == set(document["intervals"][0])
    curve = response["curve"]
    assert curve == sorted(curve) and curve[0][0] == 0 and curve[-1][1] <= response["max"]
    assert sum(i["count"] for i in document["intervals"]) > 0.8 * document["messages"]["count"]


def test_json_on_standard_output(relay):
    out = subprocess.run([binary("loadgen/sealpost-load"), relay.url(), "-c", "2", "-d", "300ms",
                          "--warmup", "0", "-q", "-o", "-"], capture_output=True, text=True,
                         timeout=60)
    assert json.loads(out.stdout)["schema"] == "sealpost.load/1"


def held(relay, directory, *options):
    """A run that waits for a word, and its users are ready."""
    run = subprocess.Popen([binary("loadgen/sealpost-load"), relay.url(), "-c", "2", "-d", "300ms",
                            "--warmup", "0", "-q", "--hold", "-o", directory / "held.json",
                            *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "ready\n"
    return run


@pytest.mark.parametrize("word", ["now\n", ""])
def test_held_until_told(relay, load, tmp_path, word):
    with held(relay, tmp_path) as run:
        # Another run comes and goes; this one still waits.
        assert load(relay.url(), "-c", 2, "-d", "300ms", "--warmup", "0").passed()
        assert run.poll() is None
        run.communicate(word, timeout=60)
    assert run.returncode in (PASS, LIMITED)
    assert json.loads((tmp_path / "held.json").read_text())["delivery"]["received"] > 0


def test_held_and_interrupted(relay, tmp_path):
    with held(relay, tmp_path) as run:
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == INTERRUPTED


def test_half_a_line_is_no_word(relay, tmp_path):
    with held(relay, tmp_path) as run:
        run.stdin.write("no line")
        run.stdin.flush()
        run.send_signal(signal.SIGTERM)
        assert run.wait(60) == INTERRUPTED


WRONG = {
    "no_target": ([], "relay is missing"),
    "two_targets": (["ws://127.0.0.1:1", "ws://127.0.0.1:2"], "one relay at a time"),
    "not_ws": (["http://127.0.0.1:1"], "http://127.0.0.1:1"),
    "no_port": (["ws://127.0.0.1:"], "ws://127.0.0.1:"),
    "odd_connections": (["ws://127.0.0.1:1", "-c", "3"], "--connections"),
    "zero_connections": (["ws://127.0.0.1:1", "-c", "0"], "--connections"),
    "connections_word": (["ws://127.0.0.1:1", "-c", "x"], "--connections"),
    "payload_too_small": (["ws://127.0.0.1:1", "-p", "47"], "--payload"),
    "payload_too_large": (["ws://127.0.0.1:1", "-p", "65537"], "--payload"),
    "duration_zero": (["ws://127.0.0.1:1", "-d", "0"], "--duration"),
    "duration_word": (["ws://127.0.0.1:1", "-d", "soon"], "--duration"),
    "rate_zero": (["ws://127.0.0.1:1", "-r", "0"], "--rate"),
    "both_loops": (["ws://127.0.0.1:1", "-r", "5", "-w", "2"], "--rate"),
    "arrival_without_rate": (["ws://127.0.0.1:1", "--arrival", "poisson"], "--arrival"),
    "unknown_mode": (["ws://127.0.0.1:1", "-m", "shout"], "--mode"),
    "anonymous_talk": (["ws://127.0.0.1:1", "--idle-anonymous"], "--idle-anonymous"),
    "handshake_payload": (["ws://127.0.0.1:1", "-m", "handshake", "-p", "99"], "--payload"),
    "unknown_suite": (["ws://127.0.0.1:1", "--suite", "kyber"], "--suite"),
    "unknown_auth": (["ws://127.0.0.1:1", "--auth", "rsa"], "--auth"),
    "unknown_session": (["ws://127.0.0.1:1", "--session", "double"], "--session"),
    "idle_suite": (["ws://127.0.0.1:1", "-m", "idle", "--suite", "pqxdh"], "--suite"),
    "idle_session": (["ws://127.0.0.1:1", "-m", "idle", "--session", "ratchet"], "--session"),
    "anonymous_auth": (["ws://127.0.0.1:1", "-m", "idle", "--idle-anonymous", "--auth", "hybrid"],
                       "--auth"),
    "threads_over_pairs": (["ws://127.0.0.1:1", "-c", "2", "-t", "2"], "threads"),
    "wss_unverified": (["wss://127.0.0.1:1"], "--ca"),
    "ca_on_ws": (["ws://127.0.0.1:1", "--insecure"], "--insecure"),
    "ca_missing": (["wss://127.0.0.1:1", "--ca", "/nonexistent/ca.pem"], "/nonexistent/ca.pem"),
    "ca_and_insecure": (["wss://127.0.0.1:1", "--ca", "x", "--insecure"], "--ca"),
    "pid_of_nobody": (["ws://127.0.0.1:1", "--server-pid", "2147483646"], "--server-pid"),
    "hold_and_json": (["ws://127.0.0.1:1", "--hold", "-o", "-"], "--hold"),
    "hold_of_processes": (["ws://127.0.0.1:1", "--hold", "--processes", "2"], "--hold"),
    "hold_of_capacity": (["capacity", "ws://127.0.0.1:1", "--hold"], "--hold"),
    "pin_word": (["ws://127.0.0.1:1", "--pin", "x"], "--pin"),
    "pin_absent": (["ws://127.0.0.1:1", "--pin", "1000"], "--pin"),
    "unknown": (["ws://127.0.0.1:1", "--no-such"], "--no-such"),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_options(name):
    options, named = WRONG[name]
    out = subprocess.run([binary("loadgen/sealpost-load"), *options], capture_output=True,
                         text=True, timeout=PATIENCE_S)
    assert out.returncode == BAD_OPTIONS, out.stderr
    assert named in out.stderr and "sealpost-load: " in out.stderr
    lines = [line for line in out.stderr.splitlines() if not line.startswith("Try `")]
    assert len(lines) == 1, out.stderr


def test_nobody_listens(start_relay, load):
    relay = start_relay("--workers", 1)
    relay.stop()
    run = load(relay.url(), "-c", 4, "-d", "1")
    assert run.process.wait(PATIENCE_S) == UNREACHABLE
    assert "refused" in run.log()


def test_relay_with_another_certificate(start_relay, load, tmp_path):
    relay = start_relay("--workers", 1, listen=("wss",))
    certificate, _ = make_certificate(tmp_path)
    url, _ = url_of(relay, "wss")
    run = load(url, "--ca", certificate, "-c", 2, "-d", "1")
    assert run.process.wait(PATIENCE_S) == UNREACHABLE
    assert "certificate" in run.log()


def test_something_else_listens(start_relay, load):
    relay = start_relay("--workers", 1, listen=("wss",))
    run = load(relay.url("wss").replace("wss:", "ws:"), "-c", 2, "-d", "1")
    assert run.process.wait(PATIENCE_S) == UNREACHABLE


def await_traffic(relay):
    relay.await_stats(lambda s: s["envelopes_forwarded"] > 100)


def test_relay_killed_in_the_middle(start_relay, load):
    relay = start_relay("--workers", 1)
    run = load(relay.url(), "-c", 10, "-w", 8, "-d", "30", "--warmup", "0", "--drain", "500ms")
    await_traffic(relay)
    relay.kill()
    document = run.result()
    assert run.code == INTEGRITY, run.log()
    assert document["delivery"]["disconnected"] == 10
    assert document["delivery"]["lost"] > 0
    assert document["delivery"]["first_disconnect"]
    assert document["messages"]["count"] > 0


def test_relay_drained_in_the_middle(start_relay, load):
    relay = start_relay("--workers", 1)
    run = load(relay.url(), "-c", 10, "-d", "30", "--warmup", "0", "--drain", "500ms")
    await_traffic(relay)
    relay.stop()
    document = run.result()
    assert run.code == INTEGRITY, run.log()
    assert document["delivery"]["disconnected"] == 10
    assert "1001" in document["delivery"]["first_disconnect"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(relay, load, number):
    run = load(relay.url(), "-c", 4, "-d", "60", "--warmup", "0")
    await_traffic(relay)
    run.process.send_signal(number)
    document = run.result()
    assert run.code == INTERRUPTED, run.log()
    assert document["run"]["interrupted"] is True
    assert document["messages"]["count"] > 0 and document["run"]["duration_s"] < 60
    assert not any(document["delivery"][name] for name in FAULTS)


def test_result_that_cannot_be_written(relay):
    out = subprocess.run([binary("loadgen/sealpost-load"), relay.url(), "-c", "2", "-d", "200ms",
                          "--warmup", "0", "-q", "-o", "/nonexistent/load.json"],
                         capture_output=True, text=True, timeout=60)
    assert out.returncode not in (PASS, LIMITED) and "/nonexistent/load.json" in out.stderr


def test_connections_leave_nothing_behind(relay, load):
    load(relay.url(), "-c", 40, "-d", "300ms", "--warmup", "0").passed()
    stats = relay.await_stats(lambda s: s["connections_closed"] == 40)
    assert stats["connections_accepted"] == 40
    eventually(lambda: relay.descriptors() < 40)
