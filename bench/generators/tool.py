"""The interface behind which each generator stands, and what the foreign ones have in common."""
import contextlib
import json
import os
import shutil
import subprocess

from .work import Trouble

HERE = os.path.dirname(os.path.abspath(__file__))
VERSION_TIMEOUT_S = 20


def pinned_version(name):
    """The version of a foreign generator that is compared, from the file `versions`."""
    with open(os.path.join(HERE, "versions")) as versions:
        for line in versions:
            fields = line.split()
            if len(fields) == 3 and fields[1] == name:
                return fields[2]
    raise KeyError(name)


def template(name):
    """The text of a file in templates/."""
    with open(os.path.join(HERE, "templates", name)) as file:
        return file.read()


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def read(folder, name):
    with open(os.path.join(folder, name)) as file:
        return file.read()


class Tool:
    """One generator. A run has a folder of its own, with what the tool prints in output.txt."""
    name = ""
    # The relay's counter of the messages it carried for this tool.
    counter = "envelopes_echoed"
    # What is different about its work, one sentence for people.
    work = ""
    # What it measures latency from, and what it tells of it.
    latency = ""
    exit_codes = (0,)
    # How long its users may arrive while others send already.
    arrival_s = 0
    # False: it goes on until it is interrupted.
    ends_by_itself = True

    def version(self):
        """Its version. Trouble: it is not installed, or not the version that is compared."""
        raise NotImplementedError

    def command(self, work, relay, folder):
        """Write its configuration into the folder; returns the command line."""
        raise NotImplementedError

    def environment(self, folder):
        """What it needs in its environment besides ours."""
        return {}

    def helpers(self, folder):
        """A context in which the processes run that it needs beside its own."""
        return contextlib.nullcontext()

    def said(self, work, folder):
        """Its own report of the run, a Said."""
        raise NotImplementedError

    def check_version(self, found):
        wanted = pinned_version(self.name)
        if found != wanted:
            raise Trouble(f"{self.name} is version {found}, what is compared is {wanted}: "
                          "run scripts/setup --generators")
        return found

    def missing(self):
        return Trouble(f"{self.name} is not installed: run scripts/setup --generators "
                       "(or leave it out: --only)")


class NpmTool(Tool):
    """A generator of the npm registry, in `folder`/node_modules."""
    script = ""

    def __init__(self, folder):
        self.folder = folder

    def version(self):
        try:
            manifest = read(os.path.join(self.folder, "node_modules", self.name), "package.json")
        except FileNotFoundError:
            raise self.missing() from None
        if not shutil.which("node"):
            raise Trouble(f"{self.name} needs node: run scripts/setup --generators")
        return self.check_version(json.loads(manifest)["version"])

    def program(self):
        return ["node", os.path.join(self.folder, "node_modules", self.name, self.script)]


def first_line(*command):
    """The first line a program prints; None if there is no such program."""
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=VERSION_TIMEOUT_S,
                             stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return None
    return (out.stdout or out.stderr).strip().partition("\n")[0]
