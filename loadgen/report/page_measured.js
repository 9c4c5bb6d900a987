// Stages and groups: what each counted, and of its latencies the telling percentiles. What only one of
// several has is said below the table, in its name, so that the table stays narrow enough to be read.

const ALWAYS = new Set(["name", "behaviour", "kind", "users", "lost", "not_sent"]);
// What follows from other columns, or from the group's kind.
const DERIVED = new Set(["share", "unit_users", "envelopes_per_arrival"]);
const PARTICULARS_FROM = 3; // with fewer, a column says it as well

const is_nothing = (value) => value === 0 || value === false || value === null || value === undefined;
const histograms_of = (item) => is_object(item.latency_us) ? item.latency_us : Object.fromEntries(Object.entries(item).filter(([, h]) => is_object(h) && "p50" in h));
const has_samples = (h) => is_object(h) && h.count !== 0;
const or_words = (us) => is_number(us) ? latency(us) : TOO_FEW;

// [owner, text] of the one that alone has each of these.
function particulars_of(list, keys, lines) {
  const own = keys.map((key) => { const item = list.find((one) => !is_nothing(one[key])); return [item, [`${name_of(key).toLowerCase()} `, value_of(key, item[key])]]; });
  for (const line of lines) {
    const item = list.find((one) => has_samples(histograms_of(one)[line])), h = histograms_of(item)[line];
    own.push([item, `${name_of(line).toLowerCase()} p50 ${or_words(h.p50)}, p99 ${or_words(h.p99)}, longest ${or_words(h.max)}`]);
  }
  for (const item of list) {
    if (is_object(item.burst)) own.push([item, `${count(item.burst.count)} at once, every ${duration(item.burst.every_s)}`]);
  }
  return own;
}

function particulars(list, own) {
  const items = list.map((item) => [item, own.filter(([owner]) => owner === item)]).filter(([, texts]) => texts.length > 0);
  return items.length > 0 ? el("ul", { class: "said" }, items.map(([item, texts]) => el("li", {}, el("strong", {}, item.name || item.behaviour || ""), " ", texts.map(([, text], i) => [i > 0 ? "; " : "", text])))) : null;
}

function measured(list, label) {
  const keys = [...new Set(list.flatMap((item) => Object.keys(item)))].filter((key) => !DERIVED.has(key) && list.some((item) => !is_object(item[key]) && item[key] !== null && item[key] !== undefined))
    .filter((key) => key === "lost" || key === "not_sent" || list.some((item) => item[key] !== 0 && item[key] !== false));
  const lines = [...new Set(list.flatMap((item) => Object.entries(histograms_of(item)).filter(([, h]) => has_samples(h)).map(([key]) => key)))];
  const is_alone = (has) => list.length >= PARTICULARS_FROM && list.filter(has).length === 1;
  const key_is_alone = (key) => !ALWAYS.has(key) && is_alone((item) => !is_nothing(item[key]));
  const line_is_alone = (line) => line !== lines[0] && is_alone((item) => has_samples(histograms_of(item)[line]));
  const plain = keys.filter((key) => !key_is_alone(key));
  // All of the first one, of the others where they hurt.
  const shown = lines.filter((line) => !line_is_alone(line)).flatMap((line, i) => [["p50", "p50"], ["p99", "p99"], ["max", "longest"]].filter(([key]) => i === 0 || key === "p99")
    .map(([key, name]) => ({ line, key, name: line === "response" ? name.replace("longest", "Longest") : `${name_of(line)}, ${name}` })))
    .filter(({ line, key }) => list.some((item) => histograms_of(item)[line] && key in histograms_of(item)[line]));
  return [table([...plain.map((key) => ({ name: name_of(key), text: list.some((item) => typeof item[key] === "string") })), ...shown.map(({ name }) => ({ name }))],
    list.map((item) => {
      const row = [...plain.map((key) => item[key] === null || item[key] === undefined ? "" : value_of(key, item[key])),
        ...shown.map(({ line, key }) => { const h = histograms_of(item)[line]; return has_samples(h) ? or_few(h[key], latency) : ""; })];
      if (item.lost > 0) row.mark = "fault";
      return row;
    }), { label }), particulars(list, particulars_of(list, keys.filter(key_is_alone), lines.filter(line_is_alone)))];
}

function measured_part(id, title, about, list) {
  return Array.isArray(list) && list.length > 0 ? part(id, title, about, measured(list, title)) : null;
}

// One plain group is what the totals tell already.
function groups_part(result) {
  const list = Array.isArray(result.groups) ? result.groups.filter(is_object) : [];
  const is_plain = list.length === 1 && ["chat", "handshake", "idle"].includes(list[0].behaviour);
  return is_plain ? null : measured_part("groups", "Groups", "Each kind of user by itself. Latencies of users who were away on purpose are here alone.", list);
}
