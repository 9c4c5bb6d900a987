"""sealpost-load compare and export on real results and doctored ones, and scripts/bench-ci."""
import copy
import csv
import json
import os
import subprocess
import xml.etree.ElementTree as xml

import pytest

from relay_process import PATIENCE_S, Relay, binary

PASS, ERROR, NO_BASELINE, REGRESSION, TOO_NOISY, BAD_OPTIONS = 0, 1, 2, 3, 4, 104
# Repeats of one build on a quiet machine.
STEADY = (1, 1.01, 0.99, 1.005, 0.995, 1.002)
BENCH_CI = os.path.join(os.path.dirname(__file__), "../../scripts/bench-ci")


def run(*command, code=None, env=None, patience=PATIENCE_S):
    out = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                         timeout=patience, stdin=subprocess.DEVNULL,
                         env={**os.environ, **(env or {})})
    assert "anitizer" not in out.stderr and "runtime error" not in out.stderr, out.stderr
    assert code is None or out.returncode == code, (out.returncode, out.stdout, out.stderr)
    return out


def compare(*options, code):
    return run(binary("loadgen/sealpost-load"), "compare", *options, code=code)


def export(*options, code=PASS):
    return run(binary("loadgen/sealpost-load"), "export", *options, code=code)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Two short real runs: with 256 bytes and with 1,024."""
    directory = tmp_path_factory.mktemp("measured")
    relay = Relay(directory, "--workers", 1, listen=("ws",))
    results = []
    try:
        for payload in (256, 1024):
            file = directory / f"{payload}.json"
            out = run(binary("loadgen/sealpost-load"), relay.url(), "-c", 4, "-d", "300ms",
                      "--warmup", "100ms", "-p", payload, "--server-pid", relay.process.pid,
                      "-q", "-o", file)
            assert out.returncode in (0, 112), out.stderr
            results.append(json.loads(file.read_text()))
    finally:
        relay.stop()
    for document in results:
        # The machine's doing, and not what is tested here.
        document["generator"].update(verdict="ok", reasons=[])
        document["exit_code"] = 0
    return results


@pytest.fixture
def result(measured):
    return copy.deepcopy(measured[0])


def write(path, *documents):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(document) for document in documents))
    return path


def repeats(document, cpu=1, factors=STEADY):
    """Repeats of a result with a steady machine's spread, server CPU times `cpu`."""
    out = []
    for factor in factors:
        one = copy.deepcopy(document)
        one["messages"]["per_s"] *= factor
        one["server"]["cpu_ns_per_msg"] *= factor * cpu
        for name in ("p50", "p99", "p99_9"):
            if one["latency_us"]["response"][name] is not None:
                one["latency_us"]["response"][name] *= factor
        out.append(one)
    return out


@pytest.fixture
def base(tmp_path, result):
    return write(tmp_path / "base.jsonl", *repeats(result))


def test_processor_is_named(result):
    maker, numbers = result["env"]["cpu_id"].rsplit(" ", 1)
    with open("/proc/cpuinfo") as info:
        lines = [line.split(":")[1].strip() for line in info if line.startswith(
            ("vendor_id", "cpu family", "model\t"))][:3]
    assert [maker, *numbers.split("/")] == lines


def test_same_results_pass(base):
    out = compare(base, base, code=PASS)
    assert out.stdout.splitlines()[-1] == "no regression"
    assert "talk/conns=4/in_flight=1/payload=256" in out.stdout
    for metric in ("throughput", "response_p50", "server_cpu", "generator_cpu"):
        [row] = [line for line in out.stdout.splitlines() if line.split()[:1] == [metric]]
        assert row.endswith("same") and " 6:6 " in row


def test_more_cpu_is_a_regression(tmp_path, base, result):
    new = write(tmp_path / "new.jsonl", *repeats(result, cpu=1.25))
    out = compare(base, new, code=REGRESSION)
    [row] = [line for line in out.stdout.splitlines() if " ns " in line and "server_cpu" in line]
    assert "+25.0 %" in row and row.endswith("worse")
    assert out.stdout.splitlines()[-1] == "regression"
    # The same in the other direction is an improvement; without the metric it is nothing.
    assert "better" in compare(new, base, code=PASS).stdout
    assert "server_cpu" not in compare(base, new, "--metrics", "throughput", code=PASS).stdout
    compare(base, new, "--gate", "throughput,response_p50", code=PASS)
    compare(base, new, "--min-effect", "server_cpu=30", code=PASS)
    compare(base, new, "--min-effect", "30", code=PASS)


def test_noise_floor(tmp_path, base, result):
    new = write(tmp_path / "new.jsonl", *repeats(result, cpu=1.25))
    for run_number, cpu in enumerate((1, 1.3, 1.1)):
        write(tmp_path / f"noise/{run_number}.jsonl", *repeats(result, cpu=cpu))
    compare(base, new, "--noise", tmp_path / "noise", code=PASS)
    assert "needs at least 3 runs" in compare(
        base, new, "--noise", tmp_path / "noise/0.jsonl", "--noise", tmp_path / "noise/1.jsonl",
        code=ERROR).stderr


def test_a_folder_an_array_and_several_files(tmp_path, base, result):
    documents = repeats(result)
    for i, document in enumerate(documents):
        write(tmp_path / f"folder/{i}.json", document)
    (tmp_path / "array.json").write_text(json.dumps(documents[:3]))
    write(tmp_path / "rest.jsonl", *documents[3:])
    first = compare(base, base, code=PASS).stdout
    assert compare(base, tmp_path / "folder", code=PASS).stdout == first
    assert compare(base, tmp_path / "array.json", "--new", tmp_path / "rest.jsonl",
                   code=PASS).stdout == first


def test_too_few_repeats(tmp_path, base, result):
    new = write(tmp_path / "new.jsonl", *repeats(result)[:4])
    out = compare(base, new, code=TOO_NOISY)
    assert "5 repeats are needed on each side" in out.stdout
    compare(base, new, "--repeats", 4, code=PASS)


def test_too_wide_an_interval(tmp_path, base, result):
    wild = repeats(result, factors=(0.7, 1.3, 0.85, 1.15, 1, 1.05))
    out = compare(base, write(tmp_path / "new.jsonl", *wild), code=TOO_NOISY)
    assert out.stdout.splitlines()[-1].startswith("too noisy to tell")


def test_no_baseline(tmp_path, base, result):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "No such file" in compare(tmp_path / "none.json", base, code=NO_BASELINE).stdout
    compare(empty, base, code=NO_BASELINE)
    for document in (limited := repeats(result)):
        document["generator"] = {**document["generator"], "verdict": "limited",
                                 "reasons": ["no more ports"]}
    limited_file = write(tmp_path / "limited.jsonl", *limited)
    out = compare(limited_file, base, code=NO_BASELINE)
    assert "limited, left out: no more ports" in out.stdout
    # On the new side it is no verdict at all.
    compare(base, limited_file, code=TOO_NOISY)
    compare(base, empty, code=TOO_NOISY)


def test_suspect_is_used_and_said(tmp_path, base, result):
    documents = repeats(result)
    documents[2]["generator"].update(verdict="suspect", reasons=["the hypervisor took 9 %"])
    out = compare(base, write(tmp_path / "new.jsonl", *documents), code=PASS)
    assert "suspect: the hypervisor took 9 %" in out.stdout and " 6:6 " in out.stdout


def test_delivery_faults(tmp_path, base, result):
    documents = repeats(result)
    documents[5]["delivery"]["lost"] = 2
    documents[5]["exit_code"] = 111
    faulty = write(tmp_path / "faulty.jsonl", *documents)
    assert "2 lost" in compare(base, faulty, code=REGRESSION).stdout
    assert "the base is no measure" in compare(faulty, base, code=ERROR).stderr


def test_other_payload_is_refused(tmp_path, base, measured):
    new = write(tmp_path / "new.jsonl", *repeats(measured[1]))
    assert ("payload_bytes is 256 in the base and 1024 in the new results"
            in compare(base, new, code=ERROR).stderr)


@pytest.mark.parametrize("path,value,field", [
    (("run", "config", "mode"), "idle", "mode"), (("run", "config", "connections"), 8, "connections"),
    (("env", "tls"), "X25519MLKEM768", "tls"), (("run", "config", "auth"), "hybrid", "auth"),
    (("offered", "model"), "open, poisson", "model"),
    (("run", "config", "session"), "ratchet", "session")])
def test_other_tests_are_refused(tmp_path, base, result, path, value, field):
    at = result
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    new = write(tmp_path / "new.jsonl", *repeats(result))
    assert f"{field} is " in compare(base, new, code=ERROR).stderr


def test_other_machine_is_refused(tmp_path, base, result):
    result["env"]["cpu_id"] = "AuthenticAMD 99/1"
    new = write(tmp_path / "new.jsonl", *repeats(result))
    assert "measure both on one machine" in compare(base, new, code=ERROR).stderr


def test_other_kernel_is_said(tmp_path, base, result):
    result["env"]["kernel"] = "7.0"
    new = write(tmp_path / "new.jsonl", *repeats(result))
    assert "kernel differs" in compare(base, new, code=PASS).stdout


def test_unreadable_results(tmp_path, base):
    for text, said in (("", "the file is empty"), ("{", "not JSON"),
                       ('{"schema": "sealpost.load/2"}', "this program reads sealpost.load/1"),
                       ("[1]", "not a result of sealpost-load")):
        wrong = tmp_path / "wrong.json"
        wrong.write_text(text)
        assert said in compare(wrong, base, code=ERROR).stderr
        assert said in compare(base, wrong, code=ERROR).stderr
    assert "No such file" in compare(base, tmp_path / "none.json", code=ERROR).stderr


@pytest.mark.parametrize("options,said", [
    ((), "BASE and NEW are needed"), (("a",), "BASE and NEW are needed"),
    (("a", "b", "c"), "'c' is a third file"), (("a", "b", "--bogus"), "unrecognized option"),
    (("a", "b", "--metrics", "speed"), "there is no metric 'speed'"),
    (("a", "b", "--gate", "speed"), "there is no metric 'speed'"),
    (("a", "b", "--min-effect", "x"), "--min-effect takes a number"),
    (("a", "b", "--min-effect", "speed=3"), "there is no metric 'speed'"),
    (("a", "b", "--alpha", "0"), "--alpha takes a number"),
    (("a", "b", "--repeats", "0"), "--repeats takes a number"),
    (("a", "b", "--seed", "-1"), "--seed takes a number")])
def test_command_line(options, said):
    assert said in compare(*options, code=ERROR).stderr


def test_reports(tmp_path, base, result):
    new = write(tmp_path / "new.jsonl", *repeats(result, cpu=1.25))
    markdown, junit = tmp_path / "table.md", tmp_path / "junit.xml"
    out = compare(base, new, "--markdown", markdown, "--junit", junit, "--quiet", code=REGRESSION)
    assert out.stdout == ""
    rows = [line for line in markdown.read_text().splitlines() if line.startswith("| talk/")]
    assert any("| server_cpu ns |" in row and "**worse** |" in row for row in rows)
    assert all(row.count("|") == 8 for row in rows)
    assert "<details>" in markdown.read_text()
    suite = xml.parse(junit).getroot()
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert failed == ["server_cpu"] and suite.get("failures") == "1"
    assert int(suite.get("tests")) == len(suite) > 4
    assert compare(base, new, "--markdown", "-", code=REGRESSION).stdout.startswith("### Load test")
    assert "No such file" in compare(base, new, "--markdown", tmp_path / "no/where.md",
                                     code=ERROR).stderr


def test_json(tmp_path, base, result):
    new = write(tmp_path / "new.jsonl", *repeats(result, cpu=1.25))
    file = tmp_path / "comparison.json"
    compare(base, new, "--json", file, "--quiet", "--gate", "server_cpu", code=REGRESSION)
    document = json.loads(file.read_text())
    assert document["schema"] == "sealpost.compare/1"
    assert document["exit_code"] == REGRESSION and document["result"] == "regression"
    assert document["run"]["argv"][1:4] == ["--json", str(file), "--quiet"]
    assert document["base"]["results"] == document["new"]["results"] == 6
    assert document["base"]["kernel"] == result["env"]["kernel"]
    assert document["base"]["cores"] == result["env"]["cores"]
    rows = {row["metric"]: row for row in document["rows"]}
    worse, same = rows["server_cpu"], rows["throughput"]
    assert worse["pattern"] == same["pattern"] == "talk/conns=4/in_flight=1/payload=256"
    assert worse["verdict"] == "worse" and worse["gate"] and same["verdict"] == "same"
    assert not same["gate"]
    assert worse["change"] == pytest.approx(0.25) and worse["unit"] == "ns"
    assert worse["new"]["median"] == pytest.approx(1.25 * worse["base"]["median"])
    assert worse["base"]["count"] == worse["new"]["count"] == 6
    assert worse["low"] <= worse["change"] <= worse["high"] and 0 < worse["p"] < 0.01
    assert worse["effect"] == pytest.approx(0.05) and worse["noise"] is None
    assert same["p"] == pytest.approx(1) and same["higher_is_better"]
    # On standard output the table makes room, and only one can be there.
    out = compare(base, new, "--json", "-", code=REGRESSION)
    assert json.loads(out.stdout)["exit_code"] == REGRESSION and "no regression" not in out.stderr
    assert out.stderr.splitlines()[-1] == "regression"
    assert "only one of the files" in compare(base, new, "--json", "-", "--markdown", "-",
                                              code=ERROR).stderr


def test_json_of_what_is_not_compared(tmp_path, base):
    file = tmp_path / "comparison.json"
    compare(tmp_path / "none.json", base, "--json", file, "-q", code=NO_BASELINE)
    document = json.loads(file.read_text())
    assert document["exit_code"] == NO_BASELINE and document["rows"] == []
    assert "No such file" in document["notes"][0] and document["base"]["results"] == 0
    file.unlink()
    compare(base, tmp_path / "none.json", "--json", file, "-q", code=ERROR)
    assert not file.exists()


def test_a_full_disk_is_said(base):
    for option in ("--json", "--markdown"):
        assert "/dev/full: No space left" in compare(base, base, option, "/dev/full", "-q",
                                                     code=ERROR).stderr
    for option in ("--bencher", "--go", "--junit", "--csv"):
        assert "/dev/full: No space left" in export(base, option, "/dev/full", code=1).stderr
    assert "No space left" in compare(base, base, "--junit", "/dev/full", code=ERROR).stderr


def rerun_script(tmp_path, result, cpu, base_too=True):
    """A command that measures again: what it finds was made beforehand."""
    write(tmp_path / "again/new.jsonl", *repeats(result, cpu=cpu))
    write(tmp_path / "again/base.jsonl", *repeats(result))
    copy_base = f"cp {tmp_path}/again/base.jsonl $SEALPOST_RERUN_BASE/; " if base_too else ""
    return (f"echo \"$SEALPOST_RERUN_PATTERNS\" > {tmp_path}/asked; {copy_base}"
            f"cp {tmp_path}/again/new.jsonl \"$SEALPOST_RERUN_NEW/\"")


@pytest.mark.parametrize("base_too", [True, False], ids=["both", "new only"])
def test_rerun(tmp_path, base, result, base_too):
    new = write(tmp_path / "new.jsonl", *repeats(result, cpu=1.25))
    confirmed = rerun_script(tmp_path, result, 1.2, base_too)
    out = compare(base, new, "--rerun", confirmed, code=REGRESSION)
    assert "worse (confirmed by a second measurement)" in out.stdout
    assert (tmp_path / "asked").read_text() == "talk/conns=4/in_flight=1/payload=256\n"
    out = compare(base, new, "--rerun", rerun_script(tmp_path, result, 1, base_too),
                  code=TOO_NOISY)
    assert "unclear (worse, but same when measured again)" in out.stdout


def test_rerun_only_on_suspicion(tmp_path, base):
    compare(base, base, "--rerun", f"touch {tmp_path}/ran", code=PASS)
    assert not (tmp_path / "ran").exists()


def test_rerun_that_fails(tmp_path, base, result):
    new = write(tmp_path / "new.jsonl", *repeats(result, cpu=1.25))
    assert "--rerun ended with code 7" in compare(base, new, "--rerun", "exit 7",
                                                  code=ERROR).stderr
    # It measured nothing: not confirmed.
    compare(base, new, "--rerun", "true", code=TOO_NOISY)
    assert "not JSON" in compare(base, new, "--rerun",
                                 "echo '{' > \"$SEALPOST_RERUN_NEW/x.json\"", code=ERROR).stderr


def test_export(tmp_path, result):
    result["thresholds"] = [{"text": "response:p(99)<1us", "value": 40, "ok": False, "reason": "was 40 us"}]
    runs = write(tmp_path / "runs.jsonl", *repeats(result))
    files = {name: tmp_path / name for name in ("bencher", "go", "junit", "csv")}
    export(runs, *[text for name, file in files.items() for text in (f"--{name}", file)])
    name = "talk/conns=4/in_flight=1/payload=256"
    measures = json.loads(files["bencher"].read_text())[name]
    throughput = measures["throughput"]
    assert throughput["lower_value"] < throughput["value"] < throughput["upper_value"]
    assert abs(throughput["value"] / result["messages"]["per_s"] - 1) < 0.01
    lines = [line.split() for line in files["go"].read_text().splitlines()
             if line.startswith("Benchmark")]
    assert len(lines) == 6 and all(line[0] == "BenchmarkTalk" + name[4:] for line in lines)
    assert all(int(line[1]) == 1 and len(line) % 2 == 0 for line in lines)
    assert all(float(value) > 0 for line in lines for value in line[2::2])
    with open(files["csv"], newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 and {row["pattern"] for row in rows} == {name}
    assert {row["payload_bytes"] for row in rows} == {"256"}
    suite = xml.parse(files["junit"]).getroot()
    failures = [case for case in suite if case.find("failure") is not None]
    assert len(failures) == 6 and failures[0].get("name") == "response:p(99)<1us"


def test_objectives_and_groups_of_a_real_run(tmp_path, relay):
    file = tmp_path / "run.json"
    run(binary("loadgen/sealpost-load"), relay.url(), "-c", 12, "-d", "300ms", "--warmup", "100ms",
        "--group", "chat,share=2", "--group", "fan-out,recipients=3", "--threshold",
        "response:p(50)<1us", "--threshold", "delivery_lost:count==0", "-q", "-o", file)
    export(file, "--junit", tmp_path / "tests.xml", "--csv", tmp_path / "all.csv")
    outcomes = {case.get("name"): case.find("failure") for case in
                xml.parse(tmp_path / "tests.xml").getroot()}
    assert outcomes["response:p(50)<1us"] is not None
    assert outcomes["delivery_lost:count==0"] is None and outcomes["delivery"] is None
    with open(tmp_path / "all.csv", newline="") as rows:
        names = [row["pattern"].split("/")[-1] for row in csv.DictReader(rows)]
    assert names == ["payload=256", "group=1-chat", "group=2-fan-out"]


def test_export_errors(tmp_path, base):
    assert "at least one RESULT" in export(code=BAD_OPTIONS).stderr
    assert "nothing to write" in export(base, code=BAD_OPTIONS).stderr
    assert "No such file" in export(tmp_path / "none", "--go", "-", code=ERROR).stderr
    (tmp_path / "empty").mkdir()
    assert "there are no results in it" in export(tmp_path / "empty", "--go", "-",
                                                  code=ERROR).stderr
    assert "No data available" in export(base, "--baseline", "-", code=ERROR).stderr


# scripts/bench-ci

def bench_ci(*options, code, patience=PATIENCE_S):
    return run(BENCH_CI, *options, code=code, patience=patience)


def test_bench_ci_help():
    out = bench_ci("--help", code=PASS)
    assert out.stdout.startswith("usage: scripts/bench-ci") and "Exit codes:" in out.stdout


@pytest.mark.parametrize("options,said", [
    (("--bogus",), "unknown option '--bogus'"), (("--rounds",), "--rounds needs a value"),
    (("--rounds", "0"), "--rounds takes a whole number from 1 to 100, not '0'"),
    (("--rounds", "x"), "--rounds takes a whole number"),
    (("--seconds", "x"), "--seconds takes a number of seconds, not 'x'"),
    (("--patterns", "dense"), "there is no 'dense'; there are: sparse pipelined"),
    (("--servers", "raw"), "there is no 'raw'; there are: relay-ws relay-wss"),
    (("--servers", ""), "--servers takes a list of"), (("a", "b"), "one revision"),
    (("--baseline", "HEAD"), "--baseline takes no revision"),
    (("--base-programs", "x", "--same"), "--same takes no --base-programs")])
def test_bench_ci_command_line(options, said):
    assert said in bench_ci(*options, code=ERROR).stderr


def test_bench_ci_unknown_revision(tmp_path):
    out = bench_ci("no-such-revision", "--programs", tmp_path, code=ERROR)
    assert "there is no revision 'no-such-revision' in this checkout" in out.stderr


def short(tmp_path, baseline):
    """A gate of seconds. Two rounds more than it needs: in so short a time on a busy machine a
    server may not get to measure anything."""
    return ("--baseline", "--programs", binary("."), "--baseline-dir", baseline, "--results",
            tmp_path / "results", "--patterns", "pipelined", "--servers", "relay-ws", "--rounds",
            "7", "--seconds", "0.2")


def doctored(tmp_path, ratio):
    """A baseline of this processor whose relay took `ratio` times the raw forwarder's CPU."""
    with open("/proc/cpuinfo") as info:
        parts = [line.split(":")[1].strip() for line in info if line.startswith(
            ("vendor_id", "cpu family", "model\t"))][:3]
    for number in range(3):
        write(tmp_path / "baseline" / "-".join(parts) / f"{number}.json", {
            "env": {"together": True}, "rows": [{
            "pattern": "pipelined", "server": "relay-ws", "connections": 100, "in_flight": 64,
            "payload_bytes": 256, "samples": [
                {"cpu_ns_per_msg": 100, "ratio_to_raw": 0.5, "cpu_ratio_to_raw": ratio * factor}
                for factor in STEADY]}]})
    return tmp_path / "baseline"


def test_bench_ci_fails_on_a_regression(tmp_path):
    out = bench_ci(*short(tmp_path, doctored(tmp_path, 0.02)), code=REGRESSION, patience=300)
    assert "**worse (confirmed by a second measurement)**" in out.stdout
    assert "measuring again: pipelined/relay-ws" in out.stderr
    assert (tmp_path / "results/table.md").read_text() == out.stdout
    assert xml.parse(tmp_path / "results/junit.xml").getroot().get("failures") == "1"


def test_bench_ci_passes(tmp_path):
    out = bench_ci(*short(tmp_path, doctored(tmp_path, 500)), code=PASS, patience=300)
    assert "### Load test: no regression" in out.stdout
    assert "| pipelined/relay-ws | cpu_ratio_to_raw |" in out.stdout
    assert len(list((tmp_path / "results/new").iterdir())) == 7


def test_bench_ci_finds_a_planted_regression(tmp_path):
    """A relay that costs a fifth more, whatever else this machine does meanwhile."""
    planted = tmp_path / "planted"
    (planted / "relay").mkdir(parents=True)
    relay = planted / "relay/sealpost-relay"
    relay.write_text(f"""#!/bin/sh
export ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0
LD_PRELOAD={binary('tests/libplant-cost.so')} SEALPOST_PLANT_PCT=20 \\
  exec {binary('relay/sealpost-relay')} "$@"
""")
    relay.chmod(0o755)
    for name in ("loadgen", "bench"):
        (planted / name).symlink_to(binary(name))
    options = ("--base-programs", binary("."), "--results", tmp_path / "results", "--patterns",
               "pipelined", "--servers", "relay-ws", "--rounds", "10", "--seconds", "0.2")
    out = bench_ci(*options, "--programs", planted, code=REGRESSION, patience=300)
    assert "measuring again: pipelined/relay-ws" in out.stderr
    assert "| cpu_ratio_to_raw |" in "".join(
        line for line in out.stdout.splitlines() if "**worse" in line)


def test_bench_ci_without_a_baseline(tmp_path):
    (tmp_path / "baseline").mkdir()
    out = bench_ci(*short(tmp_path, tmp_path / "baseline"), code=NO_BASELINE)
    assert "no baseline for this processor" in out.stderr and "--record" in out.stderr
