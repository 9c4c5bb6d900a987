"""The command line of the comparison, and the order in which things are measured."""
import argparse
import datetime
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

from . import measure, report
from .tool_artillery import Artillery
from .tool_loadtest import Loadtest
from .tool_sealpost import SealpostLoad
from .tool_thor import Thor
from .tool_tsung import Tsung
from .work import Trouble, Work

PASS, FAILED, BAD_OPTIONS, INTERRUPTED = 0, 1, 104, 105
NAMES = ("sealpost-load", "tsung", "artillery", "loadtest", "thor")
PARTS = ("rate", "stall")
STALL_CONNECTIONS = 100
ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(BAD_OPTIONS, f"bench-generators: {message} "
                               "(see scripts/bench-generators --help)\n")


def number(kind, lowest, highest):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(
                f"'{text}' is no number from {lowest:,} to {highest:,}")
        return value
    return parse


def names(allowed):
    def parse(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in allowed:
                raise argparse.ArgumentTypeError(
                    f"there is no '{name}'; there are: {', '.join(allowed)}")
        return [name for name in allowed if name in chosen]
    return parse


def counts(text):
    return sorted({number(int, 2, 10000)(part) for part in text.split(",")})


def folder_part(text):
    if not text or "/" in text:
        raise argparse.ArgumentTypeError(f"'{text}' cannot be part of a folder's name")
    return text


def options(arguments):
    parser = Parser(
        prog="scripts/bench-generators", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="sealpost-load beside foreign WebSocket load generators, against one relay:\n"
                    "messages for each second of processor time, memory, and what each reports\n"
                    "when the relay stalls. Installs and builds what is missing, not with --relay\n"
                    "or --load. The tables are printed; the figures stand in\n"
                    "results/latest/generators.json. Nothing else may run on the machine.\n"
                    "Five minutes without the build.",
        epilog="The foreign ones alone are installed by 'scripts/setup --generators'.\n"
               "Exit codes: 0 pass; 1 something is missing, did not start or broke; 104 bad\n"
               "command line; 105 interrupted.")
    parser.add_argument("--only", metavar="LIST", type=names(NAMES), default=list(NAMES),
                        help="only these generators, of " + ",".join(NAMES))
    parser.add_argument("--parts", metavar="LIST", type=names(PARTS), default=list(PARTS),
                        help="of rate (as fast as it can) and stall (default both)")
    parser.add_argument("--connections", metavar="LIST", type=counts, default=[100, 1000],
                        help="how many connections, for the rate (default 100,1000)")
    parser.add_argument("--rounds", metavar="N", type=number(int, 1, 20), default=3,
                        help="rounds; figures are medians over them (default 3)")
    parser.add_argument("--seconds", metavar="S", type=number(float, 1, 60),
                        default=2.0, help="measured time of each run (default 2)")
    parser.add_argument("--stall", metavar="S", type=number(float, 0.05, 5), default=1.4,
                        help="how long the relay is stopped (default 1.4)")
    parser.add_argument("--stall-window", metavar="S", type=number(float, 4, 60), default=10.0,
                        help="how long the load with the stall lasts (default 10)")
    parser.add_argument("--stall-rate", metavar="R", type=number(float, 10, 10000), default=1000.0,
                        help="messages a second there, over 100 connections (default 1000)")
    parser.add_argument("--json", metavar="FILE",
                        help="write the result there (default RESULTS/latest/generators.json)")
    parser.add_argument("--keep", metavar="NAME", type=folder_part,
                        help="also keep it as RESULTS/YYYY-MM-DD-NAME/, with a summary for people")
    parser.add_argument("--results", metavar="DIR", default=os.path.join(ROOT, "results"),
                        help="the results directory (default results)")
    parser.add_argument("--relay", metavar="FILE", default="build/release/relay/sealpost-relay")
    parser.add_argument("--load", metavar="FILE", default="build/release/loadgen/sealpost-load")
    parser.add_argument("--generators", metavar="DIR", default="build/generators",
                        help="where the ones of the npm registry are (default build/generators)")
    parser.add_argument("--server-cpu", metavar="CPU", type=number(int, 0, 255), default=0,
                        help="processor of the relay (default 0)")
    parser.add_argument("--client-cpu", metavar="CPU", type=number(int, 0, 255), default=1,
                        help="processor of the generator (default 1)")
    chosen = parser.parse_args(arguments)
    if chosen.stall * 2 > chosen.stall_window:
        parser.error("--stall-window must be at least twice --stall")
    if chosen.server_cpu == chosen.client_cpu:
        parser.error("--server-cpu and --client-cpu must differ: each side has one of its own")
    present = os.sched_getaffinity(0)
    for cpu in (chosen.server_cpu, chosen.client_cpu):
        if cpu not in present:
            parser.error(f"there is no processor {cpu} here")
    return chosen


def say(text):
    print(f"bench-generators: {text}", file=sys.stderr, flush=True)


def choose_tools(chosen):
    """[(tool, version)] in the order of their turns. Trouble: one is not there."""
    npm = os.path.join(ROOT, chosen.generators)
    makers = {"sealpost-load": lambda: SealpostLoad(os.path.join(ROOT, chosen.load),
                                                    chosen.client_cpu),
              "tsung": Tsung, "artillery": lambda: Artillery(npm),
              "loadtest": lambda: Loadtest(npm), "thor": lambda: Thor(npm)}
    tools = [makers[name]() for name in chosen.only]
    return [(tool, tool.version()) for tool in tools]


def measure_rates(chosen, tools, place):
    """Rounds of every tool with every number of connections; every other round backwards."""
    rounds = []
    turns = [(tool, connections) for connections in chosen.connections for tool, _ in tools]
    for number_of_round in range(1, chosen.rounds + 1):
        for tool, connections in turns if number_of_round % 2 else reversed(turns):
            say(f"round {number_of_round} of {chosen.rounds}: {tool.name}, "
                f"{connections:,} connections")
            figures = measure.measure_rate(tool, connections, chosen.seconds, place)
            rounds.append({"tool": tool.name, "connections": connections,
                           "round": number_of_round, **figures})
    return rounds


def measure_stalls(chosen, tools, place):
    work = Work(STALL_CONNECTIONS, chosen.stall_window, rate=chosen.stall_rate)
    runs = []
    for tool, _ in tools:
        say(f"a stall of {chosen.stall:g} s: {tool.name}")
        runs.append({"tool": tool.name, **measure.measure_stall(tool, work, chosen.stall, place)})
    return runs


def commit():
    out = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"],
                         capture_output=True, text=True)
    return out.stdout.strip() or "unknown"


def run(chosen, arguments):
    for program in (chosen.relay, chosen.load):
        if not os.access(os.path.join(ROOT, program), os.X_OK):
            raise Trouble(f"there is no {program}: build it, or name it with --relay or --load")
    tools = choose_tools(chosen)
    about = {"command": shlex.join(["scripts/bench-generators", *arguments]), "commit": commit(),
             "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
             "rounds": chosen.rounds, "seconds": chosen.seconds,
             "payload_bytes": Work.payload_bytes,
             "server_cpu": chosen.server_cpu, "client_cpu": chosen.client_cpu,
             "stall_window": chosen.stall_window, "stall_rate": chosen.stall_rate,
             "stall_connections": STALL_CONNECTIONS}
    temp = tempfile.mkdtemp(prefix="sealpost-generators-")
    try:
        place = measure.Place(os.path.join(ROOT, chosen.relay), chosen.server_cpu,
                              chosen.client_cpu, temp)
        rate = measure_rates(chosen, tools, place) if "rate" in chosen.parts else []
        stall = measure_stalls(chosen, tools, place) if "stall" in chosen.parts else []
    finally:
        shutil.rmtree(temp, ignore_errors=True)
    result = report.document(about, tools, rate, stall)
    keep(chosen, result)
    print(report.summary(result), end="")


def keep(chosen, result):
    latest = os.path.join(chosen.results, "latest")
    report.write_json(chosen.json or os.path.join(latest, "generators.json"), result)
    report.write(os.path.join(latest, "generators.md"), report.summary(result))
    if chosen.keep:
        folder = os.path.join(chosen.results, f"{datetime.date.today()}-{chosen.keep}")
        report.write_json(os.path.join(folder, "generators.json"), result)
        report.write(os.path.join(folder, "summary.md"), report.summary(result))
        say(f"kept as {os.path.relpath(folder)}")


def main(arguments):
    chosen = options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(chosen, arguments)
    except Trouble as trouble:
        say(trouble)
        return FAILED
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    return PASS


sys.exit(main(sys.argv[1:]))
