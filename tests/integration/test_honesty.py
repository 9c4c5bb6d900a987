"""What a faulty way does to envelopes the load tester must report, each by its exact count; what it
does to time must show where it happened."""
import functools
import signal
import time

import pytest

import fault_runs
import stall_runs
from fault_proxy import FaultProxy
from fault_runs import CONNECTIONS, HANDSHAKES, OPEN_LOOP, RATE
from relay_process import PATIENCE_S, eventually, is_sanitized
from stub_relay import StubRelay
from test_capacity import capacity  # noqa: F401 (a fixture)
from test_load import FAULTS, INTEGRITY, LIMITED, PASS, check_budget
from test_load import load  # noqa: F401 (a fixture)


def show(capsys, text):
    if fault_runs.RUNS > 1:
        with capsys.disabled():
            print("\n" + text)


def test_faults_are_counted_exactly(relay, load, capsys):
    counts, wrong = fault_runs.run_all(functools.partial(fault_runs.run, load, relay),
                                       fault_runs.KINDS)
    show(capsys, counts)
    assert not wrong, wrong


def test_p99_of_a_stall_is_the_analytic_one(start_relay, load, capsys):
    """A moment in which nothing is read is in every response that was due in it, not in one; and
    where it kept sends waiting a clock that begins at the send sees next to nothing."""
    # What the relay takes of a stall's envelopes at once is not to be its refusals.
    relay = start_relay("--workers", 1, "--outbox-bytes", 16 * 1024 * 1024)
    # One of each at a time: more would wait for each other, when they catch up with what was held.
    figures, wrong = fault_runs.run_all(functools.partial(stall_runs.run, load, relay),
                                        stall_runs.KINDS, len(stall_runs.KINDS))
    show(capsys, stall_runs.HEAD + "\n" + figures)
    assert not wrong, wrong


def test_no_fault(relay, load):
    """The proxy itself does no harm."""
    with FaultProxy(relay.address()) as proxy:
        run = load(proxy.url, *OPEN_LOOP)
        document = run.passed()
    assert not proxy.done and not any(document["delivery"][name] for name in FAULTS)


def test_delay_shows_in_server_and_network(relay, load):
    delay_s = 0.08
    with FaultProxy(relay.address(), delay_s=delay_s) as proxy:
        document = load(proxy.url, *OPEN_LOOP).passed()
        assert proxy.done["delay"] >= document["delivery"]["received"]
    check_budget(document)
    latency = document["latency_us"]
    # There and back: both directions are delayed.
    for name in ("response", "uncorrected", "server_network"):
        assert latency[name]["p50"] >= 2e6 * delay_s, name
    for name in ("schedule_lag", "send_queue", "seal", "open"):
        assert latency[name]["p50"] < 1e6 * delay_s, name
    assert document["budget"]["server_network_us"] >= 0.9 * document["budget"]["response_us"]


def await_envelopes(proxy, count):
    eventually(lambda: proxy.envelopes > count, what="traffic")


def stop_for(run, seconds):
    """Take the generator's processor away; returns how long it was gone."""
    run.process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    time.sleep(seconds)
    run.process.send_signal(signal.SIGCONT)
    return time.monotonic() - stopped


def test_generator_stopped_limits_itself(relay, load):
    """Time the generator does not get is schedule lag: in the response, not in what the relay is
    blamed for, and the result is not valid."""
    run = load(relay.url(), "-c", CONNECTIONS, "-r", 600, "-d", 3, "--warmup", 0)
    relay.await_stats(lambda stats: stats["envelopes_forwarded"] > 50)
    stop_s = stop_for(run, 0.6)
    document = run.passed()
    latency = document["latency_us"]
    assert run.code == LIMITED
    assert any("noticed late" in reason for reason in document["generator"]["reasons"])
    # A fifth of the envelopes was due in it (stall_runs.py).
    for name in ("schedule_lag", "response"):
        assert latency[name]["p90"] >= 1e6 * stop_s * 0.4, name
        assert stall_runs.is_near(latency[name]["p99"] / 1e6,
                                  stop_s - 0.01 * document["run"]["duration_s"]), name
        assert latency[name]["max"] >= 1e6 * stop_s * 0.95, name
    assert latency["uncorrected"]["p90"] < latency["response"]["p90"] / 2
    assert latency["server_network"]["p90"] < latency["response"]["p90"] / 2


def test_generator_stopped_in_the_drain_loses_nothing(relay, load):
    """What came while it could not look is there, and what is under way has its time yet."""
    with FaultProxy(relay.address(), delay_s=0.15) as proxy:
        run = load(proxy.url, "-c", CONNECTIONS, "-r", RATE, "-d", 1, "--warmup", 0, "--drain",
                   "500ms")
        # Envelopes of the last 0.15 s and more are on their way now.
        await_envelopes(proxy, RATE * 0.8)
        stop_for(run, 1.2)
        document = run.passed()
    assert document["delivery"]["late"] >= RATE * 0.1


def test_what_the_generator_does_not_send_is_its_own_fault(relay, load):
    """More is due at once than may wait on a connection, and the relay would have taken it."""
    run = load(relay.url(), "-c", 2, "-r", 800, "-d", 2, "--warmup", 0)
    relay.await_stats(lambda stats: stats["envelopes_forwarded"] > 10)
    stop_for(run, 0.4)
    document = run.passed()
    offered = document["offered"]
    # 320 were due, of which 64 may wait on each connection.
    assert offered["not_sent"] >= 150
    assert offered["not_paced"] == offered["backlog_full"] == offered["not_sent"]
    assert run.code == LIMITED
    assert any("on a connection that was free" in reason
               for reason in document["generator"]["reasons"])


# What a client's kernel takes, and the 64 that may wait, are less than is due in the stall.
NOT_TAKEN = ("-c", 4, "-p", 60000, "-d", 2, "--warmup", 0, "--drain", 5)


def stalling_proxy(relay):
    return FaultProxy(relay.address(), [("stall", 1.2)], every=1, skip=HANDSHAKES + 40, is_up=True,
                      receive_buffer=16384, segment=1400)


def test_what_the_relay_does_not_take_is_not_the_generators_fault(start_relay, load):
    with stalling_proxy(start_relay("--workers", 1, "--outbox-bytes", 2 ** 26)) as proxy:
        run = load(proxy.url, *NOT_TAKEN, "-r", 400)
        document = run.passed()
    offered = document["offered"]
    assert offered["not_sent"] == offered["backlog_full"] >= 8
    assert offered["not_paced"] == 0
    assert any("the relay did not take them" in reason
               for reason in document["generator"]["reasons"])


def test_capacity_does_not_pass_a_rate_that_was_not_taken(start_relay, capacity):
    """However good the latency of those that were sent is."""
    with stalling_proxy(start_relay("--workers", 1, "--outbox-bytes", 2 ** 26)) as proxy:
        run = capacity(proxy.url, *NOT_TAKEN, "--slo", "p50<10s", "--start-rate", 400,
                       "--trials", 1)
        trial, = run.result()["trials"]
    assert not trial["ok"]
    assert trial["result"] == "1 % or more of what was due was not taken", run.log()


def test_resets_in_the_middle(relay, load):
    began = time.monotonic()
    with FaultProxy(relay.address()) as proxy:
        run = load(proxy.url, "-c", CONNECTIONS, "-r", RATE, "-d", 2, "--warmup", 0,
                   "--drain", "500ms")
        await_envelopes(proxy, 100)
        proxy.reset(3)
        document = run.result()
        assert proxy.done == {"reset": 3}
    assert run.code == INTEGRITY, run.log()
    assert document["delivery"]["disconnected"] == 3
    assert "reset" in document["delivery"]["first_disconnect"].lower()
    assert document["delivery"]["received"] > 100
    assert time.monotonic() - began < 10 + PATIENCE_S


def test_all_connections_reset_ends_the_run(relay, load):
    """Nobody is left: the run does not wait for its minute to be over."""
    with FaultProxy(relay.address()) as proxy:
        run = load(proxy.url, "-c", CONNECTIONS, "-w", 2, "-d", 60, "--warmup", 0, "--drain", 30)
        await_envelopes(proxy, 100)
        proxy.reset(CONNECTIONS)
        assert run.process.wait(PATIENCE_S) == INTEGRITY
        document = run.result()
    assert document["delivery"]["disconnected"] == CONNECTIONS


def peak_rss(run):
    """The largest resident set of the generator, in bytes."""
    peak = 0

    def has_ended():
        nonlocal peak
        try:
            with open(f"/proc/{run.process.pid}/status") as status:
                line = next((line for line in status if line.startswith("VmHWM:")), None)
        except OSError:
            line = None
        if line:
            peak = int(line.split()[1]) * 1024
        return run.process.poll() is not None

    eventually(has_ended, what="the end of the run")
    return peak


@pytest.mark.skipif(is_sanitized(), reason="sanitizers keep freed memory")
@pytest.mark.parametrize("options", [("-w", 8), ("-r", 4000)], ids=["closed", "open"])
def test_memory_does_not_grow_with_the_duration(load, options):
    peaks = []
    with StubRelay() as stub:
        for duration in ("400ms", "4s"):
            run = load(stub.url, "-c", 20, *options, "-d", duration, "--warmup", "200ms")
            peaks.append(peak_rss(run))
            run.passed()
    assert peaks[0] > 0 and peaks[1] <= peaks[0] + 2 * 1024 * 1024, peaks
