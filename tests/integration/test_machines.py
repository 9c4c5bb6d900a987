"""A run over several machines: agents in network namespaces of their own, each with its own address
and its own way to the relay. Needs the right to make namespaces."""
import contextlib
import os
import shutil
import subprocess

import pytest

from relay_process import eventually
from test_agents import Agent, check_sums, names
from test_load import FAULTS, load  # noqa: F401  (a fixture)


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, timeout=30)


def must(*words):
    done = ip(*words)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Machine:
    """A namespace at the other end of a wire: `here` is this side's address, `there` its own."""

    def __init__(self, number):
        # Names and addresses nobody else has; the range is for measurements (RFC 2544).
        self.name = f"sealpost-{os.getpid()}-{number}"
        self.wire, self.end = f"sp{os.getpid()}h{number}", f"sp{os.getpid()}m{number}"
        pid = os.getpid()
        network, first = f"198.{18 + pid // 256 % 2}.{pid % 256}", 8 * (pid // 512 % 32) + 4 * number
        self.here, self.there = f"{network}.{first + 1}", f"{network}.{first + 2}"

    def make(self):
        done = ip("netns", "add", self.name)
        if done.returncode != 0:
            pytest.skip(f"no network namespace can be made: {done.stderr.strip()}")
        done = ip("link", "add", self.wire, "type", "veth", "peer", "name", self.end, "netns",
                  self.name)
        if done.returncode != 0:
            pytest.skip(f"no virtual wire can be made: {done.stderr.strip()}")
        must("addr", "add", f"{self.here}/30", "dev", self.wire)
        must("link", "set", self.wire, "up")
        must("-n", self.name, "addr", "add", f"{self.there}/30", "dev", self.end)
        for device in ("lo", self.end):
            must("-n", self.name, "link", "set", device, "up")
        must("-n", self.name, "route", "add", "default", "via", self.here)

    def remove(self):
        ip("link", "del", self.wire)
        ip("netns", "del", self.name)


@pytest.fixture
def machines():
    if os.geteuid() != 0:
        pytest.skip("network namespaces are made by root")
    if not shutil.which("ip"):
        pytest.skip("network namespaces are made by ip, of iproute2")
    both = [Machine(0), Machine(1)]
    with contextlib.ExitStack() as stack:
        for machine in both:
            stack.callback(machine.remove)
            machine.make()
        yield both
    left = ip("netns", "list").stdout + ip("-o", "link").stdout
    assert not [m for m in both if m.name in left or m.wire in left], "all of it is gone"


@pytest.fixture
def agents(machines, tmp_path):
    token = tmp_path / "token"
    token.write_text("what both know\n")
    with contextlib.ExitStack() as stack:
        started = []
        for machine in machines:
            directory = tmp_path / machine.name
            directory.mkdir()
            started.append(Agent(directory, "--token-file", token, listen=f"{machine.there}:0",
                                 within=("ip", "netns", "exec", machine.name)))
            stack.callback(started[-1].end)
        yield started
        for agent in started:
            agent.stop()


def peers_of(port):
    """The other ends of what is connected to this port, one for each connection."""
    found = []
    with open("/proc/net/tcp") as table:
        for line in list(table)[1:]:
            local, remote, state = line.split()[1:4]
            if int(local.split(":")[1], 16) == port and state == "01":
                address = bytes.fromhex(remote.split(":")[0])[::-1]
                found.append(".".join(map(str, address)))
    return found


def test_two_machines(start_relay, machines, agents, load, tmp_path):  # noqa: F811
    relay = start_relay("--workers", 1, "--listen", f"ws://{machines[0].here}:0", listen=())
    run = load(relay.url(), "-c", 24, "-r", 600, "-d", "1500ms", "--warmup", 0, "--agents",
               names(agents), "--token-file", tmp_path / "token")
    # Each of them connects from its own address, with its half of the users.
    wanted = sorted(12 * [machine.there for machine in machines])
    eventually(lambda: sorted(peers_of(relay.address()[1])) == wanted,
               what="twelve connections from each machine")
    document = run.passed()
    check_sums(document, 2)
    assert [agent["name"].split(":")[0] for agent in document["agents"]] == [
        machine.there for machine in machines]
    assert [agent["connections"] for agent in document["agents"]] == [12, 12]
    delivery = document["delivery"]
    assert delivery["expected"] == delivery["received"] == 900
    assert all(delivery[fault] == 0 for fault in FAULTS)
    assert [agent["received"] for agent in document["agents"]] == [450, 450]
    assert not document["env"]["colocated"]
    # The relay saw every one of them, each pair's initial message and its confirmation, and no more.
    stats = relay.stop()
    assert stats["envelopes_forwarded"] == 900 + 2 * 12
    assert stats["connections_accepted"] == 24


def test_an_address_of_another_machine(start_relay, machines, agents, load,  # noqa: F811
                                       tmp_path):
    """What is asked of all of them and only one can do is said by the other's name."""
    relay = start_relay("--workers", 1, "--listen", f"ws://{machines[0].here}:0", listen=())
    run = load(relay.url(), "-c", 4, "-d", 1, "--agents", names(agents), "--token-file",
               tmp_path / "token", "--source-addresses", machines[0].there)
    failure = run.result()["run"]["failure"]
    assert agents[1].name in failure and "--source-addresses" in failure
    assert machines[0].there in failure
