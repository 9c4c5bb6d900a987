"""artillery: Node.js, virtual users who go through a scenario; its engine `ws`."""
import json

from . import tool
from .work import Said, Trouble

LATENCY = "sealpost.echo_ms"


def scenario(work, url, processor):
    """The test script. The answer is waited for with `match`, the engine's way of doing it."""
    send = {"send": {"payload": "x" * work.payload_bytes, "match": {"regexp": "x", "value": "x"}}}
    steps = [send]
    if work.rate:
        # The engine reports no latency of messages; with a rate we measure it for it.
        steps = [{"think": f"{work.think_s * 1000:g}ms"}, {"function": "before"}, send,
                 {"function": "after"}]
    return {
        "config": {
            "target": url + "/echo",
            "phases": [{"duration": 1, "arrivalCount": work.connections}],
            "processor": processor,
            "variables": {"seconds": [work.seconds], "users": [work.connections],
                          "pause_ms": [work.think_s * 1000]},
        },
        "scenarios": [{"engine": "ws", "flow": [
            {"function": "arrive"}, {"loop": steps, "whileTrue": "goOn"}]}],
    }


def parse_report(document):
    """The file of `artillery run --output`: sums over the run under `aggregate`."""
    aggregate = document.get("aggregate", {})
    counters = aggregate.get("counters", {})
    messages = counters.get("websocket.messages_received", 0)
    if messages == 0:
        raise Trouble("artillery received no message")
    failed = counters.get("vusers.failed", 0)
    if failed:
        raise Trouble(f"{failed} of artillery's users failed")
    latency = aggregate.get("summaries", {}).get(LATENCY, {})
    return Said(messages=messages, per_s=aggregate.get("rates", {}).get("websocket.receive_rate"),
                mean_ms=latency.get("mean"), p50_ms=latency.get("p50"), p90_ms=latency.get("p90"),
                p99_ms=latency.get("p99"), max_ms=latency.get("max"))


class Artillery(tool.NpmTool):
    name = "artillery"
    script = "bin/run"
    work = "text messages (it sends no binary ones) that come back on /echo, no cryptography"
    latency = ("none of its own; the figures are from a processor of ours that takes the time "
               "around a message and puts it into artillery's histogram")

    def command(self, work, relay, folder):
        processor = tool.write(folder, "processor.cjs", tool.template("artillery_processor.cjs"))
        config = tool.write(folder, "artillery.json",
                            json.dumps(scenario(work, relay.url, processor)))
        return [*self.program(), "run", config, "--output", f"{folder}/artillery-report.json"]

    def environment(self, folder):
        return {"HOME": folder, "ARTILLERY_DISABLE_TELEMETRY": "true", "WORKERS": "1"}

    def said(self, work, folder):
        try:
            return parse_report(json.loads(tool.read(folder, "artillery-report.json")))
        except FileNotFoundError:
            raise Trouble("artillery wrote no report: " +
                          tool.read(folder, "output.txt").strip()[-300:]) from None
