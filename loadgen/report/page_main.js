// Puts the page together: from the figures inside it, and of a run that goes on from its events.

const EXITS = { 0: ["good", "passed"], 1: ["bad", "internal error"], 99: ["bad", "an objective was missed"], 104: ["bad", "bad options"], 105: ["warn", "interrupted"], 111: ["bad", "delivery not intact"], 112: ["bad", "generator was the limit"], 113: ["bad", "relay not reached"] };
const PHASES = { connecting: "being connected to", "set-up": "setting up users", ready: "ready", "warm-up": "warming up", measure: "measuring", drain: "waiting for what is under way", close: "closing", done: "done" };
const page = { link: "", result: null, capacity: null };

function tile(id, name, [number, unit], words) {
  return el("dl", { class: "tile", id, style: { marginBottom: "0", marginTop: "0" } }, el("dt", {}, name), el("dd", {}, number, unit ? el("span", { class: "unit" }, unit) : null), words ? el("p", {}, words) : null);
}

const few_or_parts = (us) => is_number(us) ? latency_parts(us) : [too_few(), ""];

// A run that never began has no figures, and zeros would look like some.
const has_measured = (result) => Boolean(result.live) || !(result.run && result.run.duration_s === 0);

function tiles(result) {
  if (!has_measured(result)) return null;
  const what = what_is_counted(result);
  const idle = result.run && result.run.config && result.run.config.mode === "idle";
  const rates = result[what === "handshakes" ? "handshakes" : "messages"] || {};
  const h = main_histogram(result) || {};
  const d = result.delivery || {};
  const offered = result.offered || {};
  const list = [];
  if (idle) list.push(tile("tile-connections", "Connections held", [count((result.connections || {}).connected || 0), ""], `of ${count((result.connections || {}).wanted || 0)}`));
  else if (is_number(rates.per_s)) list.push(tile("tile-rate", "Throughput", [figure(rates.per_s), "/s"], `${count(rates.count)} ${what}${is_number(offered.rate_per_s) ? `, offered ${figure(offered.rate_per_s)}/s` : ""}`));
  if (h.count > 0) {
    list.push(tile("tile-p50", what === "handshakes" ? "Handshake, p50" : "Response, p50", few_or_parts(h.p50), "half were faster"), tile("tile-p99", "p99", few_or_parts(h.p99), "one in a hundred was slower"),
      tile("tile-p99_9", "p99.9", few_or_parts(h.p99_9), is_number(h.max) ? `longest ${latency(h.max)}` : null));
  }
  if (d.expected > 0) list.push(tile("tile-delivery", result.live ? "In flight" : "Lost", [count(result.live ? result.live.in_flight : d.lost), ""], `${count(d.received)} of ${count(d.expected)} arrived`));
  const s = result.server;
  const cost = s && (is_number(s.cpu_ns_per_msg) ? ["envelope", s.cpu_ns_per_msg] : is_number(s.cpu_ns_per_handshake) ? ["handshake", s.cpu_ns_per_handshake] : null);
  if (cost) list.push(tile("tile-cost", "Relay CPU", nanoseconds_parts(cost[1]), `for each ${cost[0]}${is_number(s.busy_pct) ? `; ${percent(s.busy_pct)} of a processor` : ""}`));
  else if (s && is_number(s.rss_bytes_per_conn)) list.push(tile("tile-memory", "Relay memory", bytes_parts(s.rss_bytes_per_conn), "for each connection"));
  return list.length > 0 ? el("div", { class: "tiles" }, list) : null;
}

function chips(result) {
  const list = [];
  const chip = (tone, words) => list.push(el("span", { class: `chip ${tone}` }, words));
  if (result.live) {
    list.push(el("span", { class: page.link === "lost" ? "chip warn" : "chip good", id: "live-chip" }, el("i", { class: page.link === "lost" ? "dot" : "dot beats" }), page.link === "lost" ? "connection lost" : "live"));
  } else if (is_number(result.exit_code)) {
    const [tone, words] = EXITS[result.exit_code] || ["warn", "ended"];
    chip(tone, `${words} · exit code ${result.exit_code}`);
  }
  if (result.generator && has_measured(result)) chip((VERDICTS[result.generator.verdict] || ["warn"])[0], `generator ${result.generator.verdict}`);
  const thresholds = (result.thresholds || []).filter((t) => typeof t.ok === "boolean");
  if (thresholds.length > 0 && !result.live) {
    const missed = thresholds.filter((t) => !t.ok).length;
    chip(missed ? "bad" : "good", missed ? `${missed} of ${thresholds.length} objectives missed` : `${thresholds.length === 1 ? "objective" : `all ${thresholds.length} objectives`} met`);
  }
  if (result.env && result.env.colocated) chip("", "generator and relay on one machine");
  return el("div", { class: "chips" }, list);
}

function progress(live) {
  const share = live.length_s > 0 ? Math.min(1, live.elapsed_s / live.length_s) : 0;
  const words = live.phase === "set-up" ? `${count(live.settled)} of ${count(live.wanted)} users ready` : `${clock(live.elapsed_s)} of ${clock(live.length_s)}`;
  return el("div", { class: "live" }, el("div", { class: "track", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": Math.round(100 * share), "aria-label": "Measured window" }, el("i", { style: { width: `${100 * share}%` } })),
    el("p", {}, el("span", { id: "live-phase" }, PHASES[live.phase] || live.phase), el("span", {}, words)));
}

function brand() {
  return el("div", { class: "brand" }, svg("svg", { width: 20, height: 20, viewBox: "0 0 20 20", "aria-hidden": "true" },
    svg("rect", { x: 1, y: 3, width: 18, height: 14, rx: 3, style: "fill:none;stroke:currentcolor;stroke-width:1.6" }), svg("path", { d: "M2 5.5l8 6 8-6", style: "fill:none;stroke:currentcolor;stroke-width:1.6" }),
    svg("circle", { cx: 10, cy: 12.4, r: 2.6, style: "fill:var(--c4)" })), "Sealpost load report");
}

function head(result, capacity) {
  const config = (result && result.run && result.run.config) || {};
  const modes = { talk: "envelopes", handshake: "handshakes", idle: "idle connections" };
  const title = result ? `${is_number(config.connections) ? `${count(config.connections)} ${config.mode === "idle" ? "" : "users, "}` : ""}${modes[config.mode] || config.mode || "load"}` : "Capacity";
  const run = (result || capacity || {}).run || {};
  const started = run.started ? new Date(run.started) : null;
  const when = started && !Number.isNaN(started.getTime()) ? `${run.started.replace("T", " ").replace("Z", " UTC")}` : null;
  const model = result && result.offered ? { closed: "closed loop", idle: "" }[result.offered.model] ?? result.offered.model : "";
  const agents = result && Array.isArray(result.agents) ? result.agents.length : 0;
  document.title = `${title} · Sealpost load report`;
  return [brand(), el("h1", {}, title), result ? el("p", { class: "lede" }, [model, when, is_number(run.duration_s) && run.duration_s > 0 ? `${duration(run.duration_s)} measured` : null, agents > 0 ? `${count(agents)} ${agents === 1 ? "agent" : "agents"}` : null].filter(Boolean).join(" · "), config.url ? [" · ", el("code", {}, config.url)] : null) : when ? el("p", { class: "lede" }, `${when} · `, el("code", {}, run.url || "")) : null,
    result ? chips(result) : capacity ? capacity_chips(capacity) : null, result && result.live ? progress(result.live) : null,
    run.failure ? el("div", { class: "banner bad", id: "failure" }, el("strong", {}, "The run failed."), run.failure) : null,
    result && result.aborted_by ? el("div", { class: "banner bad" }, el("strong", {}, "Ended early by an objective."), result.aborted_by) : null,
    result ? tiles(result) : capacity ? capacity_tiles(capacity) : null];
}

function body(result, capacity) {
  const parts = [];
  if (result) {
    const pair = [percentile_curve(result), side_by_side(result)].filter(Boolean);
    const trust = [delivery_ledger(result), has_measured(result) ? generator_part(result) : null].filter(Boolean);
    parts.push(thresholds_part(result), latency_over_time(result), throughput_over_time(result),
      pair.length === 2 ? el("div", { class: "pair" }, pair) : pair, latency_budget(result),
      trust.length === 2 ? el("div", { class: "pair stacks" }, trust) : trust, agents_part(result), server_part(result),
      measured_part("stages", "Stages", "Each stage of the load by itself.", result.stages), groups_part(result));
  }
  if (capacity) parts.push(capacity_search(capacity), capacity_sweep(capacity), capacity_plan(capacity));
  if (result) parts.push(all_latencies(result), environment_part(result));
  else if (capacity) parts.push(environment_part(capacity));
  return parts.flat().filter(Boolean);
}

function show() {
  const { result, capacity } = page;
  const focus = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.chart : undefined;
  watcher.disconnect();
  document.getElementById("head").replaceChildren(...put(document.createDocumentFragment(), head(result, capacity)).childNodes);
  document.getElementById("report").replaceChildren(...body(result, capacity));
  document.getElementById("foot").replaceChildren(el("p", {}, `sealpost-load ${((result || capacity || {}).run || {}).version || ""}${result && result.run && result.run.id ? ` · run ${result.run.id}` : ""} · ${(result && result.schema) || "sealpost.capacity/1"}`));
  document.querySelectorAll("figure").forEach((node) => node.redraw && node.redraw());
  if (focus !== undefined) document.querySelector(`svg[data-chart="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
}

function embedded(id) {
  const text = document.getElementById(id).textContent.trim();
  return text ? JSON.parse(text) : null;
}

// The last event of a run is named "end" and holds the final result.
function follow() {
  const events = new EventSource("events");
  const take = (event) => {
    page.result = JSON.parse(event.data);
    page.link = "live";
    show();
  };
  events.addEventListener("message", take);
  events.addEventListener("end", (event) => {
    events.close();
    take(event);
  });
  events.addEventListener("error", () => {
    page.link = "lost";
    if (page.result) show();
  });
}

page.result = embedded("result");
page.capacity = capacity_of(embedded("capacity"));
if (page.result || page.capacity) show();
else document.getElementById("report").replaceChildren(el("p", { class: "note" }, "Waiting for the first figures of the run …"));
if (document.body.dataset.page === "live") follow();
