"""thor: Node.js, connections that each send the next message when the answer is there.

Its dependencies ws and fast-stats are named by their repositories; scripts/setup takes them from the
npm registry instead.
"""
import re

from . import tool
from .work import Said, Trouble

# For each connection; it knows no time, so it is interrupted when enough was measured.
MESSAGES = 10**9


def parse_report(text):
    """What it prints at the end. Latencies in whole milliseconds; what it labels 98 % again is 99 %.

    What it counts as failed is not looked at: being interrupted is what fails.
    """
    def row(name, part):
        match = re.search(rf"^{name} +([0-9 ]+?) *$", part, re.MULTILINE)
        if not match:
            raise Trouble(f"thor's report has no line '{name}' with numbers")
        return [float(value) for value in match.group(1).split()]

    durations, _, percentiles = text.partition("Percentile (ms):")
    low_to_high = row("Latency", durations)
    quantiles = row("Latency", percentiles)
    if len(low_to_high) != 5 or len(quantiles) != 9:
        raise Trouble("thor's report has another form than that of version 1.0.0")
    return Said(mean_ms=low_to_high[1], p50_ms=quantiles[0], p90_ms=quantiles[4],
                p99_ms=quantiles[7], max_ms=low_to_high[4])


class Thor(tool.NpmTool):
    name = "thor"
    script = "bin/thor"
    ends_by_itself = False
    work = "binary messages that come back on /echo, no cryptography"
    latency = "from the send, in whole ms; it has no rate, so it always sends as fast as it can"

    def command(self, work, relay, folder):
        return [*self.program(), "--amount", str(work.connections), "--messages", str(MESSAGES),
                "--buffer", str(work.payload_bytes), "--workers", "1", "--masked", "--binary",
                relay.url + "/echo"]

    def environment(self, folder):
        return {"HOME": folder, "NODE_NO_WARNINGS": "1"}

    def said(self, work, folder):
        return parse_report(tool.read(folder, "output.txt"))
