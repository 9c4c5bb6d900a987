// The parts that a capacity document adds: the search for the highest rate, the sweep with its fit,
// the plan.

function capacity_of(document_) {
  if (!is_object(document_)) return null;
  // The figures are at the top, or one level down beside the schema.
  return document_.trials || document_.sweep || document_.plan ? document_ : is_object(document_.capacity) && (document_.capacity.trials || document_.capacity.sweep) ? document_.capacity : document_;
}

function capacity_search(capacity) {
  const found = capacity.capacity;
  const trials = (capacity.trials || []).filter(is_object);
  if (trials.length === 0 && !found) return null;
  const timed = trials.filter((t) => is_number(t.rate_per_s) && is_number(t.p99_us));
  const high = Math.max(...timed.map((t) => t.rate_per_s)) * 1.05;
  const sorted = [...timed].sort((a, b) => a.rate_per_s - b.rate_per_s);
  const points = (ok) => sorted.filter((t) => Boolean(t.ok) === ok).map((t) => [t.rate_per_s, t.p99_us, !ok]);
  const per_s = (v) => `${figure(v)}/s`;
  const edges = found ? [["lower", "lower"], ["rate_per_s", "capacity"], ["upper", "upper"]].filter(([key]) => is_number(found[key]) && found[key] <= high).map(([key, name]) => ({ x: found[key], name: key === "rate_per_s" ? name : "" })) : [];
  return part("capacity", "Capacity", capacity.slo ? `The highest rate that holds ${typeof capacity.slo === "string" ? capacity.slo : "the objective"}.` : "The highest rate that holds the objective.",
    found && is_number(found.rate_per_s) ? el("div", { class: `banner ${found.at_least ? "warn" : "good"}` }, el("strong", {}, `${found.at_least ? "at least " : ""}${per_s(found.rate_per_s)}`),
      is_number(found.lower) && is_number(found.upper) ? `between ${per_s(found.lower)} and ${per_s(found.upper)}` : "", is_number(found.samples) ? ` (${count(found.samples)} ${found.samples === 1 ? "trial" : "trials"} at that rate${found.confirmed === false ? ", not confirmed" : ""})` : "")
      : found ? el("div", { class: "banner bad" }, el("strong", {}, "No rate was found that holds it.")) : null,
    found ? facts(["limited_by", "offered_per_s", "failed_per_s"].filter((key) => found[key] !== null && found[key] !== undefined).map((key) => [key, found[key]])) : null,
    timed.length > 0 ? line_chart({
      key: "capacity", height: 270, legend: true, edges, x: { min: 0, max: high, name: "offered, a second", format: short_figure, tip: (x) => `offered ${per_s(x)}` }, y: { name: "p99 of the response", format: short_latency, tip: latency },
      label: `Scatter of ${timed.length} trials: offered rate and 99th percentile, held or not. The table below has the figures.`,
      series: [{ name: "objective held", color: "var(--good)", dots: true, points: points(true) }, { name: "not held", color: "var(--bad)", dots: true, points: points(false) }],
    }) : null, trials.length > 0 ? records(trials) : null);
}

const usl = (fit, n) => fit.lambda * n / (1 + fit.sigma * (n - 1) + fit.kappa * n * (n - 1));

function capacity_sweep(capacity) {
  const sweep = capacity.sweep;
  const points = sweep && Array.isArray(sweep.points) ? sweep.points.filter((p) => is_number(p.n) && is_number(p.per_s)) : [];
  if (points.length === 0) return null;
  const fit = is_object(sweep.fit) && is_number(sweep.fit.lambda) ? sweep.fit : null;
  const largest = Math.max(...points.map((p) => p.n));
  const reach = fit && is_number(fit.peak_n) ? Math.min(Math.max(largest, fit.peak_n * 1.15), largest * 2) : largest;
  const curve = fit ? Array.from({ length: 101 }, (_, i) => { const n = 1 + (reach - 1) * i / 100; return [n, usl(fit, n)]; }) : [];
  const residuals = fit && Array.isArray(fit.residuals) ? fit.residuals.map((r) => is_object(r) ? r.residual : r) : [];
  let used = 0;
  const rows = points.map((p) => {
    const residual = p.excluded ? null : residuals.length === points.length ? residuals[points.indexOf(p)] : residuals[used++];
    return [short_figure(p.n), `${figure(p.per_s)}/s`, fit ? `${figure(usl(fit, p.n))}/s` : "", is_number(residual) ? `${residual > 0 ? "+" : residual < 0 ? "−" : ""}${figure(Math.abs(residual))}` : "", p.excluded ? "left out" : ""];
  });
  const name = sweep.over || sweep.of || "n";
  const series = [{ name: "measured", color: "var(--c1)", dots: true, points: points.filter((p) => !p.excluded).map((p) => [p.n, p.per_s]) }];
  if (points.some((p) => p.excluded)) series.push({ name: "left out of the fit", color: "var(--c7)", dots: true, points: points.filter((p) => p.excluded).map((p) => [p.n, p.per_s, true]) });
  if (fit) series.unshift({ name: "fit", color: "var(--c6)", dash: "6 4", points: curve });
  return part("sweep", "Scalability", "Throughput over size, with the Universal Scalability Law fitted: λ is the throughput of one, σ what waits in line (contention), κ what agreement costs (crosstalk).",
    line_chart({
      key: "sweep", height: 290, legend: true, x: { min: 0, max: reach, name: String(name), format: short_figure, tip: (x) => `${name} ${figure(x)}` }, y: { name: "a second", format: short_figure, tip: (v) => `${figure(v)}/s`, log: false },
      edges: fit && is_number(fit.peak_n) && fit.peak_n <= reach ? [{ x: fit.peak_n, name: "peak" }] : [], series,
      label: `Scatter of ${points.length} measured sizes and the fitted curve. The table below has the figures.`,
    }), is_object(sweep.fit) && !fit ? el("p", { class: "note" }, `No curve was fitted: ${sweep.fit.reason || "the points do not allow it"}.`) : null, fit ? facts(Object.entries(fit).filter(([, value]) => is_number(value)).map(([key, value]) =>
      [key, el("span", {}, { lambda: () => `λ = ${figure(value)}/s`, sigma: () => `σ = ${Number(value.toPrecision(4))}`, kappa: () => `κ = ${Number(value.toPrecision(4))}`, r2: () => `R² = ${value.toFixed(4)}` }[key]?.() ?? figure(value))])) : null,
    table([{ name: String(name) }, { name: "Measured" }, { name: "Fit" }, { name: "Residual" }, { name: "" }], rows, { label: "Sweep" }));
}

function capacity_plan(capacity) {
  return is_object(capacity.plan) ? part("plan", "Plan", "How many relays, cores and bytes the asked-for users need, and what breaks first.", facts(Object.entries(capacity.plan).filter(([, value]) => value !== null)), is_number(capacity.rss_bytes_per_idle_conn) ? facts([["rss_bytes_per_idle_conn", el("span", {}, bytes_parts(capacity.rss_bytes_per_idle_conn).join(" "))]]) : null) : null;
}
