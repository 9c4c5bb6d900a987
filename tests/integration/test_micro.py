"""The micro-benchmarks of sealpost-bench: every implementation measured, in JSON that programs can
rely on; each wrong command line ends with one sentence."""
import json
import signal
import subprocess

import pytest

from relay_process import PATIENCE_S, binary

CONFIGURATION, INTERRUPTED = 104, 105
FIELDS = {"op", "impl", "tier", "key", "keys", "bytes", "batch", "ns_per_op", "ns_min", "ns_max"}
ENVIRONMENT = {"cpu", "flags", "tier", "cores", "pinned_cpu", "kernel", "compiler", "versions",
               "commit", "date", "command", "rounds", "round_ms", "cold_sessions"}
# Each operation's implementations; those that have array calls, and its sizes.
CURVE = {"sealcrypto", "evp", "evp-parsed", "libsodium", "lib25519"}
AEAD = {"sealcrypto", "evp", "ipsec-mb", "libsodium"}
COMMON = {"sealcrypto", "evp", "libsodium"}
OPENSSL = {"sealcrypto", "evp"}
SUBJECTS = {
    "aead": {"seal": (AEAD, {"sealcrypto"}, {64, 256, 1024, 4096}),
             "open": (AEAD, {"sealcrypto"}, {64, 256, 1024, 4096})},
    "x25519": {"x25519": (CURVE, {"sealcrypto", "lib25519"}, {32}),
               "x25519_base": (CURVE - {"evp-parsed"}, {"sealcrypto", "lib25519"}, {32})},
    "ed25519": {"ed25519_verify": (CURVE, {"sealcrypto"}, {33, 256}),
                "ed25519_sign": (CURVE - {"evp-parsed"}, {"sealcrypto"}, {33, 256})},
    "hkdf": {"hkdf_x3dh": (COMMON, {"sealcrypto"}, {160}),
             "hkdf_session": (COMMON, {"sealcrypto"}, {32})},
    "session": {op: (OPENSSL, {"sealcrypto"}, {64, 256, 1024})
                for op in ("counter_seal", "counter_open", "ratchet_seal", "ratchet_open")},
    "handshake": {
        "x3dh_initiate": (COMMON, {"sealcrypto"}, {32}),
        "x3dh_respond": (COMMON, {"sealcrypto"}, {32}),
        "pqxdh_initiate": (OPENSSL, {"sealcrypto"}, {32}),
        "pqxdh_respond": (OPENSSL, {"sealcrypto"}, {32}),
        "pqxdh_hybrid_initiate": (OPENSSL, {"sealcrypto"}, {32}),
        "ed25519_verify": (CURVE, {"sealcrypto"}, {33}),
        "ed25519_to_x25519": (COMMON, {"sealcrypto"}, {32}),
        "x25519_base": (CURVE - {"evp-parsed"}, {"sealcrypto", "lib25519"}, {32}),
        "x25519": (CURVE, {"sealcrypto", "lib25519"}, {32}),
        "hkdf_x3dh": (COMMON, {"sealcrypto"}, {160}),
        "ml_kem_768_encapsulate": (OPENSSL, {"sealcrypto"}, {32}),
        "ml_kem_768_decapsulate": (OPENSSL, {"sealcrypto"}, {32}),
        "ml_dsa_65_verify": (OPENSSL, {"sealcrypto"}, {33})},
}


def bench(*options, **more):
    return subprocess.run([binary("bench/sealpost-bench"), *map(str, options)], text=True,
                          capture_output=True, timeout=2 * PATIENCE_S, stdin=subprocess.DEVNULL,
                          **more)


def measured(tmp_path, *options):
    target = tmp_path / "micro.json"
    out = bench(*options, "--json", target)
    assert out.returncode == 0, out.stderr
    # A long run says where it is.
    assert all(line.startswith("measuring ") for line in out.stderr.splitlines()), out.stderr
    return json.loads(target.read_text()), out.stdout


def is_absent(result, impl):
    """libsodium's AES-GCM, for one, does not run everywhere."""
    return impl in [absence["impl"] for absence in result["absent"]]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_rows(tmp_path, subject):
    result, table = measured(tmp_path, subject, "--quick")
    assert set(result["env"]) == ENVIRONMENT and set(result) == {"env", "absent", "rows"}
    assert {"openssl", "libsodium", "ipsec-mb", "lib25519"} == set(result["env"]["versions"])
    assert result["env"]["command"].startswith(f"sealpost-bench {subject} --quick")
    expected = set()
    for op, (impls, arrays, sizes) in SUBJECTS[subject].items():
        keys = [("prepared", "hot"), ("fresh", "hot"), ("prepared", "cold"), ("fresh", "cold")]
        for key, cache in keys if subject == "aead" else [(None, "hot")]:
            expected |= {(op, impl, key, cache, size, batch)
                         for impl in impls if not is_absent(result, impl)
                         for size in sizes for batch in ((1, 16) if impl in arrays else (1,))}
    rows = result["rows"]
    found = [(row["op"], row["impl"], row["key"], row["keys"], row["bytes"], row["batch"])
             for row in rows]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
    for row in rows:
        assert set(row) == FIELDS
        assert 0 < row["ns_min"] <= row["ns_per_op"] <= row["ns_max"]
        assert row["impl"] != "sealcrypto" or row["tier"] == result["env"]["tier"]
        assert row["op"] in table and row["impl"] in table


def test_choice(tmp_path):
    result, _ = measured(tmp_path, "aead", "--quick", "--only", "open,fresh,cold", "--impl",
                         "sealcrypto,evp", "--batch", "3,5", "--bytes", "100", "--sessions", 40,
                         "--rounds", 4, "--seconds", "0.001")
    assert [(row["op"], row["impl"], row["key"], row["keys"], row["bytes"], row["batch"])
            for row in result["rows"]] == [
                ("open", "sealcrypto", "fresh", "cold", 100, 3),
                ("open", "sealcrypto", "fresh", "cold", 100, 5),
                ("open", "evp", "fresh", "cold", 100, 1)]
    environment = result["env"]
    assert environment["rounds"] == 4 and environment["cold_sessions"] == 40
    assert environment["round_ms"] == pytest.approx(0.25)


def test_portable_tier(tmp_path, monkeypatch):
    monkeypatch.setenv("SEALPOST_CRYPTO_TIER", "portable")
    result, _ = measured(tmp_path, "hkdf", "--quick", "--impl", "sealcrypto")
    assert result["env"]["tier"] == "portable"
    assert {row["tier"] for row in result["rows"]} == {"portable"}


@pytest.mark.parametrize("options,said", [
    (["aead", "--impl", "libsodium,nobody"], "--impl: there is no 'nobody'"),
    (["aead", "--only", "sael"], "--only: there is no 'sael'"),
    (["x25519", "--only", "hot"], "--only: there is no 'hot'"),
    (["aead", "--bytes", "64,0"], "--bytes: '0' is not a whole number from 1 to 65536"),
    (["aead", "--bytes", "65537"], "--bytes: '65537' is not a whole number from 1 to 65536"),
    (["aead", "--bytes", ",".join(["64"] * 9)], "--bytes takes at most 8 sizes"),
    (["hkdf", "--bytes", "64"], "--bytes: the sizes are fixed here"),
    (["aead", "--batch", "1,x"], "--batch: 'x' is not a whole number from 1 to 1024"),
    (["aead", "--batch", ",".join(["1"] * 17)], "--batch takes at most 16 sizes"),
    (["hkdf", "--sessions", "9"], "--sessions: there are none here"),
    (["aead", "--sessions", "0"], "--sessions: '0' is not a whole number from 1 to 1000000"),
    (["aead", "--rounds", "26"], "--rounds: '26' is not a whole number from 1 to 25"),
    (["aead", "--seconds", "0"], "--seconds: '0' is not a number of seconds up to 3600"),
    (["aead", "--pin", "4096"], "--pin: '4096' is not a whole number from 0 to 255"),
    (["drive", "-P", "raw", "-t", "127.0.0.1:1", "--hold", "--json", "-"],
     "--hold says 'ready' on standard output: give --json a file"),
    (["ed25519", "stray"], "unexpected argument 'stray'"),
    (["ed25519", "--nonsense"], "unrecognized option '--nonsense'")])
def test_wrong_command_line(options, said):
    out = bench(*options)
    assert out.returncode == CONFIGURATION and out.stdout == ""
    assert out.stderr.splitlines()[0] == f"sealpost-bench {options[0]}: {said}"


def refused(*options, **more):
    """The one line that a run which cannot begin writes."""
    out = bench(*options, **more)
    assert out.returncode == CONFIGURATION and out.stdout == ""
    assert len(out.stderr.splitlines()) == 1, out.stderr
    return out.stderr


def test_json_that_cannot_be_written_is_told_before_measuring(tmp_path):
    target = tmp_path / "missing" / "micro.json"
    # An hour for each cell: only a run that never begins ends in time.
    assert f"--json: cannot write {target}" in refused("aead", "--seconds", 3600, "--json", target)


def test_processor_that_is_not_there():
    assert "processor 255 is not available" in refused("aead", "--pin", 255)


def test_nothing_to_measure():
    said = refused("x25519", "--impl", "evp-parsed", "--only", "x25519_base")
    assert "nothing to measure" in said


def test_implementation_without_the_operation(tmp_path):
    result, _ = measured(tmp_path, "x25519", "--quick", "--impl", "evp-parsed")
    assert [row["op"] for row in result["rows"]] == ["x25519"]


def test_tier_that_is_not_there(monkeypatch):
    monkeypatch.setenv("SEALPOST_CRYPTO_TIER", "nonsense")
    assert "SEALPOST_CRYPTO_TIER" in refused("hkdf")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(tmp_path, number):
    target = tmp_path / "micro.json"
    process = subprocess.Popen([binary("bench/sealpost-bench"), "hkdf", "--seconds", "20",
                                "--json", target], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        process.communicate(timeout=1)
        assert False, "it ended by itself"
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    out, error = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == INTERRUPTED, error
    assert out == b"" and target.read_text() == ""


def test_help():
    for subject, operations in SUBJECTS.items():
        out = bench(subject, "--help")
        assert out.returncode == 0 and out.stderr == ""
        for word in ["--json", "--only", "--batch", "--impl", "--quick", *operations]:
            assert word in out.stdout
        assert f"  {subject} " in bench("--help").stdout
