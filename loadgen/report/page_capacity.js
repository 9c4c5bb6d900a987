// What a capacity document comes to, and its search for the highest rate.

function capacity_of(document_) {
  if (!is_object(document_)) return null;
  // The figures are at the top, or one level down beside the schema.
  return document_.trials || document_.sweep || document_.plan ? document_ : is_object(document_.capacity) && (document_.capacity.trials || document_.capacity.sweep) ? document_.capacity : document_;
}

const per_second = (value) => `${figure(value)}/s`;
const slo_of = (capacity) => typeof capacity.slo === "string" && capacity.slo ? capacity.slo : "the objective";

const BOUNDS = {
  relay: (found) => `Limited by the relay: ${is_number(found.failed_per_s) ? `${per_second(found.failed_per_s)} failed.` : "more failed."}`,
  generator: () => "Limited by the generator: the relay may carry more. Give it processors of its own (--pin), or more --threads.",
  max_rate: () => "Limited by --max-rate: nothing higher was tried.",
  trials: () => "Limited by the number of trials: the rate is not confirmed.",
};

function capacity_tiles(capacity) {
  const found = capacity.capacity, fit = (capacity.sweep || {}).fit || {}, plan = capacity.plan;
  const list = [];
  if (is_object(found) && is_number(found.rate_per_s)) list.push(tile("tile-capacity", found.at_least ? "Capacity, at least" : "Capacity", [figure(found.rate_per_s), "/s"], `with ${slo_of(capacity)}`));
  else if (is_object(found)) list.push(tile("tile-capacity", "Capacity", ["none", ""], `no rate held ${slo_of(capacity)}`));
  if (is_number(fit.peak_per_s)) list.push(tile("tile-peak", "Peak of the sweep", [figure(fit.peak_per_s), "/s"], `at ${figure(fit.peak_n)} ${capacity.sweep.over || "of them"}, by the curve`));
  if (is_object(plan) && is_number(plan.relays)) list.push(tile("tile-relays", plan.relays === 1 ? "Relay needed" : "Relays needed", [count(plan.relays), ""], is_object(plan.asked) ? `for ${count(plan.asked.users)} users` : "for the plan"));
  if (is_object(plan) && plan.breaks_first) list.push(tile("tile-breaks", "Breaks first", [plan.breaks_first, ""], is_number((plan.relays_by || {})[plan.breaks_first]) ? `${percent(100 * plan.relays_by[plan.breaks_first] / plan.relays)} used at the peak` : null));
  if (is_number(capacity.rss_bytes_per_idle_conn)) list.push(tile("tile-idle", "Idle connection", bytes_parts(capacity.rss_bytes_per_idle_conn), "of the relay’s memory"));
  return list.length > 0 ? el("div", { class: "tiles" }, list) : null;
}

function capacity_chips(capacity) {
  const list = [];
  if (is_number(capacity.exit_code)) {
    const [tone, words] = { 0: ["good", "done"], 99: ["bad", "no rate held it"] }[capacity.exit_code] || EXITS[capacity.exit_code] || ["warn", "ended"];
    list.push(el("span", { class: `chip ${tone}` }, `${words} · exit code ${capacity.exit_code}`));
  }
  const found = capacity.capacity;
  if (is_object(found) && found.limited_by === "generator") list.push(el("span", { class: "chip warn" }, "generator was the limit"));
  if (is_object(found) && found.confirmed === false && is_number(found.rate_per_s)) list.push(el("span", { class: "chip warn" }, "not confirmed"));
  if ((capacity.env || {}).colocated) list.push(el("span", { class: "chip" }, "generator and relay on one machine"));
  return list.length > 0 ? el("div", { class: "chips" }, list) : null;
}

// ---- the search ------------------------------------------------------------------------------------

const is_limited = (trial) => trial.verdict === "limited";
const OUTCOMES = [["held", "objective held", "var(--good)", "dot", (t) => t.ok], ["missed", "not held: the relay", "var(--bad)", "cross", (t) => !t.ok && !is_limited(t)],
  ["limited", "not held, but the generator was the limit", "var(--c7)", "diamond", (t) => !t.ok && is_limited(t)]];

// What the answer says, in words.
function search_banner(capacity) {
  const found = capacity.capacity;
  if (!is_object(found)) return null;
  if (!is_number(found.rate_per_s)) {
    return el("div", { class: "banner bad" }, el("strong", {}, `No rate was found that holds ${slo_of(capacity)}.`), is_number(found.failed_per_s) ? `The lowest that failed was ${per_second(found.failed_per_s)}.` : "");
  }
  const repeats = is_number(found.samples) ? `${count(found.samples)} ${found.samples === 1 ? "trial" : "trials"}` : "its trials";
  return el("div", { class: `banner ${found.at_least ? "warn" : "good"}` }, el("strong", {}, `${found.at_least ? "At least " : ""}${per_second(found.rate_per_s)} with ${slo_of(capacity)}.`),
    is_number(found.lower) && is_number(found.upper) ? `95 % of the mean of ${repeats}: ${per_second(found.lower)} to ${per_second(found.upper)}. ` : `From ${repeats} at that rate. `,
    is_number(found.offered_per_s) ? `Offered were ${per_second(found.offered_per_s)}. ` : "", BOUNDS[found.limited_by] ? BOUNDS[found.limited_by](found) : "", found.confirmed === false ? " Not confirmed by repeats." : "");
}

// The objective as a level of the chart of p99, when it is one of p99.
function slo_levels(capacity) {
  const found = /(?:^|\s)response:p\(99\)<=?([\d.]+)(us|ms|s)(?:\s|$)/.exec(capacity.slo || "");
  return found ? [{ y: Number(found[1]) * { us: 1, ms: 1e3, s: 1e6 }[found[2]], name: `objective: ${found[1]} ${found[2].replace("us", "µs")}` }] : [];
}

function rate_axis(trials) {
  const rates = trials.map((t) => t.rate_per_s), low = Math.min(...rates), high = Math.max(...rates);
  const axis = { name: "offered, envelopes a second", format: axis_figure, tip: (x) => `offered ${per_second(x)}` };
  return high / low > 12 ? { ...axis, min: low / 1.15, max: high * 1.15, log: true } : { ...axis, min: 0, max: high * 1.06 };
}

function search_chart(capacity, trials, what) {
  const drawn = trials.filter((t) => is_number(t.rate_per_s) && is_number(t[what.key]));
  if (drawn.length === 0) return null;
  const found = capacity.capacity || {}, x = rate_axis(drawn);
  const series = OUTCOMES.map(([, name, color, mark, is]) => ({ name, color, mark, points: drawn.filter(is).map((t) => [t.rate_per_s, t[what.key]]) }));
  return line_chart({ key: `capacity-${what.key}`, height: 300, legend: true, x, y: what.y, levels: what.levels, series: [...(what.lines || []), ...series],
    edges: is_number(found.offered_per_s) ? [{ x: found.offered_per_s, name: `capacity ${axis_figure(found.rate_per_s)}/s`, strong: true }] : [],
    label: `${what.label} of ${drawn.length} trials over the offered rate, those that held the objective and those that did not. The table below has the figures.` });
}

function trials_table(trials) {
  const has = (key) => trials.some((t) => is_number(t[key]));
  const why = (t) => [t.ok ? null : t.result, t.reason ? el("small", {}, t.reason) : null].filter(Boolean);
  const columns = [["Trial", (t, i) => `${i + 1}`], ["Phase", (t) => t.phase || "", "text"], ["Offered", (t) => is_number(t.rate_per_s) ? per_second(t.rate_per_s) : ""],
    ["Achieved", (t) => is_number(t.achieved_per_s) ? per_second(t.achieved_per_s) : ""], ["p50", (t) => or_few(t.p50_us, latency)], ["p99", (t) => or_few(t.p99_us, latency)],
    ["Relay CPU", (t) => is_number(t.server_cpu_ns_per_msg) ? nanoseconds_parts(t.server_cpu_ns_per_msg).join("\u00a0") : "", has("server_cpu_ns_per_msg") ? null : "no"],
    ["Held", (t) => value_of("ok", t.ok)], ["Why", why, "text wide"]].filter(([, , how]) => how !== "no");
  return table(columns.map(([name, , how]) => ({ name, text: Boolean(how), wide: how === "text wide" })), trials.map((t, i) => {
    const row = columns.map(([, cell]) => cell(t, i));
    row.mark = t.ok ? null : is_limited(t) ? "aside" : "missed";
    return row;
  }), { label: "Trials", tall: trials.length > 14 });
}

function capacity_search(capacity) {
  const trials = (capacity.trials || []).filter(is_object);
  if (trials.length === 0 && !capacity.capacity) return null;
  const rates = trials.filter((t) => is_number(t.rate_per_s) && is_number(t.achieved_per_s)).map((t) => t.rate_per_s);
  const low = Math.min(...rates), high = Math.max(...rates);
  const even = { name: "all that is offered", color: "var(--c7)", dash: "5 4", points: rates.length > 0 ? Array.from({ length: 41 }, (_, i) => low * (high / low) ** (i / 40)).map((x) => [x, x]) : [], at: (x) => x };
  const charts = [search_chart(capacity, trials, { key: "p99_us", y: { name: "p99 of the response", format: short_latency, tip: latency }, levels: slo_levels(capacity), label: "99th percentile" }),
    search_chart(capacity, trials, { key: "achieved_per_s", y: { name: "came through, envelopes a second", format: axis_figure, tip: per_second }, lines: [even], label: "Achieved rate" })].filter(Boolean);
  return part("capacity", "Capacity", `The highest rate that holds ${slo_of(capacity)}: each mark is a trial. A trial that failed while the generator was the limit says nothing about the relay.`,
    search_banner(capacity), charts.length > 0 ? el("div", { class: "pair charts" }, charts) : null, trials.length > 0 ? [el("h3", {}, `All ${trials.length} trials`), trials_table(trials)] : null);
}
