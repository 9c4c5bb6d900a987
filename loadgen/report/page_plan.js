// The plan: how many relays, and which of their resources is used up first.

// Arithmetic as the planner has it, its thousands grouped so that they can be read.
const readable = (text) => String(text).replace(/(?<![\d.])\d{5,}/g, (digits) => grouped.format(Number(digits))).replaceAll(" x ", " × ");

const bits = (value) => value >= 1e9 ? `${figure(value / 1e9)} Gbit/s` : value >= 1e6 ? `${figure(value / 1e6)} Mbit/s` : `${figure(value / 1e3)} kbit/s`;
const share_of = (value) => percent(100 * value);

const ASKED = [["users", "Users", count], ["online", "Online of them", share_of], ["messages_a_day", "Envelopes a day, of each", short_figure], ["peak_factor", "Peak", (value) => `${short_figure(value)} times the day’s mean`],
  ["cores", "Cores of a relay", short_figure], ["memory_bytes", "Memory of a relay", (value) => bytes_parts(value).join("\u00a0")], ["descriptors", "Descriptors of a relay", count], ["nic_bits_per_s", "Network of a relay", bits],
  ["headroom", "May be used of processors and network", share_of]];

function plan_banner(plan) {
  if (!is_number(plan.relays)) return null;
  const asked = is_object(plan.asked) && is_number(plan.asked.users) ? ` for ${count(plan.asked.users)} users` : "";
  const first = plan.breaks_first, share = (plan.relays_by || {})[first];
  const verb = (word) => String(first).endsWith("s") ? word : `${word}s`;
  return el("div", { class: "banner good" }, el("strong", {}, `${count(plan.relays)} ${plan.relays === 1 ? "relay" : "relays"}${asked}; ${first} ${verb("break")} first.`),
    is_number(share) ? `At the peak the ${first} of ${plan.relays === 1 ? "it" : "each"} ${String(first).endsWith("s") ? "are" : "is"} used to ${percent(100 * share / plan.relays)} of what may be used.` : "");
}

function plan_limits(plan) {
  const by = Object.entries(plan.relays_by || {});
  if (by.length === 0) return null;
  const most = Math.max(...by.map(([, relays]) => relays || 0), plan.relays || 0) || 1;
  const rows = by.sort(([, a], [, b]) => (b ?? -1) - (a ?? -1)).map(([limit, relays]) => {
    const first = limit === plan.breaks_first;
    const row = [el("span", { class: "whole" }, name_of(limit), " ", first ? el("small", { class: "tag" }, "breaks\u00a0first") : null), is_number(relays) ? short_relays(relays) : el("span", { class: "few" }, "not measured"),
      is_number(relays) ? el("span", { class: "bar long", "aria-hidden": "true" }, el("i", { class: first ? "warn" : null, style: { width: `${100 * relays / most}%` } })) : "", readable((plan.arithmetic || {})[limit] || "")];
    if (first) row.mark = "strong";
    return row;
  });
  return table([{ name: "Resource" }, { name: "Relays it asks for" }, { name: "", full: true }, { name: "Arithmetic", text: true, wide: true }], rows, { label: "Relays by resource", stacked: true });
}

const short_relays = (relays) => relays > 0 && relays < 0.01 ? "under 0.01" : relays.toFixed(2);

function capacity_plan(capacity) {
  const plan = capacity.plan;
  if (!is_object(plan)) return null;
  const told = new Set(["relays", "breaks_first", "relays_by", "arithmetic", "asked"]);
  const limits = new Set([...Object.keys(plan.relays_by || {}), "relays"]);
  const lines = Object.entries(plan.arithmetic || {}).filter(([name]) => !limits.has(name));
  const asked = ASKED.filter(([key]) => is_number((plan.asked || {})[key])).map(([key, name, format]) => [name, el("span", {}, format(plan.asked[key]))]);
  const needed = Object.entries(plan).filter(([key, value]) => !told.has(key) && value !== null).map(([key, value]) => key === "bits_per_s" ? ["network", el("span", {}, `${bits(value)}, the busier direction`)] : [key, value]);
  return part("plan", "Plan", "How many relays the asked-for users need. The resource that asks for the most of them breaks first.", plan_banner(plan), plan_limits(plan),
    el("div", { class: "pair plain" }, asked.length > 0 ? el("div", {}, el("h3", {}, "Asked for"), facts(asked)) : null, needed.length > 0 ? el("div", {}, el("h3", {}, "Needed at the peak, by all relays"), facts(needed)) : null),
    lines.length > 0 ? [el("h3", {}, "How the demand was reckoned"), facts(lines.map(([name, text]) => [name.replaceAll(" ", "_"), el("span", {}, readable(text))]))] : null);
}
