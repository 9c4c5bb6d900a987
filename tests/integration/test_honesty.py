"""What a faulty way does to envelopes the load tester must report, each by its exact count; what it
does to time must show where it happened."""
import signal
import time

import pytest

from fault_proxy import FaultProxy
from relay_process import PATIENCE_S, eventually, is_sanitized
from stub_relay import StubRelay
from test_load import FAULTS, INTEGRITY, LIMITED, PASS, check_budget
from test_load import load  # noqa: F401 (a fixture)

CONNECTIONS = 8
RATE = 400
# Confirmations of the handshakes come first, one for each pair: a fault there would end the set-up.
HANDSHAKES = CONNECTIONS // 2
OPEN_LOOP = ("-c", CONNECTIONS, "-r", RATE, "-d", 1, "--warmup", "200ms", "--drain", 1)


def address_of(url):
    host, port = url.split("//")[1].split(":")
    return host, int(port)


def run_with(load, relay, plan, *options, **how):
    """A run through a proxy that carries out the whole plan."""
    with FaultProxy(relay.address(), plan, skip=HANDSHAKES, **how) as proxy:
        run = load(proxy.url, *(options or OPEN_LOOP))
        document = run.result()
        assert not proxy.plan, f"the run was too short for {len(proxy.plan)} faults"
    return run, document, proxy.done


def expect(run, document, **faults):
    delivery = document["delivery"]
    found = {name: delivery[name] for name in FAULTS if name != "gaps"}
    assert found == {name: faults.get(name, 0) for name in found}
    assert delivery["received"] == delivery["expected"] - faults.get("lost", 0)
    assert delivery["disconnected"] == 0
    assert run.code == INTEGRITY, run.log()


def test_no_fault(relay, load):
    """The proxy itself does no harm."""
    run, document, done = run_with(load, relay, [])
    assert not done and run.code in (PASS, LIMITED), run.log()
    assert not any(document["delivery"][name] for name in FAULTS)


@pytest.mark.parametrize("fault, named, is_lost", [("drop", None, True),
                                                   ("duplicate", "duplicate", False),
                                                   ("reorder", "reordered", False),
                                                   ("corrupt", "auth_fail", True),
                                                   ("misroute", "misrouted", True)])
def test_each_fault_is_counted(relay, load, fault, named, is_lost):
    run, document, done = run_with(load, relay, 7 * [fault], every=11)
    assert done == {fault: 7}
    expected = {named: 7} if named else {}
    expect(run, document, **expected, lost=7 if is_lost else 0)


@pytest.mark.parametrize("options", [(), ("--session", "ratchet")], ids=["counter", "ratchet"])
def test_all_faults_at_once(relay, load, options):
    plan = 9 * ["drop"] + 8 * ["duplicate"] + 6 * [("reorder", 1)] + 5 * [("reorder", 3)] + \
        7 * ["corrupt"] + 4 * ["misroute"]
    with FaultProxy(relay.address(), (), skip=HANDSHAKES, every=6) as proxy:
        proxy.random.shuffle(plan)
        proxy.plan.extend(fault if isinstance(fault, tuple) else (fault, None) for fault in plan)
        run = load(proxy.url, *OPEN_LOOP, *options)
        document = run.result()
        assert not proxy.plan
        done = proxy.done
    assert done["drop"] == 9 and done["duplicate"] == 8 and done["corrupt"] == 7
    assert done["misroute"] == 4 and done["reorder"] >= 9  # one may have had no successor
    expect(run, document, lost=9 + 7 + 4, duplicate=8, reordered=done["reorder"], auth_fail=7,
           misrouted=4)


def test_loss_in_a_closed_loop(relay, load):
    """A lost envelope keeps its place in flight; the drain ends all the same."""
    began = time.monotonic()
    run, document, done = run_with(load, relay, 3 * ["drop"], "-c", CONNECTIONS, "-w", 4, "-d", 1,
                                   "--warmup", 0, "--drain", "500ms", every=50)
    assert done == {"drop": 3}
    expect(run, document, lost=3)
    assert time.monotonic() - began < 10 + PATIENCE_S


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


def test_stall_towards_the_clients(relay, load):
    """A moment in which nothing is read is in every response that was due in it, not in one."""
    stall_s = 0.3
    with FaultProxy(relay.address()) as proxy:
        run = load(proxy.url, "-c", CONNECTIONS, "-r", 600, "-d", 2, "--warmup", 0)
        await_envelopes(proxy, 100)
        proxy.stall(stall_s, is_down=True)
        document = run.passed()
        assert proxy.done == {"stall": 1}
    check_budget(document)
    response = document["latency_us"]["response"]
    assert response["max"] >= 1e6 * stall_s * 0.95  # due just after its begin
    # A seventh of two seconds' envelopes was due in the stall, a tenth waited 90 ms or more.
    assert response["p90"] >= 1e6 * stall_s * 0.25
    assert response["p99"] >= 1e6 * stall_s * 0.8
    assert document["latency_us"]["server_network"]["max"] >= 1e6 * stall_s * 0.9


def test_stall_towards_the_relay_needs_intended_times(start_relay, load):
    """When sends wait for the relay to read, a clock that begins at the send sees too little."""
    stall_s = 1
    relay = start_relay("--workers", 1, "--outbox-bytes", 16 * 1024 * 1024)
    with FaultProxy(relay.address(), receive_buffer=8192) as proxy:
        # What is due in the stall is more than a socket's buffer may grow to (tcp_wmem).
        run = load(proxy.url, "-c", 2, "-r", 160, "-p", 60000, "-d", 3, "--warmup", 0)
        await_envelopes(proxy, 40)
        proxy.stall(stall_s, is_down=False)
        document = run.passed()
    latency = document["latency_us"]
    check_budget(document)
    assert latency["response"]["max"] >= 1e6 * stall_s * 0.9
    # The last of them were not even sent in the stall, and one send waited for its end.
    assert latency["send_queue"]["max"] >= 1e5 and latency["socket_queue"]["max"] >= 1e5
    budget = document["budget"]
    unseen_us = budget["schedule_lag_us"] + budget["send_queue_us"]
    assert latency["response"]["mean"] - latency["uncorrected"]["mean"] == \
        pytest.approx(unseen_us, abs=0.1)


def test_generator_stopped_limits_itself(relay, load):
    """Time the generator does not get is schedule lag: in the response, not in what the relay is
    blamed for, and the result is not valid."""
    stop_s = 0.6
    run = load(relay.url(), "-c", CONNECTIONS, "-r", 600, "-d", 3, "--warmup", 0)
    relay.await_stats(lambda stats: stats["envelopes_forwarded"] > 50)
    run.process.send_signal(signal.SIGSTOP)
    time.sleep(stop_s)
    run.process.send_signal(signal.SIGCONT)
    document = run.passed()
    latency = document["latency_us"]
    assert run.code == LIMITED
    assert any("noticed late" in reason for reason in document["generator"]["reasons"])
    # A fifth of the envelopes was due in it.
    for name in ("schedule_lag", "response"):
        assert latency[name]["p90"] >= 1e6 * stop_s * 0.4, name
        assert latency[name]["max"] >= 1e6 * stop_s * 0.95, name
    assert latency["uncorrected"]["p90"] < latency["response"]["p90"] / 2
    assert latency["server_network"]["p90"] < latency["response"]["p90"] / 2


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
