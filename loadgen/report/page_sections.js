// The parts of the page, each from the member of the result it shows; null when that is not there.

const LINES = [["p50_us", "p50", "var(--c1)"], ["p90_us", "p90", "var(--c2)"], ["p99_us", "p99", "var(--c3)"], ["p99_9_us", "p99.9", "var(--c4)"]];
const seconds = (s) => s < 60 ? `${Number(s.toFixed(2))} s` : clock(s);
const middle = (interval) => interval.at_s + interval.length_s / 2;

function part(id, title, about, ...children) {
  return el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), about ? el("p", { class: "about" }, about) : null, children);
}

function time_axis(result) {
  const last = result.intervals.at(-1);
  return { min: 0, max: last.at_s + last.length_s, name: "time in the measured window", format: seconds, tip: (x) => `at ${seconds(x)}` };
}

function stage_edges(result) {
  return (result.stages || []).filter((s) => is_number(s.at_s)).map((s) => ({ x: s.at_s, name: s.name || "" }));
}

function what_is_counted(result) {
  return result.run && result.run.config && result.run.config.mode === "handshake" ? "handshakes" : "envelopes";
}

function main_histogram(result) {
  const latencies = result.latency_us || {};
  return what_is_counted(result) === "handshakes" && latencies.handshake ? latencies.handshake : latencies.response;
}

function latency_over_time(result) {
  const list = result.intervals || [];
  if (!list.some((i) => is_number(i.p50_us))) return null;
  const lines = LINES.filter(([key]) => list.some((i) => is_number(i[key])));
  const hidden = LINES.filter(([key]) => !list.some((i) => is_number(i[key]))).map(([, name]) => name);
  const columns = ["From", "Length", "p50", "p90", "p99", "p99.9", "Longest"].map((name) => ({ name }));
  const rows = list.map((i) => [seconds(i.at_s), seconds(i.length_s), ...["p50_us", "p90_us", "p99_us", "p99_9_us", "max_us"].map((key) => or_few(i[key], latency))]);
  return part("latency-time", "Latency over time", "Percentiles of each interval. Their resolution is 7\u00a0%; the figures of the whole run below are exact to three digits.",
    line_chart({
      key: "latency-time", ends: true, height: 290, edges: stage_edges(result), x: time_axis(result), y: { name: "latency", format: short_latency, tip: latency },
      label: `Line chart of latency over time: ${lines.map(([, name]) => name).join(", ")} of ${list.length} intervals. The table below has the figures.`,
      series: lines.map(([key, name, color]) => ({ name, color, points: list.map((i) => [middle(i), i[key]]) })),
      table: table(columns, rows, { tall: true, label: "Latency over time" }),
    }), hidden.length > 0 ? el("p", { class: "note" }, `Not drawn: ${hidden.join(", ")} (${TOO_FEW} in an interval).`) : null);
}

function throughput_over_time(result) {
  const list = result.intervals || [];
  if (!list.some((i) => i.count > 0 || i.sent > 0)) return null;
  const what = what_is_counted(result);
  const rate = (i, key) => is_number(i[key]) && i.length_s > 0 ? i[key] / i.length_s : null;
  const series = [{ name: what === "envelopes" ? "delivered" : "completed", color: "var(--c1)", area: true, points: list.map((i) => [middle(i), i.per_s]) }];
  if (what === "envelopes" && list.some((i) => i.sent > 0)) series.unshift({ name: "sent", color: "var(--c7)", dash: "5 4", points: list.map((i) => [middle(i), rate(i, "sent")]) });
  for (const [key, color] of [["refused", "var(--c6)"], ["faults", "var(--c4)"]]) {
    if (list.some((i) => i[key] > 0)) series.push({ name: key, color, points: list.map((i) => [middle(i), rate(i, key)]) });
  }
  const per_s = (v) => `${figure(v)}/s`;
  const columns = ["From", "Length", what === "envelopes" ? "Delivered" : "Completed", "Sent", "Refused", "Faults", "Relay CPU", "Generator busy"].map((name) => ({ name }));
  const rows = list.map((i) => [seconds(i.at_s), seconds(i.length_s), per_s(i.per_s), ...["sent", "refused", "faults"].map((key) => is_number(i[key]) ? count(i[key]) : ""),
    is_number(i.server_busy_pct) ? percent(i.server_busy_pct) : "not measured", is_number(i.generator_busy_pct) ? percent(i.generator_busy_pct) : ""]);
  return part("throughput-time", "Throughput over time", `${what === "envelopes" ? "Envelopes opened by their recipient" : "Handshakes completed"} each second.`,
    line_chart({
      key: "throughput-time", height: 240, room: true, legend: true, edges: stage_edges(result), x: time_axis(result), y: { name: `${what} a second`, format: short_figure, tip: per_s, log: false }, series,
      label: `Line chart of ${what} a second over ${list.length} intervals. The table below has the figures.`,
      table: table(columns, rows, { tall: true, label: "Throughput over time" }),
    }));
}

function processor_over_time(result) {
  const list = result.intervals || [];
  if (list.filter((i) => is_number(i.server_busy_pct)).length < 2) return null;
  return line_chart({
    key: "cpu-time", height: 220, x: time_axis(result), y: { name: "share of one processor", format: (v) => `${short_figure(v)}\u00a0%`, tip: percent, log: false, at_least: 100 },
    label: "Line chart of processor time over time, of the relay and of the generator’s threads. The throughput table has the figures.",
    series: [{ name: "relay", color: "var(--c5)", points: list.map((i) => [middle(i), i.server_busy_pct]) },
      { name: "generator, mean of its threads", color: "var(--c7)", dash: "5 4", points: list.map((i) => [middle(i), i.generator_busy_pct]) }],
  });
}

// 0, 90, 99, 99.9 … are equally far apart: each nine is as wide as the one before.
const nines = (percentile) => -Math.log10(1 - percentile / 100);

function curve_names(result) {
  const pairs = what_is_counted(result) === "handshakes" ? [["handshake", "Handshake", "var(--c1)"]] : [["response", "Response", "var(--c1)"], ["uncorrected", "Uncorrected", "var(--c6)"]];
  return pairs.filter(([key]) => result.latency_us && result.latency_us[key] && result.latency_us[key].count > 0);
}

function percentile_curve(result) {
  const lines = curve_names(result).filter(([key]) => (result.latency_us[key].curve || []).length > 1);
  if (lines.length === 0) return null;
  const last = Math.max(...lines.map(([key]) => nines(result.latency_us[key].curve.at(-1)[0])));
  const marks = [0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999, 99.99999, 99.999999];
  const ticks = marks.filter((p) => nines(p) <= last + 1e-6).map((p) => [nines(p), p === 0 ? "0" : p === 50 ? "50" : `${p} %`]);
  const percentile_at = (x) => 100 * (1 - 10 ** -x);
  const columns = [{ name: "Percentile" }, ...lines.map(([, name]) => ({ name }))];
  const points = result.latency_us[lines[0][0]].curve;
  const rows = points.map(([p, us]) => [`${Number(p.toFixed(5))} %`, latency(us), ...lines.slice(1).map(([key]) => {
    const found = result.latency_us[key].curve.find(([q]) => q === p);
    return found ? latency(found[1]) : too_few();
  })]);
  return part("curve", "Percentile curve", "Each nine takes the same room. The curve ends where fewer than ten samples lie beyond it.",
    line_chart({
      key: "curve", height: 300, legend: true, x: { min: 0, max: last, name: "percentile", format: String, ticks, tip: (x) => `${Number(percentile_at(x).toPrecision(x > 3 ? 8 : 6))} %` },
      y: { name: "latency", format: short_latency, tip: latency },
      label: `Percentile curve of ${lines.map(([, name]) => name.toLowerCase()).join(" and ")}. The table below has the figures.`,
      series: lines.map(([key, name, color], i) => ({ name: name.toLowerCase(), color, dash: i > 0 ? "6 4" : null, points: result.latency_us[key].curve.map(([p, us]) => [nines(p), us]) })),
      table: table(columns, rows, { tall: true, label: "Percentile curve" }),
    }));
}

function side_by_side(result) {
  const lines = curve_names(result);
  if (lines.length === 0) return null;
  const rows = [["count", "Samples", count], ["mean", "Mean", latency], ...PERCENTILES.map(([key, name]) => [key, name, latency]), ["max", "Longest", latency]]
    .filter(([key]) => key !== "mean" || lines.some(([line]) => is_number(result.latency_us[line].mean))).map(([key, name, format]) => [name, ...lines.map(([line]) => or_few(result.latency_us[line][key], format))]);
  const about = lines[0][0] === "response" ? "Response counts from when a message was meant to leave, so waiting counts. Uncorrected counts from when it did leave, as tools without intended times do." : "From the request for a bundle to the confirming message.";
  return part("compare", lines.map(([, name], i) => i > 0 ? name.toLowerCase() : name).join(" and "), about, table([{ name: "" }, ...lines.map(([, name]) => ({ name }))], rows, { label: "Latency percentiles" }));
}

const BUDGET_COLORS = { schedule_lag: "var(--c6)", send_queue: "var(--c3)", seal: "var(--c2)", socket_queue: "var(--c4)", server_network: "var(--c1)", open: "var(--c5)", unattributed: "var(--c7)" };
const BUDGET_WORDS = {
  schedule_lag: "the generator noticed late that it was time", send_queue: "behind an earlier send of the same connection", seal: "built, encrypted, masked",
  socket_queue: "until the kernel had taken it", server_network: "everything outside of the generator", open: "parsed, decrypted, checked",
  unattributed: "sends whose times were not kept",
};

// [key, mean] of each part of a response, in the order it is spent.
function budget_parts(result) {
  const latencies = result.latency_us || {};
  const budget = result.budget;
  const mean = (key) => latencies[key] && is_number(latencies[key].mean) ? latencies[key].mean : 0;
  if (budget && is_number(budget.response_us)) {
    return Object.keys(BUDGET_COLORS).map((key) => [key, budget[`${key}_us`]]).filter(([, us]) => is_number(us) && us > 0);
  }
  if (!(mean("uncorrected") > 0)) return [];
  const parts = [["schedule_lag", mean("schedule_lag")], ["send_queue", mean("send_queue")], ["seal", mean("seal")],
    ["server_network", Math.max(0, mean("uncorrected") - mean("seal"))], ["open", mean("open")]];
  return parts.filter(([, us]) => us > 0);
}

function latency_budget(result) {
  const parts = budget_parts(result);
  const total = parts.reduce((sum, [, us]) => sum + us, 0);
  if (!(total > 0)) return null;
  const exact = result.budget && is_number(result.budget.response_us);
  const share = (us) => us / total;
  const bar = el("div", { class: "stack", role: "img", "aria-label": `Stacked bar of the mean response: ${parts.map(([key, us]) => `${name_of(key)} ${percent(100 * share(us))}`).join(", ")}` },
    parts.map(([key, us]) => el("span", { title: `${name_of(key)}: ${latency(us)}`, style: { flex: `${share(us)} 1 0`, background: BUDGET_COLORS[key] } }, share(us) > 0.12 ? percent(100 * share(us)) : null)));
  const rows = parts.map(([key, us]) => {
    const h = (result.latency_us || {})[key] || {};
    const name = el("span", {}, el("i", { class: "key square", style: { background: BUDGET_COLORS[key], marginRight: "9px" } }), key === "server_network" && !exact ? "Socket queue, server and network" : name_of(key), " ", el("small", {}, BUDGET_WORDS[key]));
    return [name, latency(us), percent(100 * share(us)), ...["p50", "p99"].map((p) => h.count > 0 ? or_few(h[p], latency) : "")];
  });
  const sum = ["Response, mean", latency(exact ? result.budget.response_us : total), "100 %", "", ""];
  sum.mark = "strong";
  return part("budget", "Latency budget", "Where the mean response went, in the order it was spent. The generator’s own cryptography is never part of what the relay is charged with.", bar,
    table([{ name: "Part" }, { name: "Mean" }, { name: "Share" }, { name: "p50" }, { name: "p99" }], [...rows, sum], { label: "Latency budget" }));
}

const LEDGER = [["lost", "Lost", "sent, and not there when the drain ended"], ["duplicate", "Duplicate", "arrived more than once"], ["reordered", "Reordered", "overtaken by a later one"],
  ["gaps", "Gaps", "numbers missing in a direction"], ["misrouted", "Misrouted", "reached somebody else"], ["auth_fail", "Not opened", "forged or damaged"], ["foreign", "Foreign", "of another run"]];

function delivery_ledger(result) {
  const d = result.delivery;
  if (!d || !(d.expected > 0 || d.received > 0 || d.disconnected > 0 || LEDGER.some(([key]) => d[key] > 0))) return null;
  // While a run goes on its faults are counted together; which kind they are is told at the end.
  const known = result.live ? [] : LEDGER.filter(([key]) => is_number(d[key]));
  const faults = known.filter(([key]) => d[key] > 0);
  const rows = [["expected", "Sent", "numbered inside the sealed plaintext"], ["received", "Received", "opened and checked"], ...known, ["late", "Late", "after the window, within the drain"],
    ["refused", "Refused", "the relay said so"], ["accepted", "Accepted", "durable: the relay took charge of it"], ["disconnected", "Connections lost", "ended before the generator ended them"]]
    .filter(([key]) => is_number(d[key]) && !(result.live && ["late", "accepted", "disconnected"].includes(key))).map(([key, name, words]) => {
      const row = [el("span", {}, name, " ", el("small", {}, words)), count(d[key])];
      if (d[key] > 0 && (key === "disconnected" || LEDGER.some(([fault]) => fault === key))) row.mark = "fault";
      return row;
    });
  if (result.live) {
    rows.push([el("span", {}, "In flight", " ", el("small", {}, "sent, not yet there")), count(result.live.in_flight)], [el("span", {}, "Faults", " ", el("small", {}, "of any kind")), count(result.live.faults)]);
    if (result.live.faults > 0) rows.at(-1).mark = "fault";
  }
  const refused = Object.entries(d.refused_by || {}).filter(([, n]) => n > 0);
  let words = null;
  if (!result.live && faults.length === 0 && !(d.disconnected > 0)) {
    words = d.expected === d.received ? el("div", { class: "banner good" }, el("strong", {}, `All ${count(d.received)} envelopes arrived once and in order.`), "None lost, none twice, none for somebody else, none that could not be opened.") : null;
  } else if (faults.length > 0 || d.disconnected > 0) {
    words = el("div", { class: "banner bad" }, el("strong", {}, "Delivery was not intact."), [...faults.map(([key, name]) => `${name.toLowerCase()} ${count(d[key])}`), d.disconnected > 0 ? `${count(d.disconnected)} connections lost` : null].filter(Boolean).join(", "),
      d.first_disconnect ? `. The first connection: ${d.first_disconnect}` : "");
  }
  return part("delivery", "Delivery ledger", "Every envelope of the run is accounted for, warm-up included.", words, table([{ name: "Envelopes" }, { name: "Count" }], rows, { label: "Delivery ledger" }),
    refused.length > 0 ? el("p", { class: "note" }, `Refused by reason: ${refused.map(([key, n]) => `${name_of(key).toLowerCase()} ${count(n)}`).join(", ")}.`) : null);
}

const VERDICTS = {
  ok: ["good", "Generator ok", "The generator was not the limit: the figures are the relay’s."],
  suspect: ["warn", "Generator suspect", "Read the reasons before quoting the figures."],
  limited: ["bad", "Generator limited", "The generator was the limit: the result is not valid for the relay."],
};

function generator_part(result) {
  const g = result.generator;
  if (!g) return null;
  const [tone, title, words] = VERDICTS[g.verdict] || ["warn", `Generator ${g.verdict}`, ""];
  const busy = g.busy_pct_per_thread || [];
  const names = thread_names(result, busy.length);
  const shown = new Set(["verdict", "reasons", "busy_pct_per_thread"]);
  return part("generator", "The generator’s own verdict", "Was the load tester itself the limit?",
    el("div", { class: `banner ${tone}` }, el("strong", {}, `${title}${result.live ? " so far" : ""}.`), result.live ? "Judged for good when the run has ended." : words, (g.reasons || []).length > 0 ? el("ul", {}, g.reasons.map((reason) => el("li", {}, told(reason)))) : null),
    busy.length > 0 ? el("div", { class: "bars" }, busy.map((pct, i) => [el("span", {}, names[i]),
      el("span", { class: "bar" }, el("i", { class: pct >= 95 ? "bad" : pct >= 80 ? "warn" : null, style: { width: `${Math.min(100, pct)}%` } })), el("span", {}, percent(pct))])) : null,
    result.live ? null : facts(Object.entries(g).filter(([key, value]) => !shown.has(key) && value !== null)));
}

function server_part(result) {
  const s = result.server;
  if (!s) return null;
  const chart = processor_over_time(result), figures = facts(Object.entries(s).filter(([, value]) => value !== null));
  return part("server", "Server cost", "Of the relay’s process, all threads and the kernel’s work for them included.", chart ? el("div", { class: "pair plain" }, el("div", {}, figures), el("div", {}, chart)) : figures);
}

function thresholds_part(result) {
  const list = result.thresholds || [];
  // While a run goes on they are not judged yet.
  if (list.length === 0 || result.live) return null;
  const measure = (t, value) => !is_number(value) ? el("span", { class: "few" }, "not known") : t.unit === "us" ? latency(value) : t.unit ? `${figure(value)} ${t.unit}` : figure(value);
  const rows = list.map((t) => {
    const row = [el("code", {}, t.text || ""), measure(t, t.limit), measure(t, t.value), value_of("ok", t.ok), t.reason || ""];
    if (t.ok === false) row.mark = "fault";
    return row;
  });
  return part("thresholds", "Objectives", "What the run had to hold.", table([{ name: "Objective" }, { name: "Limit" }, { name: "Measured" }, { name: "Met" }, { name: "", text: true, wide: true }], rows, { label: "Objectives" }));
}

function all_latencies(result) {
  if (result.live) return null;
  const rows = Object.entries(result.latency_us || {}).filter(([, h]) => is_object(h) && h.count > 0)
    .map(([key, h]) => [name_of(key), count(h.count), or_few(h.mean, latency), ...PERCENTILES.map(([p]) => or_few(h[p], latency)), or_few(h.max, latency)]);
  if (rows.length === 0) return null;
  return part("latencies", "All latencies", "A percentile is shown when at least ten samples lie beyond it.", table([{ name: "" }, { name: "Samples" }, { name: "Mean" }, ...PERCENTILES.map(([, name]) => ({ name })), { name: "Longest" }], rows, { label: "All latencies" }));
}

const quoted = (word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

function environment_part(result) {
  const run = result.run || {}, env = result.env || {};
  const shortcuts = env.shortcuts;
  return part("environment", "Environment and command", null,
    el("div", { class: "pair", style: { margin: "0" } },
      el("div", {}, el("h3", {}, "Machine"), facts(Object.entries(env).filter(([key]) => key !== "shortcuts")), shortcuts ? facts([["shortcuts", shortcuts.length > 0 ? shortcuts.join("; ") : "none: real keys, real nonces, real masks"]]) : null),
      el("div", {}, el("h3", {}, "Run"), facts(Object.entries(run).filter(([key, value]) => key !== "config" && key !== "argv" && value !== null)))),
    run.config ? [el("h3", {}, "Settings"), el("div", { class: "wide" }, facts(Object.entries(run.config).filter(([, value]) => value !== null)))] : null,
    run.argv ? [el("h3", {}, "Command"), el("pre", {}, run.argv.map((word, i) => el("span", { class: word.length < 24 ? "word-of" : null }, i === 0 ? word : quoted(word))).flatMap((word, i) => i > 0 ? [" ", word] : [word]))] : null);
}
