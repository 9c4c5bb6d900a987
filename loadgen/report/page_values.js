"use strict";
// Elements and figures. Text from the result only ever becomes a text node, never markup.

function put(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
  return parent;
}

function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "style") Object.assign(node.style, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  return put(node, children);
}

function svg(name, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  return put(node, children);
}

const is_number = (value) => typeof value === "number" && Number.isFinite(value);
const is_object = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const grouped = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

// Three significant digits, thousands grouped.
function figure(value) {
  const size = Math.abs(value);
  if (size >= 1000 || value === 0) return grouped.format(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 1) return value.toFixed(2);
  return String(Number(value.toPrecision(2)));
}

const count = (value) => grouped.format(value);
const percent = (value) => `${value >= 99.95 || value === 0 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toPrecision(2)}\u00a0%`;

// [figure, unit] of a latency in microseconds.
function latency_parts(us) {
  if (us === 0) return ["0", ""];
  if (us < 1000) return [figure(us), "µs"];
  if (us < 1e6) return [figure(us / 1000), "ms"];
  return [figure(us / 1e6), "s"];
}
const latency = (us) => latency_parts(us).join("\u00a0");
// On an axis: without zeros that say nothing.
const short_latency = (us) => { const [number, unit] = latency_parts(us); return `${Number(number.replaceAll(",", ""))} ${unit}`; };
// On an axis, its unit in the axis' name: 10 k, 2.5 M.
const axis_figure = (value) => value >= 1e6 ? `${Number((value / 1e6).toPrecision(3))} M` : value >= 1e4 ? `${Number((value / 1e3).toPrecision(3))} k` : short_figure(value);
const short_figure = (value) => Math.abs(value) >= 1000 ? grouped.format(value) : String(Number(value.toPrecision(3)));

function nanoseconds_parts(ns) {
  return ns < 1000 ? [figure(ns), "ns"] : latency_parts(ns / 1000);
}

function bytes_parts(value) {
  const size = Math.abs(value);
  if (size < 10240) return [count(Math.round(value)), "B"];
  if (size < 1048576) return [figure(value / 1024), "KiB"];
  if (size < 1073741824) return [figure(value / 1048576), "MiB"];
  return [figure(value / 1073741824), "GiB"];
}

function duration(s) {
  if (s < 120) return `${figure(s)}\u00a0s`;
  if (s < 7200) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
}

function clock(s) {
  const whole = Math.round(s);
  const seconds = String(whole % 60).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${seconds}`;
  return `${Math.floor(whole / 3600)}:${String(Math.floor(whole / 60) % 60).padStart(2, "0")}:${seconds}`;
}

const TOO_FEW = "too few samples";
const too_few = () => el("span", { class: "few" }, TOO_FEW);
const or_few = (value, format) => is_number(value) ? format(value) : too_few();

const PERCENTILES = [["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p99_9", "p99.9"], ["p99_99", "p99.99"]];

// What members of the result are called on the page.
const NAMES = {
  response: "Response", uncorrected: "Uncorrected", schedule_lag: "Schedule lag", send_queue: "Send queue",
  seal: "Seal", socket_queue: "Socket queue", server_network: "Server and network", open: "Open",
  unattributed: "Not attributed", tls_handshake: "TLS handshake", tls_resume: "TLS resumption", handshake: "Handshake", x3dh: "X3DH",
  seal_cost: "Sealing, CPU", open_cost: "Opening, CPU", turn: "Loop turn",
  initiate: "Initiator’s side", respond: "Responder’s side", auth_fail: "Not opened (forged or damaged)",
  gaps: "Gaps", cpu: "Processor", cpu_id: "Its family and model", tls: "TLS", url: "Relay", ok: "Met", slo: "Objective",
  in_flight: "In flight for each connection", payload_bytes: "Payload", payload: "Payload sizes", idle_anonymous: "Without log-in",
  cpu_ns: "Processor time", cpu_ns_per_msg: "For each envelope", cpu_ns_per_handshake: "For each handshake", busy_pct: "Of one processor",
  rss_bytes_per_idle_conn: "Memory of an idle connection",
  rss_before_bytes: "Memory before the run", rss_bytes: "Memory at the window’s end", rss_bytes_per_conn: "Memory for each connection",
  stalls: "Stalls of over 100 ms", stalled_ms: "Stalled in all", steal_pct: "Taken by the hypervisor", coordinator_busy_pct: "Spent on watching",
  resume: "Resumes TLS", tls_resumed: "TLS resumed", tls_full: "TLS, full handshakes",
  from_per_s: "From", to_per_s: "To", at_s: "At", length_s: "Length", without_one_time: "Without one-time prekey",
  breaks_first: "Breaks first", limited_by: "Limited by", offered_per_s: "Offered", failed_per_s: "Missed at", achieved_per_s: "Achieved", peak_per_s: "At the peak", at_least: "At least",
  throttled_ms: "Held back by its quota", backlog: "Waiting, at the begin and each quarter’s end", ceiling_per_s: "Its ceiling", achieved_of_ceiling: "Share of the ceiling reached",
  rate_per_s: "Rate", per_s: "Per second", count: "Count", pin: "Pinned to", text: "Objective",
};

const UNITS = [["per_s", (v) => `${figure(v)}/s`], ["_ns_per_msg", (v) => nanoseconds_parts(v).join("\u00a0")], ["_ns_per_handshake", (v) => nanoseconds_parts(v).join("\u00a0")], ["_bytes_per_conn", (v) => bytes_parts(v).join("\u00a0")],
  ["_us", latency], ["_ms", (v) => latency(v * 1000)], ["_ns", (v) => nanoseconds_parts(v).join("\u00a0")], ["_bytes", (v) => bytes_parts(v).join("\u00a0")],
  ["_pct", percent], ["_s", duration]];

function unit_of(key) {
  return UNITS.find(([suffix]) => key.endsWith(suffix));
}

function name_of(key) {
  if (Object.hasOwn(NAMES, key)) return NAMES[key];
  const unit = unit_of(key);
  const bare = unit ? key.slice(0, -unit[0].length) || key : key;
  const words = bare.replace(/^(p99)_(9+)$/, "$1.$2").replaceAll("_", " ").trim() || key;
  return /^p\d/.test(words) ? words : words.charAt(0).toUpperCase() + words.slice(1);
}

// Any member of the result as a node or text, its unit read from its name.
function value_of(key, value) {
  if (value === null || value === undefined) return el("span", { class: "few" }, /^p\d/.test(key) ? TOO_FEW : "none");
  if (typeof value === "boolean") {
    const good = key === "ok" || key === "passed";
    return el("span", { class: good ? (value ? "yes" : "no") : null }, value ? (good ? "✓ yes" : "yes") : (good ? "✗ no" : "no"));
  }
  if (is_number(value)) {
    const unit = unit_of(key);
    if (unit) return unit[1](value);
    return Number.isInteger(value) ? count(value) : figure(value);
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return el("span", { class: "few" }, "none");
    if (value.every((item) => !is_object(item))) return value.map((item) => is_number(item) ? (Number.isInteger(item) ? count(item) : figure(item)) : String(item)).join(", ");
    return records(value);
  }
  if (is_object(value)) return facts(Object.entries(value));
  return String(value);
}

function facts(entries) {
  return el("dl", { class: "facts" }, entries.filter(([, value]) => value !== undefined).map(([key, value]) =>
    [el("dt", {}, name_of(key)), el("dd", {}, value instanceof Node ? value : value_of(key, value))]));
}

// columns: [{name, text, wide, full}]; rows: arrays of cells; .mark is the class of the whole row (fault, strong,
// missed, aside).
function table(columns, rows, attributes) {
  const cell = (name, content, column, scope) => el(name, { class: column.full ? "full" : column.wide ? "text wide" : column.text ? "text" : null, scope }, content);
  return el("div", { class: (attributes && attributes.tall) ? "scroll tall" : "scroll", tabindex: "0", role: "region", "aria-label": (attributes && attributes.label) || "table" },
    el("table", { class: (attributes && attributes.stacked) ? "stacked" : null },
      el("thead", {}, el("tr", {}, columns.map((column) => cell("th", column.name, column, "col")))),
      el("tbody", {}, rows.map((row) => el("tr", { class: row.mark || null },
        row.map((content, i) => i === 0 ? cell("th", content, columns[i], "row") : cell("td", content, columns[i])))))));
}

// A table of any list of objects: members of members become columns of their own.
function flatten(item, before, into) {
  for (const [key, value] of Object.entries(item)) {
    if (key === "curve") continue;
    if (is_object(value)) flatten(value, `${before}${key}.`, into);
    else into.set(before + key, value);
  }
  return into;
}

// An option stays in one piece.
const told = (text) => String(text).split(/(--[a-z][a-z-]*)/).map((piece, i) => i % 2 === 1 ? el("span", { class: "whole" }, piece) : piece);

function records(list) {
  const flat = list.filter(is_object).map((item) => flatten(item, "", new Map()));
  const keys = [...new Set(flat.flatMap((item) => [...item.keys()]))].filter((key) => flat.some((item) => item.get(key) !== null));
  const last = (key) => key.slice(key.lastIndexOf(".") + 1);
  // Latencies of a histogram carry their unit in the name of what holds them.
  const shown = (key, value) => /(_us|response|latency)\./.test(key) && is_number(value) && last(key) !== "count" ? latency(value) : value_of(last(key), value);
  const is_text = (key) => flat.some((item) => typeof item.get(key) === "string");
  return table(keys.map((key) => ({ name: key.includes(".") ? `${name_of(key.split(".")[0])} ${name_of(last(key)).replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase())}` : name_of(key), text: is_text(key) })),
    flat.map((item) => {
      const row = keys.map((key) => item.has(key) ? shown(key, item.get(key)) : "");
      if (item.get("ok") === false) row.mark = "fault";
      return row;
    }));
}
