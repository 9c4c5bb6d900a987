"""The result of a comparison: the JSON document and the tables for people. No measuring."""
import json
import os
import platform

from . import arithmetic

SCHEMA = "sealpost.generators/1"
OURS = "sealpost-load"
RATE_FIELDS = ("per_s", "cpu_ns_per_message", "per_core_second", "busy", "memory_bytes",
               "resident_bytes", "memory_bytes_per_connection")
STALL_FIELDS = ("mean_ms", "p50_ms", "p90_ms", "p99_ms", "max_ms")


def processor():
    with open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return "unknown"


def environment():
    return {"cpu": processor(), "cores": os.cpu_count(), "kernel": platform.release()}


def summarise_rate(rounds):
    """`rounds`: [{tool, connections, …}] → a row for each tool and number of connections."""
    rows = []
    ours = {}
    for entry in rounds:
        key = entry["tool"], entry["connections"]
        if key not in [(row["tool"], row["connections"]) for row in rows]:
            rows.append({"tool": entry["tool"], "connections": entry["connections"]})
    rows.sort(key=lambda row: row["connections"])
    for row in rows:
        mine = [entry for entry in rounds
                if (entry["tool"], entry["connections"]) == (row["tool"], row["connections"])]
        for field in RATE_FIELDS:
            row[field] = arithmetic.summarise([entry[field] for entry in mine])
        row["said_per_s"] = arithmetic.summarise([entry["said"]["per_s"] for entry in mine])
        row["_each"] = {entry["round"]: entry["per_core_second"] for entry in mine}
        if row["tool"] == OURS:
            ours[row["connections"]] = row["_each"]
    for row in rows:
        each = row.pop("_each")
        mine = ours.get(row["connections"], {})
        both = sorted(set(each) & set(mine))
        row["sealpost_load_times"] = arithmetic.ratio_of_rounds(
            [mine[n] for n in both], [each[n] for n in both])
    return rows


def document(run, tools, rate, stall):
    """The whole result, ready for JSON."""
    return {"schema": SCHEMA, "run": run, "env": environment(),
            "tools": [{"name": tool.name, "version": version, "work": tool.work,
                       "latency": tool.latency} for tool, version in tools],
            "rate": {"rows": summarise_rate(rate), "rounds": rate}, "stall": stall}


def _number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def _range(summary, digits=0):
    if summary is None:
        return "-"
    text = _number(summary["median"], digits)
    low, high = _number(summary["low"], digits), _number(summary["high"], digits)
    return text if low == high else f"{text} ({low}–{high})"


def _median(summary, scale=1, digits=0):
    return "-" if summary is None else _number(summary["median"] / scale, digits)


def rate_table(rows):
    lines = ["| generator | connections | messages per core-second | sealpost-load to it "
             "| CPU per message, ns | messages/s | its core busy | memory, MiB | a connection, KiB "
             "| it says, messages/s |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        name = f"**{row['tool']}**" if row["tool"] == OURS else row["tool"]
        times = row["sealpost_load_times"]
        lines.append(
            f"| {name} | {row['connections']:,} | {_range(row['per_core_second'])} "
            f"| {'-' if times is None else f'{times:.1f}×'} "
            f"| {_median(row['cpu_ns_per_message'])} | {_median(row['per_s'])} "
            f"| {_median(row['busy'], 0.01)} % "
            f"| {_median(row['memory_bytes'], 2**20, 1)} "
            f"| {_median(row['memory_bytes_per_connection'], 2**10, 1)} "
            f"| {_median(row['said_per_s'])} |")
    return "\n".join(lines)


def _stall_line(name, seconds, messages, values):
    cells = " | ".join(_number(values.get(field), 1) for field in STALL_FIELDS)
    return f"| {name} | {seconds} | {messages} | {cells} |"


def stall_table(runs):
    """A row for what each generator reports, below the values of the open loop itself."""
    lines = ["| generator | stall, s | messages | mean, ms | p50, ms | p90, ms | p99, ms "
             "| max, ms |",
             "|---|---|---|---|---|---|---|---|"]
    for run in runs:
        said, seconds, count = run["said"], f"{run['stall_s']:.3f}", _number(run["messages"])
        if run["tool"] == OURS:
            lines.append(_stall_line("*an open loop must say*", seconds, "-", run["open_loop"]))
            lines.append(_stall_line(f"**{OURS}**", seconds, count, said))
            lines.append(_stall_line(f"{OURS}, uncorrected", seconds, count, said["uncorrected"]))
        else:
            lines.append(_stall_line(run["tool"], seconds, count, said))
    return "\n".join(lines)


def summary(result):
    """The page for people."""
    run, env = result["run"], result["env"]
    lines = ["# Load generators side by side", "",
             f"- Command: `{run['command']}`",
             f"- Machine: {env['cpu']}, {env['cores']} processors, Linux {env['kernel']}; relay on "
             f"processor {run['server_cpu']}, the generator with all its processes on "
             f"{run['client_cpu']}",
             f"- Commit: {run['commit']}; {run['started']}", ""]
    lines += [f"- {tool['name']} {tool['version']}: {tool['work']}. Latency: {tool['latency']}."
              for tool in result["tools"]]
    if result["rate"]["rows"]:
        lines += ["", "## As fast as it can", "",
                  f"One message of {run['payload_bytes']} bytes in flight for each connection; "
                  f"{run['rounds']} interleaved rounds, windows of {run['seconds']:g} s, medians "
                  "(and extremes). Messages are counted by the relay, processor time and memory "
                  "are those of all the generator's processes.", "",
                  rate_table(result["rate"]["rows"])]
    if result["stall"]:
        rate = run["stall_rate"]
        pause_ms = run["stall_connections"] / rate * 1000
        lines += ["", "## A stall", "",
                  f"{run['stall_connections']} connections, {rate:,g} messages a second for "
                  f"{run['stall_window']:g} s (users who pause {pause_ms:g} ms after each answer "
                  "where a tool has no schedule), the relay stopped in the middle.", "",
                  stall_table(result["stall"])]
    return "\n".join(lines) + "\n"


def write(path, text):
    """Whole or not at all."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".part", "w") as file:
        file.write(text)
    os.replace(path + ".part", path)


def write_json(path, result):
    write(path, json.dumps(result, indent=2) + "\n")
