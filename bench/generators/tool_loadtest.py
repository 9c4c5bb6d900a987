"""loadtest: Node.js, connections that each send the next message when the answer is there."""
import re

from . import tool
from .work import Said, Trouble


def parse_report(text):
    """What it prints at the end. Latencies in whole milliseconds."""
    def number(pattern):
        match = re.search(pattern, text, re.MULTILINE)
        if not match:
            raise Trouble(f"loadtest's report has no line like '{pattern}'")
        return float(match.group(1))

    errors = number(r"^Total errors:\s+([0-9]+)")
    if errors:
        raise Trouble(f"loadtest counted {errors:.0f} errors")
    return Said(messages=int(number(r"^Completed requests:\s+([0-9]+)")),
                per_s=number(r"^Effective rps:\s+([0-9.]+)"),
                mean_ms=number(r"^Mean latency:\s+([0-9.]+) ms"),
                p50_ms=number(r"^\s+50%\s+([0-9.]+) ms"),
                p90_ms=number(r"^\s+90%\s+([0-9.]+) ms"),
                p99_ms=number(r"^\s+99%\s+([0-9.]+) ms"),
                max_ms=number(r"^\s+100%\s+([0-9.]+) ms"))


class Loadtest(tool.NpmTool):
    name = "loadtest"
    script = "bin/loadtest.js"
    arrival_s = 1
    work = ("text messages (JSON, it takes nothing else) that come back on /echo, no cryptography; "
            "each message leaves three listeners behind, so it slows down")
    latency = "from the send; it has no rate for WebSockets, so it always sends as fast as it can"

    def command(self, work, relay, folder):
        message = tool.write(folder, "message.mjs", tool.template("loadtest_message.mjs"))
        return [*self.program(), "-c", str(work.connections), "-t", str(round(work.seconds)),
                "--cores", "1", "--quiet", "-R", message, relay.url + "/echo"]

    def environment(self, folder):
        return {"HOME": folder, "NODE_NO_WARNINGS": "1"}

    def said(self, work, folder):
        return parse_report(tool.read(folder, "output.txt"))
