// Charts: lines over a shared axis, drawn at the width there is; a cross-hair by pointer or arrow
// keys; the figures as a table below each.

const charts_at = new Map(); // key of a chart → the x its cross-hair is at, kept over redraws
const opened = new Set(); // keys of the <details> that are open, kept over redraws
const watcher = new ResizeObserver((entries) => entries.forEach((entry) => entry.target.redraw && entry.target.redraw()));

function nice_step(span, wanted) {
  const raw = span / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 2.5, 5, 10].find((m) => m * power >= raw * 0.999) * power;
}

function linear_scale(low, high, wanted) {
  if (!(high > low)) high = low + (Math.abs(low) || 1);
  const step = nice_step(high - low, wanted);
  const top = Math.ceil(high / step - 1e-9) * step;
  const ticks = [];
  for (let i = 0; low + i * step <= top + step * 1e-6 && i < 50; i++) ticks.push(low + i * step);
  return { at: (value) => (value - low) / (top - low), ticks };
}

function log_scale(low, high) {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(Math.ceil(Math.log10(high) - 1e-9), first + 1);
  // A decade that holds little is cut at 2 or 5.
  const from = Math.max(...[1, 2, 5].map((m) => m * 10 ** first).filter((v) => v <= low * 1.0001));
  const to = Math.min(...[1, 2, 5, 10].map((m) => m * 10 ** (last - 1)).filter((v) => v >= high * 0.9999));
  const parts = last - first <= 3 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = first; power <= last; power++) {
    for (const m of parts) {
      const tick = m * 10 ** power;
      if (tick >= from * 0.999 && tick <= to * 1.001) ticks.push(tick);
    }
  }
  const span = Math.log(to / from) || 1;
  return { at: (value) => Math.log(Math.max(value, from) / from) / span, ticks };
}

function scale_of(axis, values) {
  const positive = values.filter((v) => v > 0);
  const high = Math.max(...values, 0);
  const low = Math.min(...positive);
  if (axis.log !== false && positive.length > 0 && high / low > 12) return log_scale(low, high);
  return linear_scale(0, Math.max(high * 1.04, axis.at_least || 0), 4);
}

// Runs of neighbouring points that have a value.
function runs_of(points) {
  const runs = [[]];
  for (const point of points) {
    if (is_number(point[1])) runs.at(-1).push(point);
    else if (runs.at(-1).length > 0) runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}

// Labels at the lines' ends, moved apart.
function end_labels(plot, chart) {
  const ends = plot.series.filter((s) => s.points.some((p) => is_number(p[1])))
    .map((s) => ({ s, y: plot.y(s.points.findLast((p) => is_number(p[1]))[1]) })).sort((a, b) => a.y - b.y);
  for (let i = 1; i < ends.length; i++) ends[i].y = Math.max(ends[i].y, ends[i - 1].y + 14);
  const over = ends.length ? ends.at(-1).y - plot.bottom : 0;
  for (const end of ends) {
    chart.append(svg("text", { class: "end", x: plot.right + 8, y: end.y - Math.max(over, 0) + 4, style: `fill:${end.s.color}` }, end.s.name));
  }
}

function draw_axes(plot, chart, options) {
  const { left, right, top, bottom } = plot;
  for (const tick of plot.y_ticks) {
    const y = plot.y(tick);
    chart.append(svg("line", { class: tick === 0 ? "base" : "grid", x1: left, x2: right, y1: y, y2: y }),
      svg("text", { x: left - 9, y: y + 4, "text-anchor": "end" }, options.y.format(tick)));
  }
  chart.append(svg("line", { class: "base", x1: left, x2: right, y1: bottom, y2: bottom }));
  let taken = -Infinity;
  for (const [value, name] of plot.x_ticks) {
    const x = plot.x(value);
    if (x - taken < 46) continue;
    taken = x;
    chart.append(svg("line", { class: "base", x1: x, x2: x, y1: bottom, y2: bottom + 4 }),
      svg("text", { x, y: bottom + 19, "text-anchor": "middle" }, name));
  }
  chart.append(svg("text", { class: "axis-name", x: right, y: bottom + 37, "text-anchor": "end" }, options.x.name),
    svg("text", { class: "axis-name", x: 0, y: top - 14 }, options.y.name));
  for (const edge of options.edges || []) {
    const x = plot.x(edge.x);
    chart.append(svg("line", { class: "edge", x1: x, x2: x, y1: top, y2: bottom }),
      svg("text", { class: "edge-name", x: x + 5, y: top + 10 }, edge.name));
  }
}

function draw_series(plot, chart, s) {
  const at = ([x, y]) => `${plot.x(x).toFixed(1)} ${plot.y(y).toFixed(1)}`;
  for (const run of runs_of(s.points)) {
    if (s.area) {
      chart.append(svg("path", { class: "area", d: `M${plot.x(run[0][0])} ${plot.bottom}L${run.map(at).join("L")}L${plot.x(run.at(-1)[0])} ${plot.bottom}Z`, style: `fill:${s.color}` }));
    }
    if (!s.dots) chart.append(svg("path", { class: "line", d: `M${run.map(at).join("L")}`, "stroke-dasharray": s.dash, style: `stroke:${s.color}` }));
    if (s.dots || run.length < 3) {
      for (const [x, y, hollow] of run) {
        chart.append(svg("circle", { cx: plot.x(x), cy: plot.y(y), r: s.dots ? 4.5 : 3, "stroke-width": 2, style: hollow ? `fill:var(--card);stroke:${s.color}` : `fill:${s.color};stroke:${s.color}` }));
      }
    }
  }
}

function lay_out(options, width) {
  const ends = options.ends && width > 520;
  const plot = { series: options.series, left: 62, right: width - (ends || (options.room && width > 520) ? 62 : 14), top: 26, bottom: (options.height || 250) - 44 };
  const values = options.series.flatMap((s) => s.points.map((p) => p[1])).filter(is_number);
  const vertical = scale_of(options.y, values);
  const x_span = options.x.max - options.x.min || 1;
  plot.ends = ends;
  plot.x = (value) => plot.left + (value - options.x.min) / x_span * (plot.right - plot.left);
  plot.y = (value) => plot.bottom - vertical.at(value) * (plot.bottom - plot.top);
  plot.y_ticks = vertical.ticks;
  plot.x_ticks = options.x.ticks || linear_scale(options.x.min, options.x.max, Math.max(3, Math.floor(width / 120))).ticks
    .filter((tick) => tick <= options.x.max + x_span * 1e-6).map((tick) => [tick, options.x.format(tick)]);
  plot.stops = [...new Set(options.series.flatMap((s) => s.points.filter((p) => is_number(p[1])).map((p) => p[0])))].sort((a, b) => a - b);
  return plot;
}

function show_cross(plot, chart, tip, options, wanted) {
  chart.querySelectorAll(".cross, .mark").forEach((node) => node.remove());
  tip.hidden = wanted === undefined || plot.stops.length === 0;
  if (tip.hidden) return;
  const stop = plot.stops.reduce((a, b) => Math.abs(b - wanted) < Math.abs(a - wanted) ? b : a);
  const x = plot.x(stop);
  chart.append(svg("line", { class: "cross", x1: x, x2: x, y1: plot.top, y2: plot.bottom }));
  tip.replaceChildren(el("b", {}, options.x.tip ? options.x.tip(stop) : options.x.format(stop)));
  for (const s of options.series) {
    const point = s.points.find((p) => p[0] === stop);
    if (!point) continue;
    if (is_number(point[1])) chart.append(svg("circle", { class: "mark", cx: x, cy: plot.y(point[1]), r: 4, "stroke-width": 2, style: `fill:${s.color};stroke:var(--card)` }));
    tip.append(el("div", {}, el("i", { class: "key", style: { background: s.color } }), el("span", {}, s.name), el("span", {}, or_few(point[1], s.format || options.y.tip || options.y.format))));
  }
  const space = plot.right - tip.offsetWidth - 14;
  tip.style.left = `${Math.max(0, x > space ? x - tip.offsetWidth - 14 : x + 14)}px`;
  tip.style.top = `${plot.top + 6}px`;
}

function listen(figure_node, chart, tip, options) {
  const key = options.key;
  const move = (wanted) => {
    if (wanted === undefined) charts_at.delete(key);
    else charts_at.set(key, wanted);
    show_cross(figure_node.plot, chart, tip, options, wanted);
  };
  chart.addEventListener("pointermove", (event) => {
    const plot = figure_node.plot;
    const share = (event.clientX - chart.getBoundingClientRect().left - plot.left) / (plot.right - plot.left);
    move(options.x.min + Math.min(1, Math.max(0, share)) * (options.x.max - options.x.min));
  });
  chart.addEventListener("pointerleave", () => move(undefined));
  chart.addEventListener("blur", () => move(undefined));
  chart.addEventListener("keydown", (event) => {
    const stops = figure_node.plot.stops;
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") move(undefined);
    if (step === undefined || stops.length === 0) return;
    event.preventDefault();
    const now = charts_at.has(key) ? stops.findIndex((x) => x >= charts_at.get(key)) : step > 0 ? -1 : stops.length;
    move(stops[Math.min(stops.length - 1, Math.max(0, now + step))]);
  });
}

function legend(series) {
  return el("ul", { class: "legend" }, series.map((s) => el("li", {}, el("i", { class: "key", style: { background: s.color } }), s.name)));
}

// The same figures as a table, for those who do not see the chart or want to copy them.
function figures_below(key, node) {
  const details = el("details", { open: opened.has(key) }, el("summary", {}, "Show as a table"), node);
  details.addEventListener("toggle", () => details.open ? opened.add(key) : opened.delete(key));
  return details;
}

// options: key, label (says what is to be seen), x {min, max, name, format, tip, ticks},
// y {name, format, tip, log}, series [{name, color, points [[x, y]], area, dash, dots}], edges, table.
function line_chart(options) {
  const chart = svg("svg", { role: "img", tabindex: "0", "aria-label": options.label, "data-chart": options.key });
  const tip = el("div", { class: "tip", hidden: true, "aria-live": "polite" });
  const node = el("figure", {}, chart, tip, options.series.length > 1 || options.legend ? legend(options.series) : null);
  node.redraw = () => {
    const width = Math.round(node.clientWidth);
    if (width === 0 || (node.plot && node.plot.width === width)) return;
    const height = options.height || 250;
    node.plot = lay_out(options, width);
    node.plot.width = width;
    chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
    chart.setAttribute("height", height);
    chart.replaceChildren();
    draw_axes(node.plot, chart, options);
    options.series.forEach((s) => draw_series(node.plot, chart, s));
    if (node.plot.ends) end_labels(node.plot, chart);
    if (charts_at.has(options.key)) show_cross(node.plot, chart, tip, options, charts_at.get(options.key));
  };
  listen(node, chart, tip, options);
  watcher.observe(node);
  return options.table ? [node, figures_below(options.key, options.table)] : [node];
}
