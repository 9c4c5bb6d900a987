"""A stub relay (tests/tools/stub_relay.c) as a child process: a counterpart of known capacity."""
import json
import subprocess

from relay_process import PATIENCE_S, binary


class StubRelay:
    def __init__(self, *options):
        self.process = subprocess.Popen([binary("tests/stub-relay"), *map(str, options)],
                                        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """End it; what it counted."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0
        return json.loads(out)
