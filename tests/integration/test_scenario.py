"""Scenario files and --check with the real program: every ready-made one, a run from a file, and what
a wrong file is told."""
import os
import subprocess

import pytest

from relay_process import PATIENCE_S, binary
from test_load import BAD_OPTIONS, load  # noqa: F401 (a fixture)

SCENARIOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scenarios")
READY_MADE = sorted(name[:-len(".yaml")] for name in os.listdir(SCENARIOS)
                    if name.endswith(".yaml"))


def run(*options):
    return subprocess.run([binary("loadgen/sealpost-load"), *map(str, options)],
                          capture_output=True, text=True, timeout=PATIENCE_S)


def test_ready_made_are_there():
    assert {"chat", "fan-out", "handshake", "prekey-drain", "churn", "reconnect-storm",
            "slow-readers", "offline", "ratchet", "resumption", "burst",
            "capacity-ramp"} <= set(READY_MADE)


@pytest.mark.parametrize("name", READY_MADE)
def test_ready_made_checks(name):
    by_name, by_file = run("--scenario", name, "--check"), run(
        "--scenario", os.path.join(SCENARIOS, name + ".yaml"), "--check")
    assert by_name.returncode == 0, by_name.stderr
    assert by_name.stderr == ""
    assert by_name.stdout == by_file.stdout, "the program has the file inside"
    assert by_name.stdout.startswith("scenario ") and "memory" in by_name.stdout


def test_ready_made_runs(relay, load):
    document = load(relay.url(), "--scenario", "burst", "-c", 20, "--warmup", "0", "--stage",
                    "burst 40 every 200ms for 400ms at 100").passed()
    assert document["run"]["config"]["payload"] == "lognormal:300,1.0"
    assert [stage["name"] for stage in document["stages"]] == ["burst"]
    assert document["offered"]["scheduled"] == 120
    assert [t["ok"] for t in document["thresholds"]] == [True]


def test_file_runs(relay, load, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("connections: 6\n"
                    "warmup: 0\n"
                    "seed: 9\n"
                    "payload: uniform:48-600\n"
                    "stages:\n"
                    "  - {name: calm, hold: 300ms, at: 100}\n"
                    "  - {ramp: 300ms, to: 300}\n")
    document = load(relay.url(), "--scenario", file).passed()
    assert document["connections"]["connected"] == 6 and document["run"]["seed"] == 9
    assert [stage["offered"] for stage in document["stages"]] == [30, 60]


def test_check_connects_to_nothing(relay):
    out = run(relay.url(), "--check", "-c", 10)
    assert out.returncode == 0 and relay.url() in out.stdout
    assert relay.stop()["connections_accepted"] == 0


def test_check_is_of_one_run():
    out = run("capacity", "--slo", "p99<20ms", "--check")
    assert out.returncode == BAD_OPTIONS and "--check tells of one run" in out.stderr


WRONG = {
    "unknown_key": ("connections: 4\nconections: 5\n", ":2: there is no key 'conections'"),
    "value": ("\n\nconnections: many\n", ":3: --connections takes a whole number"),
    "stage": ("stages:\n  - hold 10s at 5\n  - hold soon\n", ":3: --stage 'hold soon'"),
    "threshold": ("thresholds:\n  - response:p(99)<fast\n", ":2: "),
    "not_yaml": ("a: [1,\n", "not YAML"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_file(tmp_path, name):
    text, says = WRONG[name]
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    out = run("--scenario", file, "--check")
    assert out.returncode == BAD_OPTIONS
    assert str(file) + ":" in out.stderr and says in out.stderr and out.stdout == ""
    assert len(out.stderr.splitlines()) == 1


def test_no_such_scenario():
    out = run("--scenario", "no-such", "--check")
    assert out.returncode == BAD_OPTIONS
    assert "no-such" in out.stderr and "chat" in out.stderr and "reconnect-storm" in out.stderr
