// The agents or processes that made the load together: a row each, of a saved result or of a run
// that goes on.

const AGENT_FAULTS = ["lost", "duplicate", "reordered", "gaps", "misrouted", "auth_fail", "foreign", "disconnected"];
const faults_of = (agent) => is_number(agent.faults) ? agent.faults : AGENT_FAULTS.reduce((sum, key) => sum + (agent[key] || 0), 0);

// "10", or "8 of 10" while or where some are missing.
function connections_of(agent) {
  const there = is_number(agent.connected) ? agent.connected : agent.settled;
  return is_number(there) && there !== agent.connections ? `${count(there)} of ${count(agent.connections)}` : count(agent.connections);
}

function busiest(agent) {
  const busy = agent.busy_pct_per_thread || [];
  if (busy.length === 0) return "";
  const most = Math.max(...busy);
  return el("span", { class: "meter" }, el("span", { class: "bar", "aria-hidden": "true" }, el("i", { class: most >= 95 ? "bad" : most >= 80 ? "warn" : null, style: { width: `${Math.min(100, most)}%` } })), el("span", {}, percent(most)));
}

function state_of(agent) {
  if (agent.state) return el("span", { class: agent.state === "lost" ? "no" : null }, PHASES[agent.state] || agent.state);
  if (!agent.has_result) return el("span", { class: "no" }, "no result");
  const [tone] = VERDICTS[agent.verdict] || ["warn"];
  return el("span", { class: `word ${tone}` }, agent.verdict);
}

function agents_part(result) {
  const agents = Array.isArray(result.agents) ? result.agents.filter(is_object) : [];
  if (agents.length === 0) return null;
  const handshakes = what_is_counted(result) === "handshakes", idle = (result.run?.config || {}).mode === "idle";
  const rate = handshakes ? "handshakes_per_s" : "per_s";
  const per_s = (value) => is_number(value) ? `${figure(value)}/s` : "";
  const timed = agents.some((a) => is_number(a.response_p50_us) || is_number(a.response_p99_us));
  const columns = [["Name", (a) => a.name], ["Threads", (a) => count(a.threads || 0)], ["Connections", connections_of],
    ["Offered", (a) => per_s(a.rate_per_s), agents.some((a) => is_number(a.rate_per_s))],
    [handshakes ? "Completed" : "Delivered", (a) => per_s(a[rate]), !idle && agents.some((a) => is_number(a[rate]))],
    ["p50", (a) => is_number(a[rate]) ? or_few(a.response_p50_us, latency) : "", timed], ["p99", (a) => is_number(a[rate]) ? or_few(a.response_p99_us, latency) : "", timed],
    ["Faults", (a) => count(faults_of(a)), agents.some((a) => faults_of(a) > 0)],
    ["Taken by the hypervisor", (a) => is_number(a.steal_pct) ? percent(a.steal_pct) : "", agents.some((a) => a.steal_pct >= 1)],
    ["Busiest thread", busiest, agents.some((a) => (a.busy_pct_per_thread || []).length > 0)], [result.live ? "State" : "Verdict", state_of]].filter(([, , there]) => there !== false);
  const rows = agents.map((agent) => {
    const row = columns.map(([, cell]) => cell(agent));
    if (faults_of(agent) > 0 || (!agent.has_result && !agent.state) || agent.state === "lost") row.mark = "fault";
    return row;
  });
  const words = agents.flatMap((agent) => [agent.failure, ...(agent.reasons || [])].filter(Boolean).map((text) => [agent.name, text]));
  return part("agents", "Agents", `${agents.length === 1 ? "One process" : `${count(agents.length)} processes`} made the load, each its own users. Histograms are merged and counters added, then the whole is judged; these are the parts.`,
    table(columns.map(([name]) => ({ name })), rows, { label: "Agents" }),
    words.length > 0 ? el("ul", { class: "said" }, words.map(([name, text]) => el("li", {}, el("strong", {}, name), " ", told(text)))) : null);
}

// What the bars of the generator's threads are called: threads of all agents in turn.
function thread_names(result, threads) {
  const names = (result.agents || []).filter(is_object).flatMap((agent) => Array.from({ length: agent.threads || 0 }, (_, i) => agent.threads > 1 ? `${agent.name}, thread ${i}` : agent.name));
  return names.length === threads ? names : Array.from({ length: threads }, (_, i) => `Thread ${i}`);
}
