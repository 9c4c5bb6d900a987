"""Groups of users with behaviours against a real relay: each is counted exactly, and what it is
about did happen."""
import subprocess

import pytest

from fault_proxy import FaultProxy
from relay_process import OUTBOX_MIN_BYTES, PATIENCE_S, binary
from test_load import BAD_OPTIONS, FAULTS, INTEGRITY, await_traffic, load, url_of  # noqa: F401

SKIPPED_MAX = 64  # messages in a row that a ratchet follows if nobody is away
SHORT = ("--warmup", "0", "-d", "1")


def groups_of(document):
    """By behaviour; what they sent is all that was sent, and what became of it adds up."""
    groups = {group["behaviour"]: group for group in document["groups"]}
    assert len(groups) == len(document["groups"])
    for total, part in (("expected", "sent"), ("received", "received"), ("refused", "refused"),
                        ("lost", "lost")):
        assert document["delivery"][total] == sum(group[part] for group in groups.values())
    assert document["messages"]["count"] == sum(group["delivered"] for group in groups.values())
    assert sum(group["users"] for group in groups.values()) == \
        document["run"]["config"]["connections"]
    return groups


def only_group(document):
    group, = groups_of(document).values()
    return group


def without_faults(run):
    """Nothing was lost; envelopes may have been refused, which no run that passed() may have."""
    document = run.result()
    faults = {name: document["delivery"][name] for name in FAULTS
              if name != "gaps" and document["delivery"][name]}
    assert not faults, (faults, run.log())
    assert document["delivery"]["disconnected"] == 0, run.log()
    assert run.code != INTEGRITY, run.log()
    return document


def assert_all_came_back(group):
    """Who left before the end came back, but for those who were away when it came."""
    assert group["returns"] > 0
    assert group["departures"] - group["users"] <= group["returns"] <= group["departures"]
    assert group["latency_us"]["reconnect"]["count"] == group["returns"]
    assert group["impatient"] == 0 and group["retries"] == 0


def test_one_group_is_what_the_mode_is(relay, load):
    for options, behaviour in (((), "chat"), (("-m", "handshake"), "handshake"),
                               (("-m", "idle"), "idle")):
        document = load(relay.url(), "-c", 4, *SHORT, *options).passed()
        group, = document["groups"]
        assert group["behaviour"] == behaviour and group["users"] == 4
        total = dict(document["latency_us"]["response"])
        del total["curve"]  # of the totals alone
        assert group["latency_us"]["response"] == total


@pytest.mark.parametrize("in_flight", [1, 5])
def test_fan_out_closed_loop(relay, load, in_flight):
    document = load(relay.url(), "-c", 16, "-w", in_flight, *SHORT,
                    "--group", "fan-out,recipients=7").passed()
    group = only_group(document)
    assert group["unit_users"] == 8 and group["senders"] == 2
    assert group["envelopes_per_arrival"] == 7
    assert group["received"] == group["sent"] > 7 * 2 * in_flight
    # Two set up seven sessions each; the relay forwarded an initial message and an answer for each.
    assert relay.stop()["envelopes_forwarded"] == group["sent"] + 2 * 2 * 7


def test_fan_out_open_loop_counts_rounds(relay, load):
    document = load(relay.url(), "-c", 15, "-r", 200, "--warmup", "0", "-d", "1",
                    "--group", "fan-out").passed()
    group = only_group(document)
    assert group["senders"] == 3
    # An arrival is a round of four, all of it intended at one time.
    assert document["offered"]["scheduled"] == 4 * 200
    assert group["sent"] == document["offered"]["sent"] == group["received"]
    assert group["sent"] % 4 == 0
    assert document["latency_us"]["response"]["count"] == group["sent"]


def test_fan_out_relay_killed(start_relay, load):
    """Rounds that never complete end with the run, and what was in them is lost."""
    relay = start_relay("--workers", 1)
    run = load(relay.url(), "-c", 4, "-d", "20", "--warmup", "0", "--drain", "500ms",
               "--group", "fan-out,recipients=3")
    await_traffic(relay)
    relay.kill()
    document = run.result()
    assert run.code == INTEGRITY, run.log()
    assert document["delivery"]["disconnected"] == 4
    assert document["delivery"]["lost"] == only_group(document)["lost"] > 0


@pytest.mark.parametrize("suite,kem", [("x3dh", False), ("pqxdh", True)])
def test_prekey_drain(start_relay, load, suite, kem):
    """Nobody restocks: each responder's ten prekeys, less the set-up's one, and then without."""
    relay = start_relay("--workers", 1, "--bundle-rate", 0)
    document = load(relay.url(), "-c", 4, *SHORT, "--suite", suite,
                    "--group", "prekey-drain,prekeys=10").passed()
    handshakes, group = document["handshakes"], only_group(document)
    assert handshakes["count"] == group["handshakes"] == 2 * 9
    assert handshakes["without_one_time"] == group["handshakes_without_one_time"] > 0
    assert handshakes["failed"] == 0
    assert group["latency_us"]["without_one_time"]["count"] == handshakes["without_one_time"]
    done = handshakes["count"] + handshakes["without_one_time"]
    assert handshakes["last_resort_kem"] == (done - 2 * 9 if kem else 0)


def test_prekey_drain_at_the_relay_s_rate(start_relay, load):
    """Refused bundles are asked for again and no fault."""
    relay = start_relay("--workers", 1, "--bundle-rate", 5)
    document = load(relay.url(), "-c", 2, *SHORT, "--group", "prekey-drain,prekeys=5").passed()
    assert document["handshakes"]["rate_limited"] > 0
    assert document["handshakes"]["count"] == 4


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("durable", [False, True], ids=["transient", "durable"])
def test_churn(start_relay, load, scheme, durable):
    relay = start_relay("--workers", 2, listen=(scheme,))
    url, tls = url_of(relay, scheme)
    document = load(url, *tls, "-c", 20, "-w", 2, "-t", 2, *SHORT,
                    "--group", "churn,online=150ms,offline=30ms",
                    *(["--durable"] if durable else [])).passed()
    group = only_group(document)
    assert_all_came_back(group)
    assert group["returns"] >= 20 and group["sent"] > 100
    assert document["connections"]["connected"] == 20
    stats = relay.stop()
    assert stats["connections_accepted"] >= 20 + group["returns"]
    assert stats["refused_recipient_absent"] == 0


def test_churn_open_loop_skips_who_is_away(relay, load):
    document = load(relay.url(), "-c", 10, "-r", 1000, "--warmup", "0", "-d", "1",
                    "--group", "churn,online=100ms,offline=100ms").passed()
    group = only_group(document)
    assert_all_came_back(group)
    # Every arrival was for somebody: there, or away.
    assert group["skipped"] > 0
    assert document["offered"]["scheduled"] + group["skipped"] == 1000
    assert document["offered"]["sent"] == group["sent"] == group["received"] > 0


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_storm(start_relay, load, scheme):
    relay = start_relay("--workers", 1, listen=(scheme,))
    url, tls = url_of(relay, scheme)
    document = load(url, *tls, "-c", 40, "-t", 2, "--warmup", "0", "-d", "3s",
                    "--group", "storm,every=1s").passed()
    group = only_group(document)
    # Two, unless the first one took this machine longer than a second.
    assert 1 <= group["storms"] <= 2
    # One recovery for each storm and thread, of 20 users each, if it ended in the window; nobody's
    # return took longer.
    recovery = group["latency_us"]["recovery"]
    assert 2 <= recovery["count"] <= 2 * 2
    assert 20 * recovery["count"] <= group["departures"] == group["returns"] <= 20 * 2 * 2
    assert recovery["max"] >= group["latency_us"]["reconnect"]["max"]


def test_storm_leaves_others_alone(relay, load):
    document = load(relay.url(), "-c", 20, "--warmup", "0", "-d", "1500ms",
                    "--group", "chat", "--group", "storm,every=500ms").passed()
    groups = groups_of(document)
    assert groups["storm"]["returns"] == 10 * groups["storm"]["storms"] > 0
    assert groups["chat"]["departures"] == groups["chat"]["returns"] == 0
    assert groups["chat"]["received"] == groups["chat"]["sent"] > 0
    assert sum(g["latency_us"]["response"]["count"] for g in groups.values()) == \
        document["latency_us"]["response"]["count"]


def assert_refused_by_reader(document, slow):
    assert slow["refused"] > 0 and slow["lost"] == 0
    assert slow["received"] + slow["refused"] == slow["sent"]
    assert document["delivery"]["refused_by"]["recipient_busy"] == slow["refused"]
    # It read about as fast as it may, in a second (a buffer of 16 KiB more here and there).
    assert slow["delivered"] * 16000 < 300000


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_slow_reader(start_relay, load, scheme):
    """The relay refuses what it cannot keep, everything else arrives, and nobody else notices."""
    relay = start_relay("--workers", 1, "--outbox-bytes", OUTBOX_MIN_BYTES, listen=(scheme,))
    url, tls = url_of(relay, scheme)
    document = without_faults(load(url, *tls, "-c", 4, "-r", 900, "-p", 16000, *SHORT,
                                   "--drain", "10s", "--group", "chat",
                                   "--group", "slow-reader,read=100000"))
    slow, chat = groups_of(document)["slow-reader"], groups_of(document)["chat"]
    assert_refused_by_reader(document, slow)
    assert slow["sent"] + chat["sent"] == document["offered"]["sent"]
    assert chat["refused"] == chat["lost"] == 0
    # Two of the three who send; less only if this machine stood still.
    assert 300 < chat["received"] == chat["sent"] <= 602
    assert chat["latency_us"]["response"]["p50"] < slow["latency_us"]["response"]["p50"]
    assert relay.stop()["refused_recipient_busy"] == slow["refused"]


def test_slow_reader_closed_loop(start_relay, load):
    """A refused envelope's slot rests a little; the loop goes on."""
    relay = start_relay("--workers", 1, "--outbox-bytes", OUTBOX_MIN_BYTES)
    document = without_faults(load(relay.url(), "-c", 2, "-w", 256, "-p", 16000, *SHORT,
                                   "--drain", "10s", "--group", "slow-reader,read=100000"))
    assert_refused_by_reader(document, only_group(document))


@pytest.mark.parametrize("how", [(), ("--suite", "pqxdh", "--auth", "hybrid", "--session",
                                      "ratchet")], ids=["classic", "post_quantum_ratchet"])
def test_offline(start_relay, load, how):
    relay = start_relay("--workers", 2)
    document = load(relay.url(), "-c", 6, "-w", 4, "--warmup", "0", "-d", "1500ms", *how,
                    "--group", "offline,offline=300ms,messages=50").passed()
    group = only_group(document)
    # Everything was sent while its recipient was away, all of an absence's, and came at its return.
    assert group["sent"] == group["received"] == group["drained"] > 50 * 3
    assert group["departures"] == group["returns"] == group["latency_us"]["drain"]["count"]
    assert group["sent"] <= 50 * group["departures"]
    assert document["delivery"]["accepted"] == group["sent"]
    assert group["drained_per_s"] > 0
    # What waits on purpose is no latency of the run.
    assert document["latency_us"]["response"]["count"] == 0
    response = group["latency_us"]["response"]
    assert response["count"] == group["sent"] and response["p90"] > 200000
    assert relay.stop()["store_accepted"] == group["sent"]


def test_offline_mailbox_that_is_full(relay, load):
    """More than a mailbox keeps: the rest is refused and no loss."""
    document = without_faults(load(relay.url(), "-c", 2, "-r", 4000, "--warmup", "0", "-d", "1",
                                   "--group", "offline,offline=600ms"))
    group = only_group(document)
    assert document["delivery"]["refused_by"]["queue_full"] == group["refused"] > 0
    assert group["received"] + group["refused"] == group["sent"]
    assert document["delivery"]["accepted"] == group["received"]


def test_offline_mailbox_that_is_full_of_a_ratchet(relay, load):
    """It follows all that may be refused in an absence, here by the bytes that a mailbox keeps."""
    document = without_faults(load(relay.url(), "-c", 2, "--warmup", "0", "-d", "2", "-p",
                                   16000, "--drain", "10s", "--session", "ratchet", "--group",
                                   "offline,offline=700ms,messages=1024"))
    group = only_group(document)
    # 8 MiB are 520 of these, and the rest of an absence is refused in a row: in one of them at least
    # more than a ratchet follows otherwise.
    assert group["departures"] >= 2
    assert group["refused"] > SKIPPED_MAX * group["departures"]
    assert document["delivery"]["refused_by"]["queue_full"] == group["refused"]
    assert group["received"] + group["refused"] == group["sent"]
    assert group["received"] > 700


def test_ratchet_that_broke_is_named(start_relay, load):
    """More refusals in a row than its receiver follows: said, and not only that nothing opened."""
    relay = start_relay("--workers", 1, "--outbox-bytes", OUTBOX_MIN_BYTES)
    with FaultProxy(relay.address(), 200 * ["refuse"], every=1, skip=101) as proxy:
        run = load(proxy.url, "-c", 2, "--group", "fan-out,recipients=1", "-r", 500, *SHORT,
                   "--session", "ratchet")
        document = run.result()
        assert proxy.done == {"refuse": 200}
    delivery = document["delivery"]
    assert run.code == INTEGRITY and delivery["refused"] == 200
    assert delivery["ahead"] == delivery["auth_fail"] == delivery["lost"] > 0
    assert "further ahead than a ratchet follows" in run.log()


def test_all_behaviours_at_once(start_relay, load):
    relay = start_relay("--workers", 2, "--bundle-rate", 0, listen=("wss",))
    url, tls = url_of(relay, "wss")
    behaviours = ["chat", "fan-out,recipients=7", "handshake", "prekey-drain,prekeys=5",
                  "churn,online=200ms", "storm,every=400ms", "slow-reader,read=200000",
                  "offline,offline=200ms,messages=20", "idle"]
    # Long enough for the last prekey also where a sanitizer and other tests have most of the machine.
    document = without_faults(load(url, *tls, "-c", 72, "-t", 2, "--warmup", "0", "-d", "3",
                                   "--drain", "5s",
                                   *(o for b in behaviours for o in ("--group", b))))
    groups = groups_of(document)
    assert set(groups) == {b.split(",")[0] for b in behaviours}
    for name in ("chat", "fan-out", "churn", "storm", "offline", "slow-reader"):
        assert groups[name]["received"] > 0 and groups[name]["lost"] == 0, name
    assert groups["handshake"]["handshakes"] > 0
    assert groups["prekey-drain"]["handshakes"] == (5 - 1) * groups["prekey-drain"]["users"] // 2
    assert groups["churn"]["returns"] > 0 and groups["storm"]["storms"] > 0
    assert document["handshakes"]["failed"] == 0


def test_relay_killed_while_users_come_and_go(start_relay, load):
    """The run ends and says so, whoever was away."""
    relay = start_relay("--workers", 1)
    run = load(relay.url(), "-c", 40, "-d", "30", "--warmup", "0", "--drain", "300ms",
               "--group", "churn,online=50ms,offline=50ms", "--group", "storm,every=200ms")
    await_traffic(relay)
    relay.kill()
    document = run.result()
    assert run.code == INTEGRITY, run.log()
    assert 0 < document["delivery"]["disconnected"] <= 40


WRONG = {
    "unknown": (["--group", "shout"], "'shout'"),
    "key": (["--group", "chat,online=1s"], "does not take 'online'"),
    "with_mode": (["-m", "idle", "--group", "chat"], "give one of them"),
    "users": (["-c", "7", "--group", "chat"], "6 can"),
    "none_sends": (["--group", "idle", "-r", "5"], "no group sends"),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_groups(name):
    options, named = WRONG[name]
    out = subprocess.run([binary("loadgen/sealpost-load"), "ws://127.0.0.1:1", *options],
                         capture_output=True, text=True, timeout=PATIENCE_S)
    assert out.returncode == BAD_OPTIONS and named in out.stderr, out.stderr


def test_check_tells_of_the_groups():
    out = subprocess.run([binary("loadgen/sealpost-load"), "--check", "-c", "50",
                          "--group", "chat,share=4", "--group", "fan-out,recipients=9"],
                         capture_output=True, text=True, timeout=PATIENCE_S)
    assert out.returncode == 0, out.stderr
    assert "40 chat, 40 of them send" in out.stdout and "10 fan-out, 1 of them send" in out.stdout


def test_groups_of_a_scenario(relay, load, tmp_path):
    """The file's groups, unless the command line gives some."""
    scenario = tmp_path / "mixture.yaml"
    scenario.write_text("connections: 12\nwarmup: 0\nduration: 300ms\ngroups:\n"
                        "  - behaviour: fan-out\n    recipients: 3\n    share: 2\n"
                        "  - behaviour: idle\n")
    groups = groups_of(load(relay.url(), "--scenario", scenario).passed())
    assert groups["fan-out"]["users"] == 8 and groups["idle"]["users"] == 4
    groups = groups_of(load(relay.url(), "--scenario", scenario, "--group", "chat").passed())
    assert set(groups) == {"chat"}
