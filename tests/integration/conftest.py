"""Fixtures: relays of the build under test; test functions may be coroutines."""
import asyncio
import inspect
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from relay_process import Relay  # noqa: E402  (needs the path above)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture
def start_relay(tmp_path):
    """start_relay(*options, listen=("ws",)) → Relay. At the end each must have ended well."""
    relays = []

    def start(*options, listen=("ws",)):
        directory = tmp_path / f"relay-{len(relays)}"
        directory.mkdir()
        relays.append(Relay(directory, *options, listen=listen))
        return relays[-1]

    yield start
    try:
        for relay in relays:
            if not relay.ended:
                relay.stop()
    finally:
        for relay in relays:
            if relay.process.poll() is None:
                relay.process.kill()
                relay.process.wait()


@pytest.fixture
def relay(start_relay):
    """One relay with one worker on ws."""
    return start_relay("--workers", 1)
