"""Runs of the load tester through a proxy that does harm at random places, one kind or all at once:
what it had to report, and what it did. The seed decides places, session, direction and arrivals.
"""
import collections
import concurrent.futures
import os
import random

from fault_proxy import REFUSALS, FaultProxy

# How often each kind is done, with seeds of its own each time; 1 in the suite.
RUNS = int(os.environ.get("SEALPOST_HONESTY_RUNS", "1"))
FIRST_SEED = int(os.environ.get("SEALPOST_HONESTY_SEED", "1"))
# So many at a time: most of them wait most of the time.
AT_A_TIME = 4

FAULTS = ("lost", "duplicate", "reordered", "misrouted", "auth_fail", "foreign")
PASS, INTEGRITY, LIMITED = 0, 111, 112

CONNECTIONS = 8
RATE = 400
# Confirmations of the handshakes come first, one for each pair: a fault there would end the set-up.
HANDSHAKES = CONNECTIONS // 2
OPEN_LOOP = ("-c", CONNECTIONS, "-r", RATE, "-d", 1, "--warmup", "200ms", "--drain", 2)
# Times are of the window alone, faults of the whole run.
ALL_MEASURED = ("-c", CONNECTIONS, "-r", RATE, "-d", "1200ms", "--warmup", 0, "--drain", 2)
CLOSED_LOOP = ("-c", CONNECTIONS, "-w", 8, "-d", 1, "--warmup", 0, "--drain", 2)

# `down`: only the relay's side could do this. `every`: the mean distance in envelopes.
Kind = collections.namedtuple("Kind", "plan every delay_s load down",
                              defaults=(20, 0, OPEN_LOOP, False))
MIXTURE = 9 * ["drop"] + 8 * ["duplicate"] + 6 * [("reorder", 1)] + 5 * [("reorder", 3)] + \
    7 * ["corrupt"]
KINDS = {
    "loss": Kind(12 * ["drop"]),
    "duplicates": Kind(12 * ["duplicate"]),
    "reorder": Kind(8 * [("reorder", 1)] + 4 * [("reorder", 3)]),
    "corruption": Kind(12 * ["corrupt"]),
    "misrouting": Kind(12 * ["misroute"], down=True),
    "refusals": Kind(4 * ["refuse"] + 4 * ["refuse_twice"] + 4 * ["refuse_and_deliver"],
                     down=True),
    "stall": Kind([("stall", 0.25)], every=100, load=ALL_MEASURED),
    "delay": Kind([], delay_s=0.04),
    "mixture": Kind(MIXTURE + 4 * ["misroute"] + 2 * list(REFUSALS) + [("stall", 0.15)], every=5,
                    delay_s=0.01, load=ALL_MEASURED, down=True),
    "mixture, either way": Kind(MIXTURE + [("stall", 0.15)], every=6, delay_s=0.01,
                                load=ALL_MEASURED),
    "closed loop": Kind(3 * ["drop", "duplicate", "reorder", "corrupt"], every=50,
                        load=CLOSED_LOOP),
}


def expected_counts(done):
    return {"lost": done["drop"] + done["corrupt"] + done["misroute"],
            "duplicate": done["duplicate"] + done["refuse_twice"] + done["refuse_and_deliver"],
            "reordered": done["reorder"], "misrouted": done["misroute"],
            "auth_fail": done["corrupt"], "foreign": 0}


def compare(document, code, done):
    """What was reported otherwise than done: a list of sentences."""
    delivery = document["delivery"]
    wanted = expected_counts(done)
    wrong = [f"{name} is {delivery[name]} and must be {wanted[name]}" for name in FAULTS
             if delivery[name] != wanted[name]]
    if delivery["received"] + delivery["refused"] + wanted["lost"] != delivery["expected"]:
        wrong.append(f"received {delivery['received']}, refused {delivery['refused']} and lost "
                     f"{wanted['lost']} are not the {delivery['expected']} that were sent")
    # Which of the two answers was first is not the proxy's to say.
    least = done["refuse"] + done["refuse_twice"]
    if not least <= delivery["refused"] <= least + done["refuse_and_deliver"]:
        wrong.append(f"refused is {delivery['refused']}, of {dict(done)}")
    if delivery["disconnected"]:
        wrong.append(f"{delivery['disconnected']} disconnected: {delivery['first_disconnect']}")
    limited = document["generator"]["verdict"] == "limited"
    right_code = INTEGRITY if any(wanted.values()) else LIMITED if limited else PASS
    if code != right_code:
        wrong.append(f"the exit code is {code} and must be {right_code}")
    return wrong


def compare_times(document, proxy):
    """That stalls and delay are in the response, and in the part that is not the generator's."""
    latency = document["latency_us"]
    wrong = []
    for name in ("response", "server_network"):
        for stall in proxy.stalls:
            length_us = 1e6 * (stall.ended - stall.began)
            if latency[name]["max"] < 0.9 * length_us:
                wrong.append(f"{name} is {latency[name]['max']} us at most, with a stall of "
                             f"{length_us:.0f} us")
        if latency[name]["p50"] < 2e6 * proxy.delay_s:  # there and back
            wrong.append(f"the p50 of {name} is {latency[name]['p50']} us, with a delay of "
                         f"{proxy.delay_s} s")
    return wrong


def check_plan(plan, done):
    """The proxy has done all of it; a frame held back may have had no successor to be behind of."""
    planned = collections.Counter(fault[0] if isinstance(fault, tuple) else fault
                                  for fault in plan)
    return [f"{fault}: {done[fault]} of {count} were done" for fault, count in planned.items()
            if done[fault] != count and not (fault == "reorder" and done[fault] >= 0.6 * count)]


def run(load, relay, name, seed):
    """One run of a kind: ("", what is wrong with it, empty when all was exact)."""
    kind = KINDS[name]
    chance = random.Random(f"{name} {seed}")
    plan = list(kind.plan)
    chance.shuffle(plan)
    options = [*kind.load, "--seed", seed, "--session", chance.choice(("counter", "ratchet"))]
    if "-r" in options:
        options += ["--arrival", chance.choice(("constant", "poisson"))]
    is_up = not kind.down and chance.random() < 0.5
    with FaultProxy(relay.address(), plan, every=kind.every, skip=HANDSHAKES, is_up=is_up,
                    delay_s=kind.delay_s, seed=chance.random()) as proxy:
        tester = load(proxy.url, *options)
        document = tester.result()
        wrong = check_plan(plan, proxy.done) + compare(document, tester.code, proxy.done) + \
            compare_times(document, proxy)
    if not wrong:
        return "", ""
    return "", "\n  ".join([f"{name}, seed {seed}, {' '.join(map(str, options))}, "
                            f"{'up' if is_up else 'down'}", *wrong, str(dict(proxy.done)),
                            tester.log()])


def run_all(run_one, names, at_a_time=AT_A_TIME):
    """Each kind RUNS times: ("kind: so many of so many" and each run's own line, what is wrong)."""
    seeds = range(FIRST_SEED, FIRST_SEED + RUNS)
    jobs = [(name, seed) for seed in seeds for name in names]
    with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
        outcomes = list(pool.map(lambda job: run_one(*job), jobs))
    good = collections.Counter(name for (name, _), (_, wrong) in zip(jobs, outcomes) if not wrong)
    lines = [line for line, _ in outcomes if line]
    lines += [f"{name}: {good[name]} of {RUNS}" for name in names]
    return "\n".join(lines), "\n".join(wrong for _, wrong in outcomes if wrong)
