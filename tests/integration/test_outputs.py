"""What a run writes for other tools, read by programs that are not ours."""
import base64
import csv
import http.server
import json
import os
import resource
import struct
import subprocess
import threading
import types
import zlib

import pytest

from relay_process import PATIENCE_S, binary

QUICK = ("-c", 4, "-d", "1200ms", "--warmup", "100ms", "--progress", 0)


# That a busy machine was the limit fails no output.
FINE = (0, 112)


def run_load(relay, *options, cwd):
    done = subprocess.run([binary("loadgen/sealpost-load"), relay.url("ws"), *map(str, options),
                           "-o", "run.json"], cwd=cwd, capture_output=True, text=True,
                          timeout=30 + PATIENCE_S)
    file = cwd / "run.json"
    return types.SimpleNamespace(code=done.returncode, stdout=done.stdout, stderr=done.stderr,
                                 json=json.loads(file.read_text()) if file.exists() else None)


@pytest.fixture
def relay(start_relay):
    return start_relay("--workers", 1)


class Collector(http.server.BaseHTTPRequestHandler):
    """An OTLP/HTTP receiver that remembers what it got and answers as told."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
    server.got, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def decode_hdr(text):
    """HdrHistogram's V2 encoding → [(highest equivalent value, count)]."""
    packed = base64.b64decode(text)
    cookie, length = struct.unpack(">II", packed[:8])
    assert cookie == 0x1C849314 and length == len(packed) - 8
    plain = zlib.decompress(packed[8:])
    cookie, length, shift, digits, lowest, highest, ratio = struct.unpack(">IIIIQQd", plain[:40])
    assert (cookie, shift, digits, lowest, ratio) == (0x1C849313, 0, 3, 1, 1.0)
    assert length == len(plain) - 40
    at, index, out = 40, 0, []
    while at < len(plain):
        number = bits = 0
        for count in range(9):
            byte = plain[at]
            at += 1
            number |= (byte if count == 8 else byte & 0x7F) << bits
            bits += 7
            if count == 8 or byte < 0x80:
                break
        number = number >> 1 ^ -(number & 1)
        if number < 0:
            index -= number
            continue
        if number > 0:
            bucket, sub = (index >> 10) - 1, (index & 1023) + 1024
            if bucket < 0:
                bucket, sub = 0, sub - 1024
            out.append((((sub + 1) << bucket) - 1, number))
        index += 1
    return out


def metric_values(request):
    scope = request["resourceMetrics"][0]["scopeMetrics"][0]
    return {m["name"]: m for m in scope["metrics"]}


def test_every_output_tells_the_same(relay, collector, tmp_path):
    port = collector.server_address[1]
    result = run_load(relay, *QUICK, "--csv", tmp_path / "run.csv", "--hgrm", tmp_path / "hgrm",
                      "--hlog", tmp_path / "run.hlog", "--prometheus", tmp_path / "run.prom",
                      "--otlp", f"http://127.0.0.1:{port}", "--server-pid", relay.process.pid,
                      cwd=tmp_path)
    assert result.code in FINE, result.stderr
    response = result.json["latency_us"]["response"]
    delivered = result.json["messages"]["count"]

    rows = list(csv.DictReader(open(tmp_path / "run.csv", newline="")))
    assert len(rows) == len(result.json["intervals"]) >= 2
    # The coordinator samples beside the threads: the edges differ by what passes in a moment.
    assert sum(int(r["delivered"]) for r in rows) == pytest.approx(delivered, rel=0.05)
    assert all(float(r["server_cpu_pct"]) > 0 for r in rows[:1])

    lines = (tmp_path / "hgrm" / "response.hgrm").read_text().splitlines()
    assert lines[2].split()[1] == "0.000000000000"
    assert int([line for line in lines if line[:1] not in ("", "#")][-1].split()[2]) == response["count"]
    assert (tmp_path / "hgrm" / "seal.hgrm").exists()

    log = (tmp_path / "run.hlog").read_text().splitlines()
    tagged = {line.split(",")[0]: line.split(",") for line in log if line.startswith("Tag=")}
    histogram = decode_hdr(tagged["Tag=response"][4])
    assert sum(count for _, count in histogram) == response["count"]
    assert histogram[-1][0] / 1e3 == pytest.approx(response["max"], rel=1e-3)
    seen = 0
    for value, count in histogram:
        seen += count
        if seen >= response["count"] * 0.5:
            assert value / 1e3 == pytest.approx(response["p50"], rel=2e-3)
            break
    intervals = [line.split(",") for line in log if line[0].isdigit()]
    assert len(intervals) == len(rows)
    counted = sum(count for i in intervals for _, count in decode_hdr(i[3]))
    assert counted == pytest.approx(delivered, rel=0.05)

    prom = dict(line.rsplit(" ", 1) for line in (tmp_path / "run.prom").read_text().splitlines()
                if not line.startswith("#"))
    assert int(prom["sealpost_load_envelopes_delivered_total"]) == delivered
    assert int(prom["sealpost_load_response_seconds_count"]) == response["count"]
    assert not list(tmp_path.glob(".*")), "what was written aside has got its name"

    (path, kind, request), = collector.got
    assert path == "/v1/metrics" and kind == "application/json"
    values = metric_values(request)
    point, = values["sealpost.load.envelopes_delivered_total"]["sum"]["dataPoints"]
    assert point["asDouble"] == delivered
    point, = values["sealpost.load.response"]["histogram"]["dataPoints"]
    assert int(point["count"]) == response["count"] == sum(map(int, point["bucketCounts"]))


def test_csv_on_standard_output(relay, tmp_path):
    result = run_load(relay, *QUICK, "--csv", "-", "-q", cwd=tmp_path)
    assert result.code in FINE
    assert result.stdout.startswith("at_s,length_s,")


@pytest.mark.parametrize("option", ["--csv", "--hlog", "--prometheus", "--html"])
def test_a_place_that_cannot_be_written_is_told_before_the_run(relay, tmp_path, option):
    result = run_load(relay, *QUICK, option, tmp_path / "absent" / "file", cwd=tmp_path)
    assert result.code == 104
    assert f"file of {option}: No such file" in result.stderr
    assert len(result.stderr.splitlines()) == 1, "nothing was run"


def test_a_folder_that_cannot_be_made_fails_the_run(relay, tmp_path):
    result = run_load(relay, *QUICK, "--hgrm", tmp_path / "absent" / "file", cwd=tmp_path)
    assert result.code == 1
    assert "absent" in result.stderr and "No such file" in result.stderr


def test_files_are_written_when_nobody_reads_the_table(relay, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        subprocess.run([binary("loadgen/sealpost-load"), relay.url("ws"), *map(str, QUICK), "-o",
                        "run.json", "--csv", "run.csv"], cwd=tmp_path, stdout=writer,
                       stderr=subprocess.DEVNULL, timeout=30 + PATIENCE_S)
    finally:
        os.close(writer)
    assert json.loads((tmp_path / "run.json").read_text())["messages"]["count"] > 0
    assert (tmp_path / "run.csv").read_text().startswith("at_s,length_s,")


def test_records_on_standard_output(relay, tmp_path):
    result = run_load(relay, *QUICK, "--record", "-", "-q", cwd=tmp_path)
    assert result.code in FINE
    assert result.stdout.startswith("sender,intended_ns,sent_ns,payload_bytes\n")
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize("option", ["--csv", "--html", "--hlog", "--prometheus", "--record"])
def test_a_full_disk_is_told(relay, tmp_path, option):
    result = run_load(relay, "-c", 4, "-d", "100ms", "--warmup", 0, "-q", option, "/dev/full",
                      cwd=tmp_path)
    assert result.code == 1
    assert result.stderr.splitlines() == ["sealpost-load: /dev/full: No space left on device"]


def test_a_full_disk_under_the_result(relay):
    out = subprocess.run([binary("loadgen/sealpost-load"), relay.url(), "-c", "4", "-d", "100ms",
                          "--warmup", "0", "-q", "-o", "/dev/full"], capture_output=True,
                         text=True, timeout=30 + PATIENCE_S)
    assert out.returncode == 1
    assert out.stderr.splitlines() == ["sealpost-load: /dev/full: No space left on device"]


def without_room(*command, cwd):
    """Runs it where no file can be larger than 4 KiB: writing fails in the middle."""
    return subprocess.run(
        [binary("loadgen/sealpost-load"), *map(str, command)], cwd=cwd, capture_output=True,
        text=True, timeout=60 + PATIENCE_S, restore_signals=False,  # SIGXFSZ stays ignored
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))


def test_what_was_there_stays_when_there_is_no_room(relay, tmp_path):
    names = ("run.json", "run.html", "run.hlog", "record.csv")
    for name in (*names, "other.html", "capacity.html"):
        (tmp_path / name).write_text("before")
    done = without_room(relay.url(), "-c", 4, "-d", "1200ms", "--warmup", 0, "-q", "-o",
                        "run.json", "--html", "run.html", "--hlog", "run.hlog", "--record",
                        "record.csv", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    for name in names:
        assert f"sealpost-load: {name}: File too large\n" in done.stderr
    capacity = tmp_path / "capacity.json"
    capacity.write_text(json.dumps({"schema": "sealpost.capacity/1", "plan": {"relays": 1}}))
    done = without_room("report", capacity, "-o", "other.html", cwd=tmp_path)
    assert done.returncode == 1 and "other.html: File too large" in done.stderr
    done = without_room("capacity", relay.url(), "-q", "--plan",
                        "users=1,messages=1,peak=1,cpu_ns=1,rss_bytes=1", "--html",
                        "capacity.html", "-o", "made.json", cwd=tmp_path)
    assert done.returncode == 1 and "capacity.html: File too large" in done.stderr
    # What does fit is there.
    assert json.loads((tmp_path / "made.json").read_text())["plan"]["relays"] == 1
    for name in (*names, "other.html", "capacity.html"):
        assert (tmp_path / name).read_text() == "before"
    assert not list(tmp_path.glob(".*")), "nothing is left of what was begun"


def test_a_collector_that_refuses_is_told_and_fails_nothing(relay, collector, tmp_path):
    collector.status = 503
    port = collector.server_address[1]
    result = run_load(relay, *QUICK, "--otlp", f"http://127.0.0.1:{port}/custom/path", cwd=tmp_path)
    assert result.code in FINE
    assert "HTTP 503" in result.stderr
    assert collector.got[0][0] == "/custom/path"


def test_a_collector_that_is_absent_is_told_and_fails_nothing(relay, tmp_path):
    result = run_load(relay, *QUICK, "--otlp", "http://127.0.0.1:1/", cwd=tmp_path)
    assert result.code in FINE
    assert "--otlp: http://127.0.0.1:1/v1/metrics" in result.stderr


def test_a_collector_of_another_kind_is_refused(relay, tmp_path):
    result = run_load(relay, "--otlp", "ftp://127.0.0.1", cwd=tmp_path)
    assert result.code == 104
    assert "--otlp takes http://" in result.stderr
