"""Users who come back with the TLS session they had: resumed exactly when they ask for it and the
server knows the ticket, counted apart from full handshakes, and no loss either way."""
import subprocess

import pytest

from relay_process import PATIENCE_S, binary
from test_behaviours import SHORT, assert_all_came_back, groups_of, only_group
from test_load import BAD_OPTIONS, load, url_of  # noqa: F401 (a fixture)
from test_tls import make_certificate
from tls_front import TlsFront

CHURN = "churn,online=150ms,offline=30ms"
# Storms at 0.5 and 1 s: everybody is back before the run ends.
STORMS = ("--warmup", "0", "-d", "1500ms", "--group", "storm,every=500ms,resume=yes")


@pytest.fixture
def tls_relay(start_relay):
    return start_relay("--workers", 2, listen=("wss",))


def run_with(load, relay, *options):
    url, tls = url_of(relay, "wss")
    return load(url, *tls, *options).passed()


def counts_of(document):
    return {name: document["latency_us"][name]["count"] for name in ("tls_handshake", "tls_resume")}


def test_churn_resumes(tls_relay, load):
    document = run_with(load, tls_relay, "-c", 20, "-w", 2, "-t", 2, *SHORT,
                        "--group", CHURN + ",resume=yes")
    group, stats = only_group(document), tls_relay.stop()
    assert_all_came_back(group)
    assert group["returns"] >= 20 and group["resume"]
    assert group["tls_resumed"] == group["returns"] and group["tls_full"] == 0
    # Only the first connection of each had a whole handshake.
    assert stats["tls_handshakes"] - stats["tls_resumed"] == 20
    assert counts_of(document)["tls_handshake"] == 20
    # The run's end may find some on their way back, secured and not logged in.
    assert group["returns"] <= stats["tls_resumed"] <= counts_of(document)["tls_resume"] \
        <= group["departures"]


def test_churn_without(tls_relay, load):
    for word in ("", ",resume=no"):
        group = only_group(run_with(load, tls_relay, "-c", 6, *SHORT, "--group",
                                    CHURN + word))
        assert_all_came_back(group)
        assert group["tls_full"] == group["returns"]
        assert group["tls_resumed"] == 0 and not group["resume"]
    assert tls_relay.stop()["tls_resumed"] == 0


def test_resumed_beside_full(tls_relay, load):
    """Each group by its own word, again and again with the ticket of the connection before."""
    document = run_with(load, tls_relay, "-c", 30, "-t", 2, *STORMS,
                        "--group", "offline,offline=100ms,messages=5,resume=yes",
                        "--group", CHURN)
    groups = groups_of(document)
    for name in ("storm", "offline"):
        group = groups[name]
        assert group["tls_resumed"] == group["returns"] > 0, name
        assert group["tls_full"] == 0 and group["lost"] == 0, name
    assert groups["churn"]["tls_full"] == groups["churn"]["returns"] > 0
    assert groups["churn"]["tls_resumed"] == 0
    both = groups["storm"], groups["offline"]
    assert sum(group["returns"] for group in both) <= tls_relay.stop()["tls_resumed"] \
        <= counts_of(document)["tls_resume"] <= sum(group["departures"] for group in both)


@pytest.mark.parametrize("forgets", [False, True], ids=["known", "unknown"])
def test_ticket_of_another_server(relay, load, tmp_path, forgets):
    """A server that does not know the ticket makes it a full handshake, and nothing fails."""
    certificate, key = make_certificate(tmp_path)
    with TlsFront(relay.address(), certificate, key, forgets=forgets) as front:
        document = load(front.url, "--ca", certificate, "-c", 6, *STORMS).passed()
        handshakes, resumed = front.handshakes, front.resumed
    group = only_group(document)
    assert group["returns"] == group["departures"] > 0
    assert group["retries"] == 0
    assert group["tls_resumed"] == (0 if forgets else group["returns"]) == resumed
    assert group["tls_full"] == (group["returns"] if forgets else 0)
    assert handshakes == 6 + group["returns"]
    assert counts_of(document) == {"tls_handshake": handshakes - resumed, "tls_resume": resumed}


def run(*options):
    return subprocess.run([binary("loadgen/sealpost-load"), *map(str, options)],
                          capture_output=True, text=True, timeout=PATIENCE_S)


@pytest.mark.parametrize("options", [("--group", "chat", "--group", "storm,resume=yes"),
                                     ("--scenario", "resumption")], ids=["group", "scenario"])
@pytest.mark.parametrize("check", [(), ("--check",)], ids=["run", "check"])
def test_there_is_nothing_to_resume_without_tls(options, check):
    out = run("ws://127.0.0.1:1", *options, *check)
    assert out.returncode == BAD_OPTIONS
    assert "--group storm: resume=yes" in out.stderr and "give a wss address" in out.stderr


def test_check_tells_who_resumes():
    out = run("--scenario", "resumption", "--check")
    assert out.returncode == 0, out.stderr
    assert out.stdout.count("who comes back resumes its TLS session") == 1


def test_relay_counts_what_the_run_reports(tls_relay, load):
    url, tls = url_of(tls_relay, "wss")
    storms = load(url, *tls, "-c", 10, "-t", 2, *STORMS)
    document = storms.passed()
    group, stats = only_group(document), tls_relay.stop()
    assert group["tls_resumed"] == group["returns"] == group["departures"] > 0
    assert stats["tls_resumed"] == counts_of(document)["tls_resume"] == group["tls_resumed"]
    assert stats["tls_handshakes"] == 10 + group["returns"]
    assert f"{group['tls_resumed']} with the TLS session there was, 0 without" in storms.log()
    assert "tls_resume " in storms.log()
