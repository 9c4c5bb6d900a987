// Charts: lines and marks over a shared axis, drawn at the width there is; a cross-hair by pointer or
// arrow keys; the figures as a table below each.

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

// As far below zero as above it.
function even_scale(most) {
  const step = nice_step(2 * (most || 1), 4);
  const top = Math.ceil(most / step - 1e-9) * step || step;
  const ticks = [];
  for (let tick = -top; tick <= top + step * 1e-6; tick += step) ticks.push(Math.abs(tick) < step * 1e-6 ? 0 : tick);
  return { at: (value) => (value + top) / (2 * top), ticks };
}

function scale_of(axis, values) {
  if (axis.even) return even_scale(Math.max(...values.map(Math.abs), 0));
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
}

const LETTER = 6.3; // the width of one, near enough

// What lies behind the lines: values that matter, where something begins.
function draw_references(plot, chart, options) {
  const { left, right, top, bottom } = plot;
  for (const level of options.levels || []) {
    chart.append(svg("line", { class: "level", x1: left, x2: right, y1: plot.y(level.y), y2: plot.y(level.y) }));
  }
  for (const edge of options.edges || []) {
    chart.append(svg("line", { class: edge.strong ? "edge strong" : "edge", x1: plot.x(edge.x), x2: plot.x(edge.x), y1: top, y2: bottom }));
  }
}

// Their names, in front of the lines. One that would cover another goes a row down; where there is no
// row left it is not written.
function draw_names(plot, chart, options) {
  const { left, right, top } = plot;
  const rows = [-Infinity, -Infinity, -Infinity];
  for (const level of options.levels || []) chart.append(svg("text", { class: "level-name", x: left + 6, y: plot.y(level.y) + (plot.y(level.y) < top + 14 ? 15 : -6) }, level.name));
  for (const edge of options.edges || []) {
    const x = plot.x(edge.x), length = String(edge.name).length * LETTER;
    const before = x + 5 + length > right + 8;
    const begin = before ? x - 5 - length : x + 5;
    const row = rows.findIndex((taken) => begin > taken);
    if (row < 0 || length === 0 || begin < 0) continue;
    rows[row] = begin + length + 6;
    chart.append(svg("text", { class: edge.strong ? "edge-name strong" : "edge-name", x: before ? x - 5 : x + 5, y: top + 10 + 14 * row, "text-anchor": before ? "end" : null }, edge.name));
  }
}

// Shapes differ as well as colours: not everybody sees colours.
function mark_at(shape, x, y, color, extra) {
  const stroke = `fill:none;stroke:${color}`;
  if (shape === "ring") return svg("circle", { cx: x, cy: y, r: 4, "stroke-width": 2, style: `fill:var(--card);stroke:${color}`, ...extra });
  if (shape === "cross") return svg("path", { d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`, "stroke-width": 2.2, "stroke-linecap": "round", style: stroke, ...extra });
  if (shape === "diamond") return svg("path", { d: `M${x} ${y - 5.5}l5.5 5.5l-5.5 5.5l-5.5 -5.5Z`, "stroke-width": 1.8, style: `fill:var(--card);stroke:${color}`, ...extra });
  return svg("circle", { cx: x, cy: y, r: 4.5, "stroke-width": 1.5, style: `fill:${color};stroke:var(--card)`, ...extra });
}

// From each mark to where it is held against.
function draw_sticks(plot, chart, s) {
  for (const [x, y] of s.points) {
    const to = s.sticks(x);
    if (is_number(y) && is_number(to)) chart.append(svg("line", { class: "stick", x1: plot.x(x), x2: plot.x(x), y1: plot.y(y), y2: plot.y(to), style: `stroke:${s.color}` }));
  }
}

function draw_series(plot, chart, s) {
  const at = ([x, y]) => `${plot.x(x).toFixed(1)} ${plot.y(y).toFixed(1)}`;
  for (const run of runs_of(s.points)) {
    if (s.area) {
      chart.append(svg("path", { class: "area", d: `M${plot.x(run[0][0])} ${plot.bottom}L${run.map(at).join("L")}L${plot.x(run.at(-1)[0])} ${plot.bottom}Z`, style: `fill:${s.color}` }));
    }
    if (!s.mark) chart.append(svg("path", { class: "line", d: `M${run.map(at).join("L")}`, "stroke-dasharray": s.dash, style: `stroke:${s.color}` }));
    if (s.mark || run.length < 3) {
      for (const [x, y] of run) chart.append(mark_at(s.mark || "dot", plot.x(x), plot.y(y), s.color, s.mark ? { "data-mark": s.mark } : { r: 3 }));
    }
  }
}

// Decades, and 2 and 5 in them where there is room.
function log_ticks(min, max, room) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power++) {
    for (const m of room / Math.log10(max / min) > 180 ? [1, 2, 5] : [1]) {
      const tick = m * 10 ** power;
      if (tick >= min * 0.999 && tick <= max * 1.001) ticks.push(tick);
    }
  }
  return ticks;
}

// Where a value lies between the ends of the x axis, 0 … 1, and back.
function x_scale(axis) {
  const span = axis.max - axis.min || 1, ratio = axis.log ? Math.log(axis.max / axis.min) || 1 : 1;
  return axis.log ? { at: (value) => Math.log(value / axis.min) / ratio, back: (share) => axis.min * Math.exp(share * ratio) }
    : { at: (value) => (value - axis.min) / span, back: (share) => axis.min + share * span };
}

function lay_out(options, width) {
  const ends = options.ends && width > 520;
  const plot = { series: options.series, left: 62, right: width - (ends || (options.room && width > 520) ? 62 : 14), top: 26, bottom: (options.height || 250) - 44 };
  const values = [...options.series.flatMap((s) => s.points.map((p) => p[1])), ...(options.levels || []).map((level) => level.y)].filter(is_number);
  const vertical = scale_of(options.y, values);
  const x_span = options.x.max - options.x.min || 1;
  const horizontal = x_scale(options.x);
  plot.ends = ends;
  plot.x = (value) => plot.left + horizontal.at(value) * (plot.right - plot.left);
  plot.x_back = horizontal.back;
  plot.y = (value) => plot.bottom - vertical.at(value) * (plot.bottom - plot.top);
  plot.y_ticks = vertical.ticks;
  const x_ticks = () => options.x.log ? log_ticks(options.x.min, options.x.max, plot.right - plot.left)
    : linear_scale(options.x.min, options.x.max, Math.max(3, Math.floor(width / 120))).ticks.filter((tick) => tick <= options.x.max + x_span * 1e-6);
  plot.x_ticks = options.x.ticks || x_ticks().map((tick) => [tick, options.x.format(tick)]);
  plot.stops = [...new Set(options.series.filter((s) => !s.at).flatMap((s) => s.points.filter((p) => is_number(p[1])).map((p) => p[0])))].sort((a, b) => a - b);
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
    // A rate may have been tried several times.
    for (const point of s.at ? [[stop, s.at(stop)]] : s.points.filter((p) => p[0] === stop)) {
      if (is_number(point[1])) chart.append(svg("circle", { class: "mark", cx: x, cy: plot.y(point[1]), r: s.mark ? 7 : 4, "stroke-width": 2, style: s.mark ? `fill:none;stroke:${s.color}` : `fill:${s.color};stroke:var(--card)` }));
      tip.append(el("div", {}, key_of(s), el("span", {}, s.name), el("span", {}, or_few(point[1], s.format || options.y.tip || options.y.format))));
    }
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
    move(plot.x_back(Math.min(1, Math.max(0, share))));
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

// A line or a mark as it is drawn.
function key_of(s) {
  return svg("svg", { class: "key", width: 22, height: 12, viewBox: "0 0 22 12", "aria-hidden": "true" },
    s.mark ? mark_at(s.mark, 11, 6, s.color) : svg("path", { class: "line", d: "M1 6H21", "stroke-dasharray": s.dash, style: `stroke:${s.color}` }));
}

function legend(series) {
  return el("ul", { class: "legend" }, series.filter((s) => s.points.length > 0).map((s) => el("li", {}, key_of(s), s.name)));
}

// The same figures as a table, for those who do not see the chart or want to copy them.
function figures_below(key, node) {
  const details = el("details", { open: opened.has(key) }, el("summary", {}, "Show as a table"), node);
  details.addEventListener("toggle", () => details.open ? opened.add(key) : opened.delete(key));
  return details;
}

// options: key, label (says what is to be seen), x {min, max, name, format, tip, ticks, log},
// y {name, format, tip, log, even}, series [{name, color, points [[x, y]], area, dash, mark: "dot", "ring",
// "cross" or "diamond", sticks: x → y it is held
// against, at: x → y of a curve, which is no stop of the cross-hair}], edges [{x, name, strong}], levels [{y, name}], table.
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
    draw_references(node.plot, chart, options);
    options.series.filter((s) => s.sticks).forEach((s) => draw_sticks(node.plot, chart, s));
    options.series.forEach((s) => draw_series(node.plot, chart, s));
    draw_names(node.plot, chart, options);
    if (node.plot.ends) end_labels(node.plot, chart);
    if (charts_at.has(options.key)) show_cross(node.plot, chart, tip, options, charts_at.get(options.key));
  };
  listen(node, chart, tip, options);
  watcher.observe(node);
  return options.table ? [node, figures_below(options.key, options.table)] : [node];
}
