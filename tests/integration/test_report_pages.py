"""The pages in a real browser: what they show is what the result says, and they ask for nothing."""
import json
import os
import re
import subprocess

import pytest

from browser import Browser
from relay_process import PATIENCE_S, binary, eventually
from test_load import Load, load  # noqa: F401  (a fixture)

SCALE = {"": 1, "/s": 1, "ns": 1e-3, "µs": 1, "ms": 1e3, "s": 1e6}


@pytest.fixture(scope="module")
def browser():
    started = Browser()
    yield started
    started.close()


def number(text):
    """A figure of the page, in µs if it is a time."""
    found = re.match(r"([\d,.]+)\s*(/s|ns|µs|ms|s|)", text.replace("\u00a0", " "))
    assert found, f"not a figure: {text!r}"
    return float(found[1].replace(",", "")) * SCALE[found[2]]


def plain(text):
    return text.replace("\u00a0", " ")


def is_close(text, value):
    """The page has three digits."""
    return abs(number(text) - value) <= 0.006 * abs(value) + 0.006


async def tile(page, name):
    return await page.run(f"document.querySelector('#tile-{name} dd').innerText")


async def keep_picture(page, name):
    directory = os.environ.get("SEALPOST_SCREENSHOTS")
    if directory:
        await page.screenshot(f"{directory}/{name}.png")


def make_page(directory, *documents):
    files = []
    for i, document in enumerate(documents):
        files.append(directory / f"document-{i}.json")
        files[-1].write_text(json.dumps(document))
    page = directory / "page.html"
    subprocess.run([binary("loadgen/sealpost-load"), "report", *files, "-o", page], check=True,
                   timeout=PATIENCE_S)
    return page


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """(result, page) of one run with everything measured."""
    from relay_process import Relay
    directory = tmp_path_factory.mktemp("measured")
    (directory / "relay").mkdir()
    relay = Relay(directory / "relay", "--workers", 1)
    try:
        run = Load(directory, relay.url(), "-c", 20, "-r", 2000, "-d", "3", "--warmup", "300ms",
                   "--server-pid", relay.process.pid, "--html", directory / "run.html")
        document = run.passed()
    finally:
        relay.stop()
    return document, directory / "run.html"


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
async def test_saved_page(browser, measured, look):
    document, file = measured
    how = {"light": {}, "dark": {"dark": True}, "narrow": {"width": 390, "height": 844}}[look]
    async with browser.page(**how) as page:
        await page.open(f"file://{file}")
        await page.until("document.querySelectorAll('figure > svg path').length >= 4")
        latency = document["latency_us"]
        assert is_close(await tile(page, "rate"), document["messages"]["per_s"])
        assert is_close(await tile(page, "p50"), latency["response"]["p50"])
        assert is_close(await tile(page, "p99"), latency["response"]["p99"])
        assert number(await tile(page, "delivery")) == 0
        assert is_close(await tile(page, "cost"), document["server"]["cpu_ns_per_msg"] / 1e3)
        await keep_picture(page, look)
        # Nothing is wider than the screen.
        assert await page.run("document.documentElement.scrollWidth <= innerWidth")
        assert page.errors == []
        assert page.requests == [f"file://{file}", "data:,"] or page.requests == [f"file://{file}"]


async def test_saved_page_has_every_figure(browser, measured):
    document, file = measured
    async with browser.page() as page:
        await page.open(f"file://{file}")
        compare = await page.table("#compare")
        assert compare[0][1:] == ["Response", "Uncorrected"]
        for row, key in zip(compare[1:], ("count", "mean", "p50", "p90", "p99", "p99_9",
                                          "p99_99", "max"), strict=True):
            for cell, line in zip(row[1:], ("response", "uncorrected"), strict=True):
                value = document["latency_us"][line][key]
                assert cell == "too few samples" if value is None else is_close(cell, value)
        # 6,000 samples: p99.99 would be a guess.
        assert compare[7] == ["p99.99", "too few samples", "too few samples"]
        ledger = {row[0].split()[0].lower(): number(row[1])
                  for row in (await page.table("#delivery"))[1:]}
        delivery = document["delivery"]
        assert ledger["sent"] == ledger["received"] == delivery["expected"] > 0
        assert ledger["lost"] == ledger["duplicate"] == ledger["reordered"] == 0
        over_time = await page.run("document.querySelector('#throughput-time table').rows.length")
        assert over_time == 1 + len(document["intervals"])
        last = (await page.run("document.querySelector('#curve tbody').lastElementChild"
                               ".textContent"))
        assert last.startswith(f"{document['latency_us']['response']['curve'][-1][0]:.5f}"
                               .rstrip("0").rstrip("."))
        budget = await page.table("#budget")
        assert budget[-1][0] == "Response, mean"
        assert is_close(budget[-1][1], sum(number(row[1]) for row in budget[1:-1]))
        everything = await page.text("main")
        assert document["env"]["kernel"] in everything and document["env"]["cpu"] in everything
        assert document["generator"]["verdict"] in await page.text("#head")
        assert f"exit code {document['exit_code']}" in await page.text("#head")
        assert document["run"]["id"] in await page.text("#foot")


async def test_saved_page_by_keyboard(browser, measured):
    _, file = measured
    async with browser.page() as page:
        await page.open(f"file://{file}")
        await page.until("!!document.querySelector('#latency-time figure > svg path')")
        await page.run("document.querySelector('#latency-time figure > svg').focus()")
        for _ in range(2):
            await page.send("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
        shown = await page.text("#latency-time .tip")
        assert "1.5 s" in shown and "p50" in shown and "p99" in shown
        # Charts have a name and the same figures as a table.
        assert await page.run("[...document.querySelectorAll('figure > svg')].every((chart) => "
                              "chart.getAttribute('role') === 'img' && "
                              "chart.getAttribute('aria-label').length > 30)")
        await page.run("document.querySelector('#latency-time details').open = true")
        assert (await page.text("#latency-time table")).startswith("From")


HOSTILE = ("</script><script>window.owned = 1</script>", "<!--<script>window.owned = 2",
           "<img src=x onerror='window.owned = 3'>", "\u2028window.owned = 4\u2029",
           "{{script}}", "\\u003c\"'&lt;b&gt;")


async def test_hostile_text_stays_text(browser, measured, tmp_path):
    document = json.loads(json.dumps(measured[0]))
    text = " ".join(HOSTILE)
    document["run"]["argv"] = list(HOSTILE)
    document["run"]["failure"] = document["run"]["config"]["url"] = text
    document["generator"].update(verdict=text, reasons=list(HOSTILE))
    document["delivery"].update(lost=1, first_disconnect=text)
    document["env"].update(cpu=text, shortcuts=list(HOSTILE))
    document["thresholds"] = [{"text": text, "ok": False, "reason": text}]
    document["stages"] = [{"name": text, text: {text: 1}}]
    document["latency_us"]["<b>"] = document["latency_us"]["response"]
    page_file = make_page(tmp_path, document)
    assert "</script><script>window" not in page_file.read_text()
    async with browser.page() as page:
        await page.open(f"file://{page_file}")
        await page.until("document.querySelectorAll('figure > svg path').length >= 4")
        assert await page.run("window.owned === undefined")
        assert await page.run("document.querySelectorAll('main img, main script, main b, head img')"
                              ".length") == 0
        assert await page.run("document.scripts.length") == 3
        seen = await page.run("document.querySelector('#failure').textContent")
        assert text in seen, seen
        for reason in HOSTILE:
            reasons = await page.run("[...document.querySelectorAll('#generator li')]"
                                     ".map((item) => item.textContent)")
            assert reason in reasons
        assert page.errors == [] and len(page.requests) <= 2


async def test_hostile_file_name_in_argv(relay, browser, tmp_path):
    directory = tmp_path / "<" / "script><img src=x onerror=window.owned=1>"
    directory.mkdir(parents=True)
    # A byte that is not UTF-8 has no place in JSON.
    log = os.fsencode(directory) + b"/caf\xe9.json"
    subprocess.run([binary("loadgen/sealpost-load"), relay.url(), "-c", "2", "-d", "300ms",
                    "--warmup", "0", "-q", "--html", tmp_path / "page.html", "-o", log],
                   timeout=60, check=False)
    with open(log) as file:
        argv = json.load(file)["run"]["argv"]
    assert any(word.endswith("onerror=window.owned=1>/caf?.json") for word in argv)
    async with browser.page() as page:
        await page.open(f"file://{tmp_path / 'page.html'}")
        assert "<img src=x onerror=window.owned=1>/caf?.json" in await page.text("#environment")
        assert await page.run("window.owned === undefined && !document.querySelector('img')")
        assert page.errors == []


def trial(rate_per_s, achieved_per_s, p99_us, ok, **more):
    return {"phase": "grow", "rate_per_s": rate_per_s, "offered_per_s": rate_per_s,
            "achieved_per_s": achieved_per_s, "ok": ok, "p50_us": p99_us / 4, "p99_us": p99_us,
            "result": "pass" if ok else "the objective was missed", "verdict": "ok",
            "server_cpu_ns_per_msg": 900.0, "reason": None, **more}


def size(n, per_s, **more):
    return {"n": n, "per_s": per_s, "excluded": False, "p50_us": 100.0, "p99_us": None,
            "verdict": "ok", "server_cpu_ns_per_msg": 900.0, "reason": None, **more}


CAPACITY = {
    "schema": "sealpost.capacity/1", "slo": "response:p(99)<20ms", "exit_code": 0,
    "run": {"started": "2026-01-01T00:00:00Z", "version": "9.9", "url": "ws://relay:1",
            "argv": ["sealpost-load capacity", "--slo", "p99<20ms"]},
    "env": {"cpu": "A processor", "cores": 2, "colocated": True},
    "capacity": {"rate_per_s": 84200, "lower": 81900, "upper": 86100, "samples": 3,
                 "offered_per_s": 84300, "failed_per_s": 106000, "limited_by": "relay",
                 "at_least": False, "confirmed": True},
    "trials": [
        trial(4000, 3990, 1480, True), trial(84300, 84200, 9480, True),
        trial(106000, 91000, 148000, False, reason="response is 148 ms"),
        trial(200000, 120000, 500000, False, result="the generator was the limit",
              verdict="limited", reason="the schedule was noticed late")],
    "sweep": {"over": "workers",
              "points": [size(1, 95000), size(2, 178000), size(4, 301000),
                         size(8, 360000, excluded=True, verdict="limited")],
              "fit": {"meaningful": True, "lambda": 95600, "sigma": 0.052, "kappa": 0.0031,
                      "r2": 0.9987, "peak_n": 17.5, "peak_per_s": 596000, "residual_rms": 0.012,
                      "residuals": [-600, 1210, 500, 0]}},
    "rss_bytes_per_idle_conn": 1120.0,
    "plan": {"asked": {"users": 1000000, "messages_a_day": 40, "peak_factor": 10, "online": 1,
                       "headroom": 0.6, "cores": 4, "memory_bytes": 8 << 30,
                       "descriptors": 1048576, "nic_bits_per_s": 1e10},
             "peak_per_s": 4629.63, "connections": 1000000, "relays": 3, "breaks_first": "memory",
             "cores": 0.023, "memory_bytes": 2185000000, "bits_per_s": 14666666.7,
             "relays_by": {"processors": None, "memory": 2.4, "descriptors": 0.95,
                           "network": 0.002},
             "arithmetic": {"peak rate": "1000000 users x 40 messages / 86400 s x 10 = 4630",
                            "memory": "1000000 connections x 5540 B = 2.40 relays"}},
}


async def test_run_that_did_not_begin(browser, tmp_path):
    file = tmp_path / "page.html"
    out = subprocess.run([binary("loadgen/sealpost-load"), "ws://127.0.0.1:1", "-c", "2", "-q",
                          "--html", file], capture_output=True, timeout=PATIENCE_S)
    assert out.returncode == 113
    async with browser.page() as page:
        await page.open(f"file://{file}")
        assert "Connection refused" in await page.text("#failure")
        assert "exit code 113" in await page.text("#head")
        # No zeros that look measured.
        assert not await page.run("!!document.querySelector('.tile, #generator, #delivery')")
        assert page.errors == []


@pytest.mark.parametrize("mode", ["handshake", "idle"])
async def test_other_modes(browser, relay, tmp_path, mode):
    file = tmp_path / "page.html"
    subprocess.run([binary("loadgen/sealpost-load"), relay.url(), "-m", mode, "-c", "10", "-d",
                    "1", "--warmup", "0", "-q", "--server-pid", str(relay.process.pid), "--html",
                    file], check=True, timeout=60)
    async with browser.page() as page:
        await page.open(f"file://{file}")
        head = await page.text("#head")
        if mode == "idle":
            assert "10 idle connections" in head and "Relay memory" in head
            assert not await page.run("!!document.querySelector('#throughput-time, #budget')")
        else:
            assert "10 users, handshakes" in head and "Handshake, p50" in head
            assert (await page.table("#compare"))[0] == ["", "Handshake"]
        assert page.errors == []


def test_page_on_standard_output(relay, tmp_path):
    command = [binary("loadgen/sealpost-load"), relay.url(), "-c", "2", "-d", "300ms", "--warmup",
               "0", "--progress", "0", "--html", "-"]
    out = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert out.stdout.startswith("<!doctype html>") and out.stdout.endswith("</html>\n")
    assert "envelopes" in out.stderr  # the table makes room
    out = subprocess.run([*command, "-o", "-"], capture_output=True, text=True, timeout=60)
    assert out.returncode == 104 and "only one of the files" in out.stderr
    out = subprocess.run([*command[:-1], tmp_path / "no" / "page"], capture_output=True, text=True,
                         timeout=60)
    assert out.returncode == 104 and "No such file" in out.stderr


def test_wrong_documents(tmp_path):
    def make(*files):
        out = subprocess.run([binary("loadgen/sealpost-load"), "report", *files],
                             capture_output=True, text=True, timeout=PATIENCE_S)
        return out.returncode, out.stderr

    good, page = tmp_path / "good.json", tmp_path / "page.html"
    good.write_text(json.dumps(CAPACITY))
    for content, words in [("{", "unexpected"), ("[]", "schema is missing"),
                           ('{"schema": "sealpost.load/9"}', "does not know")]:
        bad = tmp_path / "bad.json"
        bad.write_text(content)
        code, error = make(bad, "-o", page)
        assert code == 104 and str(bad) in error and words in error
    assert make(tmp_path / "none.json", "-o", page)[0] == 104
    assert "second one of its kind" in make(good, good, "-o", page)[1]
    assert "with -o" in make(good)[1] and "result is missing" in make("-o", page)[1]
    assert "is too much" in make(good, good, good, "-o", page)[1]
    assert not page.exists()
    code, error = make(good, "-o", "/dev/full")
    assert code == 1 and "No space left" in error


async def marks(page, chart):
    """How many marks of each shape a chart has."""
    shapes = await page.run(f"[...document.querySelectorAll('[data-chart={chart}] [data-mark]')]"
                            ".map((mark) => mark.dataset.mark)")
    return {shape: shapes.count(shape) for shape in set(shapes)}


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "with a run"])
async def test_capacity(browser, measured, tmp_path, alone):
    file = make_page(tmp_path, *([] if alone else [measured[0]]), CAPACITY)
    async with browser.page() as page:
        await page.open(f"file://{file}")
        await page.until("document.querySelectorAll('[data-chart=sweep] [data-mark]').length > 0")
        banner = await page.text("#capacity .banner")
        assert banner.startswith("84,200/s with response:p(99)<20ms.")
        assert "81,900/s to 86,100/s" in banner and "Limited by the relay: 106,000/s" in banner
        # Held, missed, and what says nothing about the relay: each has a shape of its own.
        for chart in ("capacity-p99_us", "capacity-achieved_per_s"):
            assert await marks(page, chart) == {"dot": 2, "cross": 1, "diamond": 1}
        names = await page.run("[...document.querySelectorAll('[data-chart=capacity-p99_us] text')]"
                               ".map((text) => text.textContent)")
        assert {"objective: 20 ms", "capacity 84.2 k/s", "p99 of the response",
                "offered, envelopes a second"} <= set(names)
        trials = await page.table("#capacity")
        assert [row[-2] for row in trials[1:]] == ["✓ yes", "✓ yes", "✗ no", "✗ no"]
        assert trials[3][-1].split("\n") == ["the objective was missed", "response is 148 ms"]
        assert "the generator was the limit" in trials[4][-1]
        assert bool(await page.text("#latency-time")) != alone
        if alone:
            assert "done · exit code 0" in await page.text("#head")
            assert number(await tile(page, "capacity")) == 84200
            assert await tile(page, "relays") == "3" and await tile(page, "breaks") == "memory"
            assert number(await tile(page, "peak")) == 596000
            assert "A processor" in await page.text("#environment")
        assert page.errors == []
        await keep_picture(page, f"capacity-{alone}")


async def test_sweep(browser, tmp_path):
    async with browser.page() as page:
        await page.open(f"file://{make_page(tmp_path, CAPACITY)}")
        await page.until("document.querySelectorAll('[data-chart=residuals] [data-mark]')"
                         ".length > 0")
        assert await marks(page, "sweep") == {"dot": 3, "diamond": 1}
        assert await marks(page, "residuals") == {"dot": 3}
        for chart in ("sweep", "residuals"):
            assert await page.run(f"document.querySelectorAll('[data-chart={chart}] .stick')"
                                  ".length") == 3
        # The peak lies beyond what was measured and is drawn only as far as twice that.
        assert not await page.run("!!document.querySelector('[data-chart=sweep] .edge')")
        fit = {row[0]: row[1:] for row in (await page.table("#sweep"))[1:]}
        assert fit["λ"][0] == "95,600/s" and "one worker" in fit["λ"][1]
        assert fit["σ"][0] == "0.052" and fit["κ"][0] == "0.0031"
        assert fit["Peak"] == ["596,000/s", "at 17.5 workers"] and fit["Residuals"][0] == "1.2 %"
        points = await page.table("#sweep .scroll[aria-label=Sweep]")
        assert points[0][:5] == ["Workers", "Measured", "Fitted", "Residual", "Share"]
        curve = [95600 * n / (1 + 0.052 * (n - 1) + 0.0031 * n * (n - 1)) for n in (1, 2, 4)]
        for row, n, measured_per_s, fitted in zip(points[1:], (1, 2, 4), (95000, 178000, 301000),
                                                  curve):
            assert row[0] == str(n) and is_close(row[1], measured_per_s)
            assert is_close(row[2], fitted)
            sign = "+" if measured_per_s > fitted else "−"
            assert row[3][0] == row[4][0] == sign
            assert abs(number(row[3][1:]) - abs(measured_per_s - fitted)) < 10
        assert points[4][3:5] == ["", ""] and points[4][-1] == "left out of the fit"
        assert page.errors == []


async def test_sweep_without_a_curve(browser, tmp_path):
    document = json.loads(json.dumps(CAPACITY))
    document["sweep"]["fit"] = {"meaningful": False, "reason": "it needs 4 sizes"}
    async with browser.page() as page:
        await page.open(f"file://{make_page(tmp_path, document)}")
        assert await page.text("#sweep .banner") == "No curve was fitted.\nit needs 4 sizes."
        assert not await page.run("!!document.querySelector('[data-chart=residuals]')")
        assert (await page.table("#sweep"))[0][:2] == ["Workers", "Measured"]
        assert page.errors == []


async def test_plan(browser, tmp_path):
    async with browser.page() as page:
        await page.open(f"file://{make_page(tmp_path, CAPACITY)}")
        assert plain(await page.text("#plan .banner")).split("\n") == [
            "3 relays for 1,000,000 users; memory breaks first.",
            "At the peak the memory of each is used to 80.0 % of what may be used."]
        rows = await page.table("#plan")
        assert [row[:2] for row in rows[1:]] == [
            ["Memory breaks first", "2.40"], ["Descriptors", "0.95"], ["Network", "under 0.01"],
            ["Processors", "not measured"]]
        assert rows[1][3] == "1,000,000 connections × 5540 B = 2.40 relays"
        text = plain(await page.text("#plan"))
        for words in ("10 times the day’s mean", "10.0 Gbit/s", "8.00 GiB", "4,630/s",
                      "14.7 Mbit/s", "60.0 %", "1,000,000 users × 40 messages"):
            assert words in text, text
        assert page.errors == []


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """(document, page) of a short search, a sweep and a plan against a relay."""
    from relay_process import Relay
    directory = tmp_path_factory.mktemp("found")
    (directory / "relay").mkdir()
    relay = Relay(directory / "relay", "--workers", 1)
    try:
        subprocess.run(
            [binary("loadgen/sealpost-load"), "capacity", relay.url(), "-q", "--slo", "p99<20s",
             "--start-rate", "2000", "--max-rate", "8000", "--repeats", "2", "-c", "16", "-d",
             "500ms", "--warmup", "0", "--drain", "1", "--sweep", "connections=2,4,8,16,32",
             "--server-pid", str(relay.process.pid), "--plan",
             "users=1e6,messages=40,peak=10,cores=4,memory=8GiB,rss_bytes=1120",
             "-o", directory / "capacity.json", "--html", directory / "capacity.html"],
            check=True, timeout=120)
    finally:
        relay.stop()
    return json.loads((directory / "capacity.json").read_text()), directory / "capacity.html"


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
async def test_measured_capacity(browser, found, look):
    document, file = found
    how = {"light": {}, "dark": {"dark": True}, "narrow": {"width": 390, "height": 844}}[look]
    async with browser.page(**how) as page:
        await page.open(f"file://{file}")
        await page.until("document.querySelectorAll('[data-chart=sweep] [data-mark]').length > 0")
        answer = document["capacity"]
        assert is_close(await tile(page, "capacity"), answer["rate_per_s"])
        assert "Limited by --max-rate" in await page.text("#capacity .banner")
        trials = (await page.table("#capacity"))[1:]
        assert len(trials) == len(document["trials"])
        assert sum((await marks(page, "capacity-achieved_per_s")).values()) == len(trials)
        points = (await page.table("#sweep .scroll[aria-label=Sweep]"))[1:]
        for row, point in zip(points, document["sweep"]["points"], strict=True):
            assert row[0] == str(point["n"]) and is_close(row[1], point["per_s"])
        assert "curve" in (await page.text("#sweep")).lower()
        fit = document["sweep"]["fit"]
        assert await page.run("!!document.querySelector('[data-chart=residuals]')") == \
            fit["meaningful"]
        plan = document["plan"]
        first = (await page.table("#plan"))[1]
        assert first[0] == f"{plan['breaks_first'].capitalize()} breaks first"
        assert is_close(first[1], plan["relays_by"][plan["breaks_first"]])
        assert "1,000,000 users" in await page.text("#plan .banner")
        assert document["env"]["cpu"] in await page.text("#environment")
        await keep_picture(page, f"capacity-{look}")
        assert await page.run("document.documentElement.scrollWidth <= innerWidth")
        assert page.errors == []


async def test_sections_fit_their_names(browser, found, measured, tmp_path):
    """No two texts of a chart cover each other, wide or narrow."""
    document = json.loads(json.dumps(measured[0]))
    document["stages"] = [{"name": f"stage {i}", "kind": "hold", "at_s": 0.2 * i, "length_s": 0.2}
                          for i in range(14)]
    file = make_page(tmp_path, document, found[0])
    overlapping = """[...document.querySelectorAll('figure > svg')].flatMap((chart) => {
      const boxes = [...chart.querySelectorAll('text')].map((text) =>
        [chart.dataset.chart, text.textContent, text.getBoundingClientRect()]);
      return boxes.flatMap(([key, a, r], i) => boxes.slice(i + 1).filter(([, , s]) =>
        Math.min(r.right, s.right) - Math.max(r.left, s.left) > 1 &&
        Math.min(r.bottom, s.bottom) - Math.max(r.top, s.top) > 3).map(([, b]) => [key, a, b]));
    })"""
    for width in (1280, 700, 390):
        async with browser.page(width=width) as page:
            await page.open(f"file://{file}")
            await page.until("document.querySelectorAll('[data-chart=sweep] text').length > 4")
            assert await page.run(overlapping) == []


async def test_members_of_other_parts(browser, measured, tmp_path):
    """Stages, groups, objectives and the budget, as other parts write them."""
    document = json.loads(json.dumps(measured[0]))
    document["budget"] = {"count": 10, "response_us": 100.0, "schedule_lag_us": 10.0,
                          "send_queue_us": 5.0, "seal_us": 5.0, "socket_queue_us": 10.0,
                          "server_network_us": 65.0, "open_us": 5.0, "unattributed_us": 0.0}
    document["stages"] = [
        {"name": "calm", "kind": "hold", "at_s": 0.0, "length_s": 1.0, "from_per_s": 1000.0,
         "to_per_s": 1000.0, "burst": None, "offered": 1000, "not_sent": 0,
         "latency_us": {"response": {"count": 1000, "p50": 210.0, "p99": None, "max": 900.0}}},
        {"name": "climb", "kind": "ramp", "at_s": 1.0, "length_s": 2.0, "from_per_s": 1000.0,
         "to_per_s": 4000.0, "burst": None, "offered": 5000, "not_sent": 3,
         "latency_us": {"response": {"count": 4997, "p50": 220.0, "p99": 1900.0, "max": 2000.0}}}]
    document["groups"] = [{"name": "chat", "behaviour": "pairs", "users": 20, "sent": 1000,
                           "storms": 0, "lost": 0, "latency_us": {
                               "response": {"count": 10, "p50": 5.0, "p99": None, "max": 9.0},
                               "drain": {"count": 0, "p50": None, "p99": None, "max": None}}}]
    document["thresholds"] = [
        {"text": "response:p(99)<20ms", "metric": "response", "limit": 20000.0, "value": 21500.0,
         "unit": "us", "ok": False, "reason": "response is 21.5 ms"},
        {"text": "lost:count==0", "metric": "lost", "limit": 0.0, "value": 0.0, "unit": "",
         "ok": True, "reason": None}]
    document["aborted_by"] = "response:p(99)<20ms"
    document["exit_code"] = 99
    file = make_page(tmp_path, document)
    async with browser.page() as page:
        await page.open(f"file://{file}")
        await page.until("document.querySelectorAll('figure > svg path').length >= 4")
        budget = await page.table("#budget")
        assert [row[2] for row in budget[1:]] == ["10.0 %", "5.0 %", "5.0 %", "10.0 %", "65.0 %",
                                                  "5.0 %", "100 %"]
        assert await page.table("#stages") == [
            ["Name", "Kind", "At", "Length", "From", "To", "Offered", "Not sent", "p50", "p99",
             "Longest"],
            ["calm", "hold", "0 s", "1.00 s", "1,000/s", "1,000/s", "1,000", "0", "210 µs",
             "too few samples", "900 µs"],
            ["climb", "ramp", "1.00 s", "2.00 s", "1,000/s", "4,000/s", "5,000", "3", "220 µs",
             "1.90 ms", "2.00 ms"]]
        edges = await page.run("[...document.querySelectorAll('#latency-time .edge-name')]"
                               ".map((name) => name.textContent)")
        assert edges == ["calm", "climb"]
        # What is zero everywhere is left out, but for what was lost.
        assert await page.table("#groups") == [
            ["Name", "Behaviour", "Users", "Sent", "Lost", "p50", "p99", "Longest"],
            ["chat", "pairs", "20", "1,000", "0", "5.00 µs", "too few samples", "9.00 µs"]]
        assert await page.table("#thresholds") == [
            ["Objective", "Limit", "Measured", "Met", ""],
            ["response:p(99)<20ms", "20.0 ms", "21.5 ms", "✗ no", "response is 21.5 ms"],
            ["lost:count==0", "0", "0", "✓ yes", ""]]
        head = await page.text("#head")
        assert "1 of 2 objectives missed" in head and "an objective was missed" in head
        assert "Ended early by an objective." in head
        assert page.errors == []


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """(result, page) of a run that two processes made."""
    from relay_process import Relay
    directory = tmp_path_factory.mktemp("shared")
    (directory / "relay").mkdir()
    relay = Relay(directory / "relay", "--workers", 1)
    try:
        run = Load(directory, relay.url(), "-c", 16, "-r", 2800, "-d", "1", "--warmup", "0",
                   "--processes", 2, "-t", 2, "--html", directory / "run.html")
        document = run.passed()
    finally:
        relay.stop()
    return document, directory / "run.html"


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
async def test_agents(browser, shared, look):
    document, file = shared
    how = {"light": {}, "dark": {"dark": True}, "narrow": {"width": 390, "height": 844}}[look]
    async with browser.page(**how) as page:
        await page.open(f"file://{file}")
        await page.until("!!document.querySelector('#agents table')")
        assert "2 agents" in await page.text("#head")
        head, *rows = await page.table("#agents")
        assert head == ["Name", "Threads", "Connections", "Offered", "Delivered", "p50", "p99",
                        "Busiest thread", "Verdict"]
        for row, agent in zip(rows, document["agents"], strict=True):
            assert row[:3] == [agent["name"], "2", str(agent["connections"])]
            assert is_close(row[3], agent["rate_per_s"]) and is_close(row[4], agent["per_s"])
            assert is_close(row[5], agent["response_p50_us"])
            assert is_close(row[6], agent["response_p99_us"])
            assert number(row[7]) == pytest.approx(max(agent["busy_pct_per_thread"]), abs=0.06)
            assert row[8] == agent["verdict"]
        threads = await page.run("[...document.querySelectorAll('#generator .bars > span')]"
                                 ".map((cell) => cell.textContent)")
        assert threads[::3] == [f"process {p}, thread {t}" for p in (1, 2) for t in (0, 1)]
        await keep_picture(page, f"agents-{look}")
        assert await page.run("document.documentElement.scrollWidth <= innerWidth")
        assert page.errors == []


async def test_agents_that_suffered(browser, shared, tmp_path):
    """Reasons, faults and what an agent did not tell are said in its name."""
    document = json.loads(json.dumps(shared[0]))
    first, second = document["agents"]
    first.update(verdict="limited", lost=2, reasons=["5 loop turns of over 100 ms"],
                 response_p99_us=None, connected=7)
    document["agents"][1] = {"name": "b.example:8087", "threads": 2, "connections": 10,
                             "rate_per_s": 1200.0, "has_result": False,
                             "failure": "<b>disappeared</b>"}
    async with browser.page() as page:
        await page.open(f"file://{make_page(tmp_path, document)}")
        head, *rows = await page.table("#agents")
        assert head[7:] == ["Faults", "Busiest thread", "Verdict"]
        assert rows[0][2] == "7 of 8" and rows[0][6:8] == ["too few samples", "2"]
        assert rows[0][9] == "limited"
        assert rows[1] == ["b.example:8087", "2", "10", "1,200/s", "", "", "", "0", "",
                           "no result"]
        assert await page.run("document.querySelectorAll('#agents tr.fault').length") == 2
        said = await page.run("[...document.querySelectorAll('#agents li')]"
                              ".map((item) => item.textContent)")
        assert said == ["process 1 5 loop turns of over 100 ms",
                        "b.example:8087 <b>disappeared</b>"]
        assert page.errors == []


async def test_live_agents(relay, browser, load):  # noqa: F811
    run = load(relay.url(), "-c", 20, "-r", 1000, "-d", "5", "--warmup", "0", "--web", 0,
               "--processes", 2)
    url = eventually(lambda: re.search(r"live at (http://127\.0\.0\.1:\d+/)\n", run.log()),
                     what="the live page's address")[1]
    async with browser.page() as page:
        await page.open(url)
        await page.until("[...document.querySelectorAll('#agents tbody tr')].filter((row) => "
                         "row.innerText.includes('measuring')).length === 2")
        # Both have told something of their own.
        await page.until("[...document.querySelectorAll('#agents tbody tr')].every((row) => "
                         "/\\d\\/s[^]*\\d\\/s[^]*(µs|ms)/.test(row.innerText))")
        head, *rows = await page.table("#agents")
        assert head == ["Name", "Threads", "Connections", "Offered", "Delivered", "p50", "p99",
                        "Busiest thread", "State"]
        assert [row[:4] for row in rows] == [[f"process {i}", "1", "10", "500/s"] for i in (1, 2)]
        await keep_picture(page, "agents-live")
        await page.until("document.querySelector('#head').innerText.includes('exit code')")
        document = run.result()
        rows = (await page.table("#agents"))[1:]
        assert [row[-1] for row in rows] == [agent["verdict"] for agent in document["agents"]]
        assert is_close(rows[1][4], document["agents"][1]["per_s"])
        assert page.errors == []


async def test_live_page(relay, browser, load):  # noqa: F811
    run = load(relay.url(), "-c", 20, "-r", 1000, "-d", "5", "--warmup", "0", "--web", 0,
               "--server-pid", relay.process.pid)
    url = eventually(lambda: re.search(r"live at (http://127\.0\.0\.1:\d+/)\n", run.log()),
                     what="the live page's address")[1]
    async with browser.page() as page:
        await page.open(url)
        await page.until("document.querySelector('#live-phase')?.innerText === 'measuring'")
        await page.until("!!document.querySelector('#tile-rate')")
        first = await page.run("document.querySelector('#tile-rate').innerText")
        await page.until(f"document.querySelector('#tile-rate').innerText !== {json.dumps(first)}")
        await page.until("document.querySelectorAll('#latency-time tbody tr').length >= 2")
        await keep_picture(page, "live")
        assert await page.run("document.querySelector('#live-chip').innerText") == "live"
        # The run's end: the final result, with what is known only then.
        await page.until("document.querySelector('#head').innerText.includes('exit code')")
        document = run.result()
        assert f"exit code {document['exit_code']}" in await page.text("#head")
        assert is_close(await tile(page, "rate"), document["messages"]["per_s"])
        assert is_close(await tile(page, "p50"), document["latency_us"]["response"]["p50"])
        assert not await page.run("document.querySelector('#live-chip')")
        assert page.errors == []
        assert {request.removeprefix(url) for request in page.requests} <= {"", "events", "data:,"}
