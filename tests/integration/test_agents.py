"""Runs over several agents: the whole is the sum of the parts, is judged once, and ends in bounded
time whatever happens to an agent."""
import json
import os
import signal
import socket
import struct
import subprocess
import time

import pytest

from relay_process import PATIENCE_S, binary, eventually
from test_load import (BAD_OPTIONS, FAULTS, INTERRUPTED, LIMITED, PASS, UNREACHABLE,  # noqa: F401
                       load)

THRESHOLD = 99
LONG = ("-d", 120, "--warmup", 0)


class Agent:
    """`within`: the command that runs it where it is to be."""

    def __init__(self, directory, *options, listen="127.0.0.1:0", within=()):
        self.log_file = directory / "agent.txt"
        with open(self.log_file, "w") as log:
            self.process = subprocess.Popen(
                [*within, binary("loadgen/sealpost-load"), "agent", "--listen", listen,
                 *map(str, options)], stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), self.log_file.read_text()
        self.name = line.split()[-1]

    def address(self):
        host, port = self.name.rsplit(":", 1)
        return host, int(port)

    def worker(self):
        """The process that serves the coordinator."""
        def find():
            path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
            with open(path) as children:
                pids = children.read().split()
            return int(pids[0]) if pids else None
        return eventually(find, what="the agent serves somebody")

    def stop(self):
        self.process.terminate()
        assert self.process.wait(PATIENCE_S) == 0
        log = self.log_file.read_text()
        assert "anitizer" not in log and "runtime error" not in log, log

    def end(self):
        """Whatever happened before."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def start_agent(tmp_path):
    agents = []

    def start(*options):
        directory = tmp_path / f"agent-{len(agents)}"
        directory.mkdir()
        agents.append(Agent(directory, *options))
        return agents[-1]

    yield start
    try:
        for agent in agents:
            if agent.process.poll() is None:
                agent.stop()
    finally:
        for agent in agents:
            agent.end()


@pytest.fixture
def two(start_agent):
    return start_agent(), start_agent()


def names(agents):
    return ",".join(agent.name for agent in agents)


def check_sums(document, count):
    agents = document["agents"]
    assert len(agents) == count and all(one["has_result"] for one in agents)
    for key in ("connected", "disconnected"):
        assert document["connections"][key] == sum(one[key] for one in agents)
    assert document["connections"]["wanted"] == sum(one["connections"] for one in agents)
    assert document["messages"]["count"] == sum(one["count"] for one in agents)
    for key in ("expected", "received", "refused", *FAULTS):
        assert document["delivery"][key] == sum(one[key] for one in agents)
    # Every sample of every agent is in the merged histogram.
    assert (document["latency_us"]["response"]["count"] ==
            sum(one["response_count"] for one in agents))
    for one in agents:
        assert one["failure"] is None
        assert (one["response_p50_us"] is None) == (one["response_count"] < 20)
        assert (one["response_p99_us"] is None) == (one["response_count"] < 1000)
        # Its own window is not longer than the whole's.
        assert one["per_s"] * document["run"]["duration_s"] >= 0.99 * one["count"]
    assert document["generator"]["busy_pct_per_thread"] == [
        pct for one in agents for pct in one["busy_pct_per_thread"]]
    assert sum(one["delivered"] for one in document["intervals"]) <= document["delivery"]["received"]
    assert all(len(one["busy_pct_per_thread"]) == one["threads"] for one in agents)


def test_sum_of_parts(relay, load, two):
    document = load(relay.url(), "-c", 42, "-r", 500, "-d", 2, "--warmup", "200ms", "-t", 2,
                    "--server-pid", relay.process.pid, "--agents", names(two),
                    "--group", "chat,share=3", "--group", "fan-out,recipients=4").passed()
    check_sums(document, 2)
    assert [one["name"] for one in document["agents"]] == [agent.name for agent in two]
    assert sum(one["rate_per_s"] for one in document["agents"]) == pytest.approx(500, abs=0.01)
    assert document["delivery"]["expected"] > 0 and document["server"]["cpu_ns"] > 0
    assert document["connections"]["connected"] == 42
    assert sum(group["users"] for group in document["groups"]) == 42
    # Arrival k of the whole run is one agent's: together they make the schedule.
    assert document["offered"]["scheduled"] >= 1000
    assert all(one["server_busy_pct"] is not None for one in document["intervals"])


def test_again_and_again(relay, load, two):
    for _ in range(2):
        document = load(relay.url(), "-c", 8, "-d", "300ms", "--warmup", 0,
                        "--agents", names(two)).passed()
        check_sums(document, 2)


def test_stages_and_scenario(relay, load, two, tmp_path):
    scenario = tmp_path / "s.yaml"
    scenario.write_text("connections: 8\nwarmup: 0s\nstages:\n  - hold: 500ms\n    at: 100\n"
                        "  - hold: 500ms\n    at: 300\nthresholds:\n  - 'lost:count==0'\n")
    check = subprocess.run([binary("loadgen/sealpost-load"), "--scenario", scenario, "--check",
                            "--agents", names(two)], capture_output=True, text=True)
    assert check.returncode == PASS, check.stderr
    document = load(relay.url(), "--scenario", scenario, "--agents", names(two)).passed()
    check_sums(document, 2)
    assert [stage["offered"] for stage in document["stages"]] == [50, 150]
    assert document["thresholds"][0]["ok"]


def test_processes_over_tls(start_relay, load, tmp_path):
    relay = start_relay("--workers", 1, listen=("wss",))
    url = relay.url("wss").replace("127.0.0.1", "localhost")
    document = load(url, "--ca", relay.certificate, "-c", 12, "-d", "500ms", "--warmup", 0,
                    "--processes", 3).passed()
    check_sums(document, 3)
    assert [one["name"] for one in document["agents"]] == ["process 1", "process 2", "process 3"]
    assert document["env"]["tls"] not in ("none", "not established")


def test_a_slow_agent_shows_in_the_whole(relay, load, two):
    """One agent stands still for a while: percentiles are of all envelopes together, so the
    whole's is near the slow one's, not in the middle."""
    # Enough for the 99th percentile of each: half of 4 s.
    run = load(relay.url(), "-c", 8, "-r", 600, "-d", 4, "--warmup", 0, "--agents", names(two))
    slow = two[1].worker()
    eventually(lambda: "measure" in run.log(), what="the load")
    os.kill(slow, signal.SIGSTOP)
    time.sleep(1.2)
    os.kill(slow, signal.SIGCONT)
    document = run.result()
    assert document["run"]["failure"] is None
    check_sums(document, 2)
    fast_us, slow_us = (one["response_p99_us"] for one in document["agents"])
    whole_us = document["latency_us"]["response"]["p99"]
    assert slow_us > 900e3 and whole_us > 800e3
    assert whole_us > (fast_us + slow_us) / 2
    assert document["latency_us"]["response"]["max"] > 1000e3


def refused(arguments, code, *says, patience_s=PATIENCE_S):
    began = time.monotonic()
    run = subprocess.run([binary("loadgen/sealpost-load"), *map(str, arguments)],
                         capture_output=True, text=True, timeout=patience_s)
    assert run.returncode == code, run.stderr
    for text in says:
        assert text in run.stderr, run.stderr
    assert "anitizer" not in run.stderr
    return time.monotonic() - began


def test_nobody_there(relay, two):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{free.getsockname()[1]}"
        refused((relay.url(), "-c", 8, "-d", 1, "--agents", f"{two[0].name},{nobody}"),
                UNREACHABLE, f"agent {nobody} cannot be reached")


def test_one_that_does_not_answer(relay):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        name = f"127.0.0.1:{silent.getsockname()[1]}"
        refused((relay.url(), "-c", 8, "-d", 1, "--agents", name), UNREACHABLE,
                f"agent {name} did not answer within 10 s", patience_s=20 + PATIENCE_S)


def test_relay_not_there(two):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        refused((f"ws://127.0.0.1:{free.getsockname()[1]}", "-c", 8, "-d", 1,
                 "--agents", names(two)), UNREACHABLE, two[0].name, "cannot connect")


def test_token(relay, load, start_agent, tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("a secret\n")
    bad.write_text("another\n")
    agent = start_agent("--token-file", good)
    run = (relay.url(), "-c", 4, "-d", "200ms", "--warmup", 0, "--agents", agent.name)
    refused(run, UNREACHABLE, agent.name, "token")
    refused((*run, "--token-file", bad), UNREACHABLE, agent.name, "token")
    refused((*run, "--token-file", tmp_path / "none"), BAD_OPTIONS, "--token-file")
    check_sums(load(*run, "--token-file", good).passed(), 1)


def test_agent_options(tmp_path):
    empty = tmp_path / "empty"
    empty.write_text("\n")
    refused(("agent", "--listen", "0.0.0.0:0"), BAD_OPTIONS, "--token-file")
    refused(("agent", "--listen", "nowhere"), BAD_OPTIONS, "--listen")
    refused(("agent", "--token-file", empty), BAD_OPTIONS, "empty")
    refused(("agent", "ws://127.0.0.1:1"), BAD_OPTIONS, "too much")


@pytest.mark.parametrize("options, says", [
    (("--agents", "host"), "--agents"),
    (("--agents", "a:1,a:1"), "each once"),
    (("--agents", "a:1", "--processes", 2), "one of them"),
    (("--processes", 0), "--processes"),
    (("--processes", 2, "--record", "x"), "--record"),
    (("--processes", 2, "--ceiling"), "--ceiling"),
    (("--processes", 32, "-t", 3), "64 threads"),
    (("--token-file", "x"), "--token-file"),
])
def test_run_options(options, says):
    refused(("ws://127.0.0.1:1", *options), BAD_OPTIONS, says)


@pytest.mark.parametrize("how", [("--processes", "2"), ("--agents", "a:1")])
def test_texts_that_agents_cannot_be_told(tmp_path, how):
    file = os.fsencode(tmp_path) + b"/caf\xe9.html"
    run = subprocess.run([binary("loadgen/sealpost-load"), "ws://127.0.0.1:1", "-c", "4",
                          "--html", file, *how], capture_output=True, timeout=PATIENCE_S)
    assert run.returncode == BAD_OPTIONS
    assert b"caf\xe9.html' is not UTF-8" in run.stderr and b"memory" not in run.stderr
    token = tmp_path / "token"
    token.write_bytes(b"caf\xe9\n")
    refused(("ws://127.0.0.1:1", "-c", 4, "--agents", "a:1", "--token-file", token), BAD_OPTIONS,
            "--token-file", "not UTF-8")


def test_authority_with_a_comment_of_any_encoding(start_relay, load, tmp_path):
    relay = start_relay("--workers", 1, listen=("wss",))
    authority = tmp_path / "ca.pem"
    authority.write_bytes(b"# caf\xe9\n" + relay.certificate.read_bytes())
    url = relay.url("wss").replace("127.0.0.1", "localhost")
    check_sums(load(url, "--ca", authority, "-c", 8, "-d", "200ms", "--warmup", 0,
                    "--processes", 2).passed(), 2)


def test_reasons_are_said_once(relay, load, two):
    """Both agents stand still: each tells so of itself, and what the whole shows is said once."""
    run = load(relay.url(), "-c", 8, "-r", 600, "-d", 3, "--warmup", 0, "--agents", names(two))
    workers = [agent.worker() for agent in two]
    eventually(lambda: "measure" in run.log(), what="the load")
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    time.sleep(1)
    for worker in workers:
        os.kill(worker, signal.SIGCONT)
    document = run.result()
    reasons = document["generator"]["reasons"]
    late = [reason for reason in reasons if "noticed late" in reason]
    assert len(late) == 1 and late[0].startswith("the schedule"), reasons
    for agent in document["agents"]:
        assert any("noticed late" in reason for reason in agent["reasons"])


def test_options_an_agent_cannot_take(relay, two):
    # Both could not: one alone, so that it is clear which of them says so.
    refused((relay.url(), "-c", 4, "--pin", 1023, "--agents", two[0].name), BAD_OPTIONS,
            two[0].name, "1023")


def test_second_coordinator(relay, load, two):
    first = load(relay.url(), "-c", 4, *LONG, "--agents", names(two))
    two[0].worker()
    eventually(lambda: "measure" in first.log(), what="the load")
    refused((relay.url(), "-c", 4, "-d", 1, "--agents", two[0].name), UNREACHABLE, "busy")
    first.process.send_signal(signal.SIGINT)
    document = first.result()
    assert first.code == INTERRUPTED
    check_sums(document, 2)


def test_interrupt(relay, load, two):
    run = load(relay.url(), "-c", 8, *LONG, "--agents", names(two))
    eventually(lambda: "measure" in run.log(), what="the load")
    run.process.send_signal(signal.SIGINT)
    began = time.monotonic()
    document = run.result()
    assert time.monotonic() - began < PATIENCE_S
    assert run.code == INTERRUPTED and document["run"]["interrupted"]
    check_sums(document, 2)
    assert document["delivery"]["expected"] == document["delivery"]["received"] > 0
    assert 0 < document["run"]["duration_s"] < 60


def test_interrupt_in_the_setup(load, two):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        run = load(f"ws://127.0.0.1:{silent.getsockname()[1]}", "-c", 4, "--agents", names(two))
        for agent in two:
            agent.worker()
        eventually(lambda: "set-up" in run.log(), what="the set-up")
        run.process.send_signal(signal.SIGTERM)
        document = run.result()
    assert run.code == INTERRUPTED and document["delivery"]["expected"] == 0


def test_dead_agent(relay, load, two):
    run = load(relay.url(), "-c", 8, *LONG, "--agents", names(two))
    eventually(lambda: "measure" in run.log(), what="the load")
    os.kill(two[1].worker(), signal.SIGKILL)
    began = time.monotonic()
    document = run.result()
    assert time.monotonic() - began < PATIENCE_S
    assert run.code == UNREACHABLE
    assert two[1].name in document["run"]["failure"]
    assert "disappeared" in document["run"]["failure"]
    first, second = document["agents"]
    assert first["has_result"] and not second["has_result"]
    assert first["failure"] is None and "disappeared" in second["failure"]
    # What the other one sent is accounted for.
    assert document["delivery"]["expected"] == first["expected"] == first["received"] > 0
    assert two[1].process.poll() is None  # it serves the next one


def test_dead_coordinator(relay, load, two):
    run = load(relay.url(), "-c", 8, *LONG, "--agents", names(two))
    eventually(lambda: "measure" in run.log(), what="the load")
    workers = [agent.worker() for agent in two]
    run.process.kill()
    run.process.wait()
    for worker in workers:
        eventually(lambda: not os.path.exists(f"/proc/{worker}"), what="the agent's end")
    check_sums(load(relay.url(), "-c", 8, "-d", "200ms", "--warmup", 0,
                    "--agents", names(two)).passed(), 2)


def test_agent_told_to_end(relay, load, two):
    run = load(relay.url(), "-c", 8, *LONG, "--agents", names(two))
    eventually(lambda: "measure" in run.log(), what="the load")
    two[0].stop()
    document = run.result()
    assert run.code == INTERRUPTED
    check_sums(document, 2)


def test_processes_end_with_their_coordinator(relay, load):
    run = load(relay.url(), "-c", 8, *LONG, "--processes", 2)
    eventually(lambda: "measure" in run.log(), what="the load")
    pid = run.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        workers = children.read().split()
    assert len(workers) == 2
    run.process.kill()
    run.process.wait()
    for worker in workers:
        eventually(lambda: not os.path.exists(f"/proc/{worker}"), what="the process's end")


def test_thresholds_over_the_whole(relay, load, two):
    """Each agent has half of what is asked for; only both together have it."""
    run = load(relay.url(), "-c", 8, "-r", 400, "-d", 1, "--warmup", 0, "--agents", names(two),
               "-T", "scheduled:count>=400", "-T", "scheduled:count<400")
    document = run.result()
    met, missed = document["thresholds"]
    assert met["ok"] and not missed["ok"] and met["value"] == missed["value"] == 400
    assert all(one["rate_per_s"] == 200 for one in document["agents"])
    assert run.code in (THRESHOLD, LIMITED)


def test_abort(relay, load, two):
    run = load(relay.url(), "-c", 8, *LONG, "--agents", names(two),
               "-T", "response:p(50)<1us,abort=1s")
    document = run.result()
    assert run.code in (THRESHOLD, LIMITED)
    assert document["aborted_by"] and not document["run"]["interrupted"]
    assert 0 < document["run"]["duration_s"] < 60
    check_sums(document, 2)


def message(**members):
    text = json.dumps(members).encode()
    return struct.pack(">I", len(text)) + text


@pytest.mark.parametrize("first", [
    b"GET / HTTP/1.1\r\n\r\n",
    struct.pack(">I", 0),
    struct.pack(">I", 1 << 30),
    struct.pack(">I", 3) + b"{]}",
    message(type="start", in_ns=1),
    message(type="hello", protocol=1),
], ids=["http", "empty", "too long", "no json", "wrong first", "member missing"])
def test_agent_ends_what_is_not_a_coordinator(start_agent, first):
    agent = start_agent()
    with socket.create_connection(agent.address(), PATIENCE_S) as s:
        s.sendall(first)
        assert s.recv(1) == b""
    assert agent.process.poll() is None


def test_agent_of_another_version(start_agent):
    agent = start_agent()
    with socket.create_connection(agent.address(), PATIENCE_S) as s:
        s.sendall(message(type="hello", protocol=99, version="9", token=""))
        answer = s.recv(4096)
    assert b"refused" in answer and b"version" in answer
