"""Objectives of a run (--threshold) against a real relay: what they make of the exit code."""
import subprocess

import pytest

from relay_process import binary
from test_load import BAD_OPTIONS, LIMITED, PASS, load  # noqa: F401  (a fixture)

THRESHOLD = 99


def options_of(thresholds):
    return [option for text in thresholds for option in ("--threshold", text)]


def test_met(relay, load):
    texts = ["response:p(50)<20s", "delivered:count>50", "lost:count==0", "rate:value>1"]
    document = load(relay.url(), "-c", 4, "-d", "500ms", "--warmup", "0",
                    *options_of(texts)).passed()
    assert [one["text"] for one in document["thresholds"]] == texts
    assert all(one["ok"] and one["reason"] is None for one in document["thresholds"])
    assert document["thresholds"][0]["unit"] == "us"
    assert document["thresholds"][0]["value"] == document["latency_us"]["response"]["p50"]
    assert document["thresholds"][1]["value"] == document["messages"]["count"]
    assert document["aborted_by"] is None


def test_missed(relay, load):
    run = load(relay.url(), "-c", 4, "-d", "500ms", "--warmup", "0",
               *options_of(["response:p(50)<1us", "lost:count==0"]))
    document = run.result()
    assert run.code in (THRESHOLD, LIMITED)
    missed, met = document["thresholds"]
    assert not missed["ok"] and missed["value"] > missed["limit"] == 1
    assert "response is" in missed["reason"] and missed["reason"] in run.log()
    assert met["ok"]


def test_what_cannot_be_told_is_missed(relay, load):
    run = load(relay.url(), "-c", 2, "-r", 20, "-d", "500ms", "--warmup", "0",
               *options_of(["response:p(99.9)<10s", "server_busy_pct:value<100"]))
    document = run.result()
    assert run.code in (THRESHOLD, LIMITED)
    for one, says in zip(document["thresholds"], ("too few", "--server-pid")):
        assert not one["ok"] and one["value"] is None and says in one["reason"]


def test_abort(relay, load):
    run = load(relay.url(), "-c", 4, "-d", "60", "--warmup", "0",
               *options_of(["lost:count==0", "response:p(50)<1us,abort=1s"]))
    document = run.result()
    assert run.code in (THRESHOLD, LIMITED)
    assert document["aborted_by"] == "response:p(50)<1us,abort=1s"
    assert 0 < document["run"]["duration_s"] < 30
    assert not document["run"]["interrupted"]
    assert "ended the run" in document["thresholds"][1]["reason"]
    # What was under way is still waited for.
    assert document["thresholds"][0]["ok"]


def test_a_run_that_does_not_begin_meets_nothing(load):
    run = load("ws://127.0.0.1:1", "-c", 2, "--threshold", "lost:count==0")
    document = run.result()
    assert document["thresholds"][0]["reason"] == "the run did not begin"
    assert run.code not in (PASS, THRESHOLD)


@pytest.mark.parametrize("text, says", [
    ("response:p99<20ms", "p(N)"), ("latency:avg<1", "no metric 'latency'"),
    ("lost:count==0,abort", "only after the run")])
def test_mistakes(text, says):
    done = subprocess.run([binary("loadgen/sealpost-load"), "ws://127.0.0.1:1", "-T", text],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == BAD_OPTIONS and says in done.stderr and text in done.stderr
