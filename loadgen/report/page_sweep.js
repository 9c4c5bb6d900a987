// The sweep over sizes: what was measured, the curve fitted to it, and what is left between them.

const usl = (fit, n) => fit.lambda * n / (1 + fit.sigma * (n - 1) + fit.kappa * n * (n - 1));
const signed = (value, format) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${format(Math.abs(value))}`;
const one_of = (name) => name.endsWith("s") ? name.slice(0, -1) : name;

// The points with their residuals. Those that were left out of the fit have none.
function sweep_points(sweep) {
  const points = (Array.isArray(sweep.points) ? sweep.points : []).filter((p) => is_object(p) && is_number(p.n) && is_number(p.per_s));
  const fit = is_object(sweep.fit) && is_number(sweep.fit.lambda) ? sweep.fit : null;
  return { fit, points: points.map((p) => ({ ...p, fitted: fit ? usl(fit, p.n) : null, residual: fit && !p.excluded ? p.per_s - usl(fit, p.n) : null })) };
}

function size_axis(points, name, reach) {
  const sizes = [...new Set(points.map((p) => p.n))].sort((a, b) => a - b);
  const log = sizes.at(-1) / sizes[0] > 12;
  const axis = { name, format: axis_figure, tip: (x) => `${figure(x)} ${name}`, log, min: log ? sizes[0] / 1.15 : 0, max: log ? reach * 1.15 : reach * 1.03 };
  return sizes.length <= 14 ? { ...axis, ticks: sizes.map((n) => [n, axis_figure(n)]) } : axis;
}

function sweep_chart(sweep, points, fit, name) {
  const sizes = points.map((p) => p.n), least = Math.min(...sizes), largest = Math.max(...sizes);
  const reach = fit && is_number(fit.peak_n) ? Math.min(Math.max(largest, fit.peak_n * 1.15), largest * 2) : largest;
  const curve = fit ? Array.from({ length: 101 }, (_, i) => least * (reach / least) ** (i / 100)).map((n) => [n, usl(fit, n)]) : [];
  const series = [{ name: "measured", color: "var(--c1)", mark: "dot", sticks: fit ? (n) => usl(fit, n) : null, points: points.filter((p) => !p.excluded).map((p) => [p.n, p.per_s]) },
    { name: "left out of the fit", color: "var(--c7)", mark: "diamond", points: points.filter((p) => p.excluded).map((p) => [p.n, p.per_s]) }];
  if (fit) series.unshift({ name: "fitted curve", color: "var(--c6)", points: curve, at: (n) => usl(fit, n) });
  return [line_chart({
    key: "sweep", height: 300, legend: true, x: size_axis(points, name, reach), y: { name: "envelopes a second", format: axis_figure, tip: per_second, log: false },
    edges: fit && is_number(fit.peak_n) && fit.peak_n <= reach ? [{ x: fit.peak_n, name: `peak ${axis_figure(Math.round(fit.peak_per_s ?? usl(fit, fit.peak_n)))}/s at ${figure(fit.peak_n)}`, strong: true }] : [], series,
    label: `Scatter of ${points.length} measured sizes${fit ? ", the fitted curve, and a line from each point to it" : ""}. The table below has the figures.`,
  }), fit ? line_chart({
    key: "residuals", height: 190, x: size_axis(points, name, reach), y: { name: "residual, share of what was measured", format: (v) => v === 0 ? "0" : `${signed(v, short_figure)} %`, tip: (v) => signed(v, percent), even: true },
    series: [{ name: "measured − fitted", color: "var(--c1)", mark: "dot", sticks: () => 0, points: points.filter((p) => is_number(p.residual)).map((p) => [p.n, 100 * p.residual / p.per_s]) }],
    label: `The residuals of ${points.filter((p) => is_number(p.residual)).length} points around zero. The table below has the figures.`,
  }) : null];
}

function fit_table(fit, name) {
  const one = one_of(name);
  const rows = [["λ", per_second(fit.lambda), `what one ${one} would carry alone`],
    ["σ", String(Number(fit.sigma.toPrecision(3))), fit.sigma > 0 ? `contention, what waits in line; without crosstalk the most would be λ/σ = ${per_second(fit.lambda / fit.sigma)}` : "contention: nothing waits in line"],
    ["κ", String(Number(fit.kappa.toPrecision(3))), fit.kappa > 0 ? `crosstalk, what each must settle with each: beyond the peak, more ${name} carry less` : `crosstalk: none, more ${name} never carry less`]];
  if (is_number(fit.peak_n)) rows.push(["Peak", per_second(fit.peak_per_s ?? usl(fit, fit.peak_n)), `at ${figure(fit.peak_n)} ${name}`]);
  if (is_number(fit.r2)) rows.push(["R²", fit.r2.toFixed(4), "share of the variance that the curve explains"]);
  if (is_number(fit.residual_rms)) rows.push(["Residuals", percent(100 * fit.residual_rms), "root mean square, of what was measured; over 10 % no curve is shown"]);
  return table([{ name: "X(N) = λN / (1 + σ(N − 1) + κN(N − 1))" }, { name: "Value" }, { name: "Meaning", text: true, wide: true }], rows, { label: "Fit", stacked: true });
}

function sweep_table(points, fit, name) {
  const has = (key) => points.some((p) => is_number(p[key]));
  const columns = [[name.charAt(0).toUpperCase() + name.slice(1), (p) => count(p.n)], ["Measured", (p) => per_second(p.per_s)], ["Fitted", (p) => fit ? per_second(p.fitted) : "", fit],
    ["Residual", (p) => is_number(p.residual) ? signed(p.residual, per_second) : "", fit], ["Share", (p) => is_number(p.residual) ? signed(100 * p.residual / p.per_s, percent) : "", fit],
    ["p50", (p) => or_few(p.p50_us, latency), has("p50_us")], ["p99", (p) => or_few(p.p99_us, latency), has("p99_us")],
    ["Relay CPU", (p) => is_number(p.server_cpu_ns_per_msg) ? nanoseconds_parts(p.server_cpu_ns_per_msg).join("\u00a0") : "", has("server_cpu_ns_per_msg")],
    ["Generator", (p) => p.verdict ? el("span", { class: `word ${(VERDICTS[p.verdict] || ["warn"])[0]}` }, p.verdict) : "", points.some((p) => p.verdict)],
    ["", (p) => [p.excluded ? "left out of the fit" : null, p.reason ? el("small", {}, p.reason) : null].filter(Boolean), points.some((p) => p.excluded || p.reason), true]].filter(([, , there]) => there !== false && there !== null);
  return table(columns.map(([title, , , wide]) => ({ name: title, text: wide, wide })), points.map((p) => {
    const row = columns.map(([, cell]) => cell(p));
    if (p.excluded) row.mark = "aside";
    return row;
  }), { label: "Sweep" });
}

function capacity_sweep(capacity) {
  const sweep = capacity.sweep;
  if (!is_object(sweep)) return null;
  const { fit, points } = sweep_points(sweep);
  if (points.length === 0) return null;
  const name = String(sweep.over || "size");
  return part("sweep", "Scalability", `Throughput over ${name}, closed loop${fit ? ", with the Universal Scalability Law fitted" : ""}. Points where the generator was the limit are marked and left out.`,
    is_object(sweep.fit) && !fit ? el("div", { class: "banner warn" }, el("strong", {}, "No curve was fitted."), `${sweep.fit.reason || "The points do not allow it"}.`) : null,
    sweep_chart(sweep, points, fit, name), fit ? [el("h3", {}, "The curve"), fit_table(fit, name)] : null, el("h3", {}, "The points"), sweep_table(points, fit, name));
}
