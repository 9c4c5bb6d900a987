"""The command line: each wrong one ends with one sentence that names it and how to mend it."""
import ctypes
import errno
import os
import socket
import struct
import subprocess

import pytest

from relay_process import OUTBOX_MIN_BYTES, PATIENCE_S, binary
from test_tls import make_certificate

WS, WSS = "ws://127.0.0.1:0", "wss://127.0.0.1:0"


def run(*options, before=None):
    return subprocess.run([binary("relay/sealpost-relay"), *map(str, options)],
                          capture_output=True, text=True, timeout=PATIENCE_S,
                          stdin=subprocess.DEVNULL, preexec_fn=before)


def refused(*options, before=None):
    """The one sentence a start with these options ends with."""
    out = run(*options, before=before)
    assert out.returncode in (1, 2), (out.returncode, out.stderr)
    assert "listening on" not in out.stdout
    lines = [line for line in out.stderr.splitlines()
             if " info no certificate given" not in line and not line.startswith("Try `")]
    assert len(lines) == 1, out.stderr
    assert "sealpost-relay: " in lines[0] and "anitizer" not in lines[0]
    return lines[0].split("sealpost-relay: ", 1)[1]


NUMBERS = {"--workers": (1, 64), "--connections": (1, 65536), "--min-wait": (0, 1000),
           "--outbox-bytes": (OUTBOX_MIN_BYTES, 67108864), "--max-users": (1, 1000000),
           "--bundle-rate": (0, 1000000), "--max-ttl": (1, 31622400),
           "--store-mib": (1, 1048576), "--prekey-mib": (1, 1048576),
           "--login-timeout": (0, 86400000),
           "--write-timeout": (100, 3600000), "--drain": (0, 3600000)}


@pytest.mark.parametrize("option", NUMBERS)
def test_number(option):
    low, high = NUMBERS[option]
    wrong = ["", "x", "1x", "1.5", " 1", "-1", "0x10", str(high + 1), str(2**64 + low), "9" * 40]
    wrong += [str(low - 1)] if low else []
    for text in wrong:
        said = refused(f"{option}={text}")
        assert said == (f"{option} takes a whole number from {low} to {high}, not '{text}'")


@pytest.mark.parametrize("url,mend", [
    ("http://127.0.0.1:1", "takes ws://ADDRESS:PORT or wss://ADDRESS:PORT"),
    ("127.0.0.1:80", "takes ws://ADDRESS:PORT or wss://ADDRESS:PORT"),
    ("", "takes ws://ADDRESS:PORT or wss://ADDRESS:PORT"),
    ("ws://127.0.0.1", "lacks a port"), ("ws://:80", "lacks a port"),
    ("ws://127.0.0.1:", "port must be 0 to 65535"), ("ws://127.0.0.1:x", "port must be"),
    ("ws://127.0.0.1:65536", "port must be"), ("ws://127.0.0.1:1/v1", "port must be"),
    ("ws://127.0.0.1:-1", "port must be"),
    ("ws://localhost:80", "is not an IP address"), ("ws://1.2.3:80", "is not an IP address"),
    ("ws://[::1:80", "is not an IP address"), ("ws://" + "1" * 300 + ":80", "--listen")])
def test_listen(url, mend):
    said = refused("--listen", url)
    assert "--listen" in said and mend in said


def test_address_given_twice():
    said = refused("--listen", "ws://127.0.0.1:18086", "--listen", "wss://127.0.0.1:18086")
    assert "given twice" in said and "choose another port" in said


def test_openssl_without_ml_dsa(tmp_path, monkeypatch):
    """As with a version before 3.5, or a provider configured that lacks it."""
    config = tmp_path / "openssl.cnf"
    config.write_text("openssl_conf = start\n[start]\nalg_section = algorithms\n"
                      "[algorithms]\ndefault_properties = fips=yes\n")
    monkeypatch.setenv("OPENSSL_CONF", str(config))
    said = refused("--listen", WS)
    assert "ML-DSA-65" in said and "3.5" in said


def without_io_uring(error):
    """Run in the child before the relay: io_uring_setup fails with `error`, as on a system that
    lacks it (ENOSYS) or has it switched off (EPERM)."""
    libc = ctypes.CDLL(None, use_errno=True)
    load_number, io_uring_setup, allow = struct.pack("HBBI", 0x20, 0, 0, 0), 425, 0x7FFF0000
    program = ctypes.create_string_buffer(
        load_number + struct.pack("HBBI", 0x15, 0, 1, io_uring_setup) +
        struct.pack("HBBI", 0x06, 0, 0, 0x00050000 | error) +
        struct.pack("HBBI", 0x06, 0, 0, allow))
    header = struct.pack("HxxxxxxP", 4, ctypes.addressof(program))
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, header, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


@pytest.mark.parametrize("error,mend", [
    (errno.ENOSYS, "Linux 6.12 or later is needed"),
    (errno.EPERM, "set the sysctl kernel.io_uring_disabled to 0"),
    (errno.EINVAL, "Linux 6.12 or later is needed"), (errno.ENOMEM, "raise RLIMIT_MEMLOCK")])
def test_kernel_without_io_uring(error, mend):
    said = refused("--listen", WS, before=lambda: without_io_uring(error))
    assert "io_uring" in said and mend in said


def test_too_many_listeners():
    assert "16 times at most" in refused(*["--listen", WS] * 17)


@pytest.mark.parametrize("text", ["", "x", "0-", "-1", "1,,2", "3-1", "99999999"])
def test_pin(text):
    assert "--pin" in refused("--pin", text)


def test_pin_to_a_processor_that_is_not_there():
    assert "--pin" in refused("--listen", WS, "--workers", 1, "--pin", 1000)


@pytest.mark.parametrize("option", ["--no-such-option", "-X", "--workers"])
def test_unknown_or_without_value(option):
    out = run(option)
    assert out.returncode == 2 and option.lstrip("-") in out.stderr and "--help" in out.stderr


def test_stray_argument():
    assert "'stray'" in refused("stray")


def test_port_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused("--listen", f"ws://127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in said and "--listen" in said


def test_port_of_another_relay(relay):
    """SO_REUSEPORT must not let two relays share a port without a word."""
    port = relay.address()[1]
    said = refused("--listen", f"ws://127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in said and "--listen" in said


def test_address_of_another_machine():
    assert "192.0.2.1" in refused("--listen", "ws://192.0.2.1:0")


def test_certificate_without_wss(tmp_path):
    certificate, key = make_certificate(tmp_path)
    for options in (["--tls-certificate", certificate], ["--tls-key", key],
                    ["--tls-certificate-out", tmp_path / "out"]):
        said = refused("--listen", WS, *options)
        assert "wss://" in said


def test_certificate_and_key_belong_together(tmp_path):
    certificate, key = make_certificate(tmp_path)
    _, other_key = make_certificate(tmp_path, "other")
    assert "both" in refused("--listen", WSS, "--tls-certificate", certificate)
    assert "both" in refused("--listen", WSS, "--tls-key", key)
    said = refused("--listen", WSS, "--tls-certificate", certificate, "--tls-key", other_key)
    assert "does not belong" in said or "key values mismatch" in said
    assert str(other_key) in said and "--tls-key" in said


def test_certificate_that_cannot_be_read(tmp_path):
    certificate, key = make_certificate(tmp_path)
    missing, empty = tmp_path / "missing.pem", tmp_path / "empty.pem"
    empty.write_text("")
    for bad in (missing, empty, key, tmp_path):
        said = refused("--listen", WSS, "--tls-certificate", bad, "--tls-key", key)
        assert str(bad) in said and "--tls-certificate" in said
    for bad in (missing, empty, certificate, tmp_path):
        said = refused("--listen", WSS, "--tls-certificate", certificate, "--tls-key", bad)
        assert str(bad) in said and "--tls-key" in said


def test_certificate_out_that_cannot_be_written(tmp_path):
    target = tmp_path / "missing" / "certificate.pem"
    assert str(target) in refused("--listen", WSS, "--tls-certificate-out", target)


def test_statistics_that_cannot_be_written(tmp_path):
    target = tmp_path / "missing" / "stats.json"
    said = refused("--listen", WS, "--stats", target)
    assert str(target) in said and "--stats" in said


def test_connections_over_the_descriptors():
    out = subprocess.run(["bash", "-c", f"ulimit -n 256; exec {binary('relay/sealpost-relay')} "
                          f"--listen {WS} --connections 1000"], capture_output=True, text=True,
                         timeout=PATIENCE_S)
    assert out.returncode == 1
    assert "--connections 1000" in out.stderr and "RLIMIT_NOFILE is 256" in out.stderr


def test_help_and_version():
    out = run("--help")
    assert out.returncode == 0 and out.stderr == ""
    for option in [*NUMBERS, "--listen", "--stats", "--echo", "--tls-certificate", "--tls-key",
                   "--tls-certificate-out", "--pin"]:
        assert option in out.stdout
    assert f"at least {OUTBOX_MIN_BYTES}" in " ".join(out.stdout.split())
    assert run("--version").stdout.startswith("sealpost-relay ")


def test_several_listeners_and_ipv6(start_relay):
    relay = start_relay("--workers", 2, "--listen", "ws://[::1]:0", listen=("ws", "ws", "wss"))
    assert len(set(relay.urls)) == 4
    port = int(next(url for url in relay.urls if "[::1]" in url).rsplit(":", 1)[1])
    with socket.create_connection(("::1", port)) as client:
        client.settimeout(PATIENCE_S)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 400"


def test_statistics_file_is_always_whole(start_relay):
    relay = start_relay("--workers", 1)
    seen = set()
    for _ in range(3):
        stats = relay.await_fresh_stats()
        assert stats["connections_accepted"] == 0 and len(stats) > 60
        seen.add(relay.stats_file.stat().st_ino)
    assert len(seen) >= 2
    assert not os.path.exists(str(relay.stats_file) + ".new")
