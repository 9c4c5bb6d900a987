"""sealpost-load, with its normal work: chats of sealed envelopes, each accounted for."""
import json
import os

from . import tool
from .work import Said, Trouble


def parse_report(document):
    """Its result, the file of --json. Microseconds there."""
    latency = document["latency_us"]

    def ms(kind, name):
        value = latency[kind][name]
        return value / 1000 if value is not None else None

    fields = {"mean_ms": "mean", "p50_ms": "p50", "p90_ms": "p90", "p99_ms": "p99", "max_ms": "max"}
    return Said(messages=document["messages"]["count"], per_s=document["messages"]["per_s"],
                **{field: ms("response", name) for field, name in fields.items()},
                uncorrected={field: ms("uncorrected", name) for field, name in fields.items()},
                verdict=document["generator"]["verdict"])


class SealpostLoad(tool.Tool):
    name = "sealpost-load"
    counter = "envelopes_forwarded"
    work = ("chats of sealed envelopes: every message encrypted with AES-256-GCM, routed to "
            "another connection, decrypted, and accounted for")
    latency = "from the intended time, and uncorrected, from the send"
    # The generator may find itself suspect on a busy machine; its verdict stands in the result.
    exit_codes = (0, 112)

    def __init__(self, program, cpu):
        self.path = program
        self.cpu = cpu

    def version(self):
        line = tool.first_line(self.path, "--version")
        if line is None:
            raise Trouble(f"there is no {self.path}: build it, or name it with --load")
        return line.split()[-1]

    def command(self, work, relay, folder):
        command = [self.path, relay.url, "--connections", str(work.connections), "--payload",
                   str(work.payload_bytes), "--duration", f"{work.seconds:g}", "--warmup", "500ms",
                   "--pin", str(self.cpu), "--quiet", "--json",
                   os.path.join(folder, "sealpost.json")]
        return command + (["--rate", f"{work.rate:g}"] if work.rate else ["--in-flight", "1"])

    def said(self, work, folder):
        return parse_report(json.loads(tool.read(folder, "sealpost.json")))
