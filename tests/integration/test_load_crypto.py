"""sealpost-load's cryptography: every suite, identity and session, handshakes that use up and renew
their prekeys, the tiers underneath."""
import subprocess

import pytest

from relay_process import binary, is_sanitized
from test_load import load, url_of  # noqa: F401  (a fixture)

SUITES, AUTHS, SESSIONS = ("x3dh", "pqxdh"), ("ed25519", "hybrid"), ("counter", "ratchet")
ONE_TIME_AT_FIRST, ONE_TIME_KEM_AT_FIRST = 64, 1  # what a user publishes when it registers


def cryptography(suite, auth, session):
    return "--suite", suite, "--auth", auth, "--session", session


@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("suite", SUITES)
def test_talk(relay, load, suite, auth, session):
    run = load(relay.url(), *cryptography(suite, auth, session), "-c", 4, "-w", 2, "-d", "1",
               "--warmup", "0")
    document = run.passed()
    config = document["run"]["config"]
    assert (config["suite"], config["auth"], config["session"]) == (suite, auth, session)
    tier = document["env"]["crypto"]
    assert tier != "none"
    assert document["messages"]["count"] > 0
    # A set-up without a hitch: the pairs' handshakes, none in the window.
    assert document["latency_us"]["handshake"]["count"] == 2
    assert document["handshakes"]["failed"] == 0 and document["handshakes"]["count"] == 0
    names = f"; suite {suite}, auth {auth}, session {session}"
    is_default = (suite, auth, session) == ("x3dh", "ed25519", "counter")
    assert f"cryptography   {tier}{'' if is_default else names}\n" in run.log()
    stats = relay.stop()
    assert stats["bundles"] == 2 and stats["bundles_pqxdh"] == (2 if suite == "pqxdh" else 0)
    assert stats["bundles_without_one_time_prekey"] == 0
    assert stats["bundles_without_one_time_kem_prekey"] == 0


@pytest.mark.parametrize("suite, auth, session", [("x3dh", "ed25519", "counter"),
                                                  ("pqxdh", "ed25519", "ratchet"),
                                                  ("pqxdh", "hybrid", "counter")])
def test_handshakes_renew_their_prekeys(start_relay, load, suite, auth, session):
    relay = start_relay("--workers", 1, "--bundle-rate", 0)
    document = load(relay.url(), "-m", "handshake", *cryptography(suite, auth, session), "-c", 2,
                    "-d", "3", "--warmup", "0.2").passed()
    handshakes = document["handshakes"]
    assert handshakes["count"] > 0 and handshakes["failed"] == 0
    # The set-up's and the warm-up's handshakes are not the window's.
    latency = document["latency_us"]
    assert latency["handshake"]["count"] == latency["response"]["count"] > 0
    assert handshakes["without_one_time"] == 0 and handshakes["last_resort_kem"] == 0
    for side in ("initiate", "respond"):
        assert document["latency_us"][side]["count"] > 0
    stats = relay.stop()
    assert stats["bundles"] >= handshakes["count"]
    assert stats["bundles_without_one_time_prekey"] == 0
    assert stats["prekeys_too_many"] == 0 and stats["bundle_no_prekeys"] == 0
    assert stats["prekeys_published"] > 2, "each user once, and again"
    # More than there were at first: a sanitizer build of ML-DSA is too slow to get there.
    if auth == "ed25519" or not is_sanitized():
        assert stats["bundles"] > ONE_TIME_AT_FIRST
    if suite == "pqxdh":
        assert stats["bundles_pqxdh"] == stats["bundles"] > ONE_TIME_KEM_AT_FIRST
        assert stats["bundles_without_one_time_kem_prekey"] == 0


def test_handshakes_of_several_threads(start_relay, load):
    relay = start_relay("--workers", 2, "--bundle-rate", 0)
    document = load(relay.url(), "-m", "handshake", *cryptography("pqxdh", "hybrid", "ratchet"),
                    "-c", 12, "-t", 3, "-d", "1", "--warmup", "200ms").passed()
    assert document["handshakes"]["count"] + document["handshakes"]["without_one_time"] > 0
    assert document["handshakes"]["failed"] == 0
    assert len(document["generator"]["busy_pct_per_thread"]) == 3
    assert relay.stop()["prekeys_too_many"] == 0


def test_handshakes_under_a_rate_limit(start_relay, load):
    relay = start_relay("--workers", 1, "--bundle-rate", 20)
    document = load(relay.url(), "-m", "handshake", "-c", 2, "-d", "3", "--warmup", "0").passed()
    handshakes = document["handshakes"]
    assert handshakes["rate_limited"] > 0 and handshakes["failed"] == 0
    assert handshakes["count"] > 0
    # At the end of the window one may be asked for whose answer nobody waits for.
    assert relay.stop()["bundle_rate_limited"] - handshakes["rate_limited"] in (0, 1)


@pytest.mark.parametrize("mode", ["talk", "handshake"])
def test_post_quantum_over_tls(start_relay, load, mode):
    relay = start_relay("--workers", 1, "--bundle-rate", 0, listen=("wss",))
    url, tls = url_of(relay, "wss")
    document = load(url, *tls, "-m", mode, *cryptography("pqxdh", "hybrid", "ratchet"), "-c", 4,
                    "-d", "1", "--warmup", "200ms").passed()
    assert "MLKEM768" in document["env"]["tls"]
    assert document["messages" if mode == "talk" else "handshakes"]["count"] > 0


def test_ratchet_in_bulk(relay, load):
    document = load(relay.url(), "--session", "ratchet", "-c", 4, "-w", 500, "--durable",
                    "-d", "1", "--warmup", "0").passed()
    assert document["messages"]["count"] > 2000


def test_idle_hybrid_users(relay, load):
    document = load(relay.url(), "-m", "idle", "--auth", "hybrid", "-c", 10, "-d", "200ms",
                    "--warmup", "0").passed()
    assert document["run"]["config"]["auth"] == "hybrid"
    assert relay.stop()["logged_in"] == 10


def test_portable_tier(start_relay, load, monkeypatch):
    relay = start_relay("--workers", 1, "--bundle-rate", 0)
    monkeypatch.setenv("SEALPOST_CRYPTO_TIER", "portable")
    for mode in ("talk", "handshake"):
        run = load(relay.url(), "-m", mode, *cryptography("pqxdh", "hybrid", "ratchet"), "-c", 2,
                   "-d", "500ms", "--warmup", "0")
        assert run.passed()["env"]["crypto"] == "portable"
        assert "cryptography   portable;" in run.log()


def test_unknown_tier(monkeypatch):
    monkeypatch.setenv("SEALPOST_CRYPTO_TIER", "abacus")
    out = subprocess.run([binary("loadgen/sealpost-load"), "ws://127.0.0.1:1"],
                         capture_output=True, text=True, timeout=30)
    assert out.returncode == 1
    assert "SEALPOST_CRYPTO_TIER" in out.stderr and len(out.stderr.splitlines()) == 1
