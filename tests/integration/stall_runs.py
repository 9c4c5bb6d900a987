"""Runs with one stall of the proxy wholly inside the window, whose percentiles are known beforehand.

What is due in a stall of S waits for its end: a share S / T of a window of T, for times spread evenly
over 0 to S. So the quantile q of the response is S - (1 - q) T, as long as 1 - q < S / T, and the
time an envelope takes anyway. S is what the proxy's stall really was, T what the window really was.
A proxy catches up as fast as its processor lets it, so S is taken where the quantile is: until it
had let through the envelopes that were due before that one, by its own clock and count.
"""
import collections
import random

from fault_proxy import FaultProxy
from fault_runs import HANDSHAKES, LIMITED, PASS
from test_load import check_budget

WINDOW_S = 10
OUT_BY = 0.05
# Who did not get its processor for so long, proxy or generator, was one more stall, of which the
# arithmetic knows nothing: that run is made again when it came out otherwise.
LATE_S = 0.03
ATTEMPTS = 3
THRESHOLD = 99

# `rate`: of envelopes. `held`: the part of the budget that has the waiting. `objectives`: which of
# them the stall leaves whole.
Kind = collections.namedtuple("Kind", "load rate stall_s objectives is_up held proxy")
SMALL = ("-c", 8, "-p", 256)
LONG = (1.4, {"response:p(99)<1.2s": False, "response:p(99)<1.4s": True})
SHORT = (0.7, {"response:p(99)<700ms": True})
KINDS = {
    "reads wait": Kind((*SMALL, "-r", 400), 400, *LONG, False, "server_network", {}),
    # Arrivals by chance are only roughly as many as the rate says, so there are more of them.
    "reads wait, poisson": Kind((*SMALL, "-r", 1500, "--arrival", "poisson"), 1500, *LONG, False,
                                "server_network", {}),
    # Many long ones are due on one connection, so that the client's kernel takes those of some
    # hundredths of a second, and all that are due later wait for a send that waits for the relay.
    "sends wait": Kind(("-c", 5, "--group", "fan-out,recipients=4", "-p", 50000, "-r", 80), 320,
                       *SHORT, True, "send_queue", {"receive_buffer": 16384, "segment": 7400}),
}

FIGURES = "{:<20} {:>4} {:>8} {:>10} {:>8} {:>7} {:>8} {:>12} {:>8}"
HEAD = FIGURES.format("kind", "seed", "stall", "analytic", "p99", "off", "max", "uncorrected", "held")


def is_near(value, wanted):
    return abs(value / wanted - 1) <= OUT_BY


def compare(kind, document, code, stall):
    """(one line of figures, what is wrong with them)."""
    stall_s = stall.caught_up - stall.began
    latency, budget = document["latency_us"], document["budget"]
    analytic_s = stall_s - 0.01 * document["run"]["duration_s"] + latency["response"]["p50"] / 1e6
    p99_s, max_s = latency["response"]["p99"] / 1e6, latency["response"]["max"] / 1e6
    uncorrected_s, held_s = latency["uncorrected"]["p99"] / 1e6, latency[kind.held]["p99"] / 1e6
    wrong = []

    def expect(holds, what):
        if not holds:
            wrong.append(what)

    expect(is_near(p99_s, analytic_s), "the p99 is not the analytic one")
    expect((stall.ended - stall.began) * (1 - OUT_BY) <= max_s <= stall_s * (1 + OUT_BY),
           "the longest is not the whole stall")
    if kind.held == "server_network":
        expect(is_near(held_s, analytic_s) and is_near(uncorrected_s, analytic_s),
               "it was not outside of the generator")
    else:
        expect(held_s >= 0.7 * analytic_s, "it was not before the sends")
        expect(uncorrected_s <= 0.5 * analytic_s, "a clock that begins at the send saw it")
    expect(budget[kind.held + "_us"] >= 0.5 * budget["response_us"],
           "most of the waiting is in another part of the budget")
    # What the one clock sees of the means and the other does not is exactly what came before sends.
    unseen_us = budget["schedule_lag_us"] + budget["send_queue_us"]
    seen_us = latency["response"]["mean"] - latency["uncorrected"]["mean"]
    expect(abs(seen_us - unseen_us) < 0.1, "the two clocks' means do not differ by what they should")
    check_budget(document)
    judged = [threshold["ok"] for threshold in document["thresholds"]]
    expect(judged == list(kind.objectives.values()), "an objective was judged wrongly")
    expect(code == (LIMITED if document["generator"]["verdict"] == "limited" else
                    PASS if all(judged) else THRESHOLD), f"exit code {code}")
    expect(document["offered"]["not_sent"] == 0 and
           document["delivery"]["received"] == document["delivery"]["expected"],
           "not all was sent, or not all came")
    return (f"{stall_s:8.4f} {analytic_s:10.4f} {p99_s:8.4f} {100 * (p99_s / analytic_s - 1):+6.2f}% "
            f"{max_s:8.4f} {uncorrected_s:12.4f} {held_s:8.4f}"), wrong


def run_once(load, relay, name, seed):
    kind = KINDS[name]
    chance = random.Random(f"{name} {seed}")
    # Between a tenth and seven tenths of the window.
    place = HANDSHAKES + int(kind.rate * WINDOW_S * (0.1 + 0.6 * chance.random()))
    with FaultProxy(relay.address(), [("stall", kind.stall_s)], every=1, skip=place,
                    is_up=kind.is_up, follow=int(0.01 * WINDOW_S * kind.rate), seed=seed,
                    **kind.proxy) as proxy:
        tester = load(proxy.url, *kind.load, "-d", WINDOW_S, "--warmup", 0, "--seed", seed,
                      *(word for objective in kind.objectives for word in ("-T", objective)))
        document = tester.result()
        (stall,) = proxy.stalls
    figures, wrong = compare(kind, document, tester.code, stall)
    late_s = max(proxy.late_s, document["latency_us"]["schedule_lag"]["max"] / 1e6)
    return f"{name:<20} {seed:>4} {figures}", wrong, late_s, tester.log()


def run(load, relay, name, seed):
    """A run of a kind: (one line of figures, what is wrong with it, empty when nothing is)."""
    for attempt in range(ATTEMPTS):
        line, wrong, late_s, log = run_once(load, relay, name, seed)
        if attempt > 0:
            line += f"  attempt {attempt + 1}"
        if not wrong or late_s < LATE_S:
            break
    return line, "\n  ".join([line, *wrong, log]) if wrong else ""
