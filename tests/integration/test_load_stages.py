"""Stages of the open loop against a real relay: what was offered when, and to which stage it counts."""
import csv
import statistics
import subprocess

import pytest

from relay_process import PATIENCE_S, binary
from test_load import BAD_OPTIONS, load  # noqa: F401 (a fixture)

SECOND = 1_000_000_000


def rows_of(path):
    with open(path) as file:
        return [{key: int(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_stages(relay, load):
    document = load(relay.url(), "-c", 10, "-t", 2, "--warmup", "200ms", "--drain", "10",
                    "--stage", "calm: hold 500ms at 400",
                    "--stage", "ramp 500ms to 800",
                    "--stage", "spike 200ms to 2000",
                    "--stage", "burst 50 every 100ms for 500ms",
                    "--stage", "step 2x200ms from 100 by 100").passed()
    stages = document["stages"]
    assert [s["name"] for s in stages] == ["calm", "ramp", "spike", "burst", "step-1", "step-2"]
    assert [s["at_s"] for s in stages] == [0, 0.5, 1, 1.2, 1.7, 1.9]
    # Exactly the integral of the rate, and the bursts.
    for stage, count in zip(stages, [200, 300, 400, 400 + 250, 20, 40]):
        assert abs(stage["offered"] - count) <= 1, stage
        assert stage["delivered"] == stage["sent"] == stage["offered"] - stage["not_sent"]
        assert stage["latency_us"]["response"]["count"] == stage["delivered"]
        assert stage["latency_us"]["schedule_lag"]["count"] == stage["offered"]
    offered = document["offered"]
    assert sum(s["offered"] for s in stages) == offered["scheduled"]
    assert sum(s["sent"] for s in stages) == offered["sent"]
    assert offered["rate_per_s"] == pytest.approx(1610 / 2.1, abs=0.01)


def run_constant(relay, load, file, senders, rate, threads):
    document = load(relay.url(), "-c", senders, "-t", threads, "-r", rate, "-d", "1", "--warmup",
                    "0", "--record", file).passed()
    rows = rows_of(file)
    assert document["run"]["record"] == {"file": str(file), "rows": len(rows), "not_recorded": 0}
    assert len(rows) == document["offered"]["sent"] == rate
    return rows


@pytest.mark.parametrize("threads", [1, 2])
def test_constant_senders_have_spread_phases(relay, load, tmp_path, threads):
    """With many connections no two send together: every sender has a phase of its own, of all
    threads, and keeps it."""
    senders, rate = 150, 1000
    rows = run_constant(relay, load, tmp_path / "sent.csv", senders, rate, threads)
    intended = sorted(row["intended_ns"] for row in rows)
    gap = SECOND // rate
    assert all(abs(b - a - gap) <= 1 for a, b in zip(intended, intended[1:]))
    phases = {}
    for row in rows:
        phases.setdefault(row["sender"], set()).add(
            round(row["intended_ns"] % (senders * gap) / gap))
    assert len(phases) == senders
    assert sorted(phase for own in phases.values() for phase in own) == list(range(senders))
    assert all(row["sent_ns"] >= row["intended_ns"] for row in rows), "never before its time"


def test_sending_follows_the_phases(relay, load, tmp_path):
    """And so they are really sent: evenly, if the machine lets us, which gets three attempts."""
    rate = 500
    for attempt in range(3):
        rows = run_constant(relay, load, tmp_path / f"{attempt}.csv", 100, rate, 1)
        sent = sorted(row["sent_ns"] for row in rows)
        gaps = [b - a for a, b in zip(sent, sent[1:])]
        if statistics.median(gaps) > SECOND / rate / 2:
            return
    assert False, f"half of the envelopes were sent within {statistics.median(gaps)} ns of another"


def test_bursts_are_at_once(relay, load, tmp_path):
    file = tmp_path / "sent.csv"
    load(relay.url(), "-c", 40, "--warmup", "0", "--record", file,
         "--stage", "burst 40 every 100ms for 300ms at 0").passed()
    rows = rows_of(file)
    assert sorted(row["intended_ns"] for row in rows) == [n * SECOND // 10 for n in range(3)
                                                          for _ in range(40)]
    for n in range(3):
        assert len({r["sender"] for r in rows if r["intended_ns"] == n * SECOND // 10}) == 40


def test_seed_repeats_schedule_and_sizes(relay, load, tmp_path):
    def run(name, seed):
        file = tmp_path / name
        load(relay.url(), "-c", 4, "--warmup", "0", "--arrival", "poisson", "--seed", seed,
             "--payload", "uniform:48-4000", "--record", file, "--stage",
             "ramp 400ms to 1000").passed()
        return sorted((r["intended_ns"], r["sender"], r["payload_bytes"]) for r in rows_of(file))

    first = run("a.csv", 7)
    assert len(first) > 100 and len({size for _, _, size in first}) > 50
    assert run("b.csv", 7) == first
    assert run("c.csv", 8) != first


def test_record_that_cannot_be_written(relay):
    out = subprocess.run([binary("loadgen/sealpost-load"), relay.url(), "--record",
                          "/nonexistent/sent.csv"], capture_output=True, text=True,
                         timeout=PATIENCE_S)
    assert out.returncode == BAD_OPTIONS
    assert "/nonexistent/sent.csv of --record" in out.stderr


def test_record_on_a_full_device(relay):
    out = subprocess.run([binary("loadgen/sealpost-load"), relay.url(), "-c", "2", "-d", "200ms",
                          "--warmup", "0", "-q", "--record", "/dev/full"], capture_output=True,
                         text=True, timeout=60)
    assert out.returncode == 1 and "/dev/full: No space left" in out.stderr
