"""libsealcrypto as a library of its own: installed, found by pkg-config, used without anything else of the project."""

import os
import pathlib
import subprocess

PROGRAM = r"""
#include <sealcrypto.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    static const uint8_t key[SP_KEY_BYTES], nonce[SP_NONCE_BYTES];
    uint8_t text[5] = "hello", tag[SP_TAG_BYTES];
    bool ok;
    if (sp_init() != 0)
        return 1;
    const struct sp_aead_job job = {
        .raw_key = key, .nonce = nonce, .in = text, .out = text, .len = sizeof(text), .tag = tag};
    if (sp_aead_seal_batch(&job, 1) != 0 || memcmp(text, "hello", 5) == 0)
        return 2;
    if (!sp_aead_open_batch(&job, 1, &ok) || memcmp(text, "hello", 5) != 0)
        return 3;
    printf("%s\n", sp_tier());
    return 0;
}
"""


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, **options).stdout


def test_installs_and_links_by_pkg_config(tmp_path):
    build = pathlib.Path(os.environ["SEALPOST_BIN_DIR"])
    prefix = tmp_path / "prefix"
    run("cmake", "--install", build, "--component", "sealcrypto", "--prefix", prefix)
    moved = tmp_path / "moved"
    prefix.rename(moved)  # the tree may be moved
    files = sorted(str(path.relative_to(moved)) for path in moved.rglob("*") if path.is_file())
    assert [pathlib.Path(name).name for name in files] == ["sealcrypto.h", "libsealcrypto.a", "sealcrypto.pc"]

    found = next(moved.rglob("sealcrypto.pc")).parent
    path = ":".join(filter(None, [str(found), os.environ.get("PKG_CONFIG_PATH")]))
    flags = run("pkg-config", "--cflags", "--libs", "sealcrypto", env={**os.environ, "PKG_CONFIG_PATH": path})
    source = tmp_path / "consumer.c"
    source.write_text(PROGRAM)
    sanitize = os.environ.get("SEALPOST_SANITIZE", "")
    extra = [f"-fsanitize={sanitize}"] if sanitize else []
    run("gcc-14", "-std=c17", "-Wall", "-Wextra", "-Werror", *extra, "-o", tmp_path / "consumer", source, *flags.split())
    forced = {**os.environ, "SEALPOST_CRYPTO_TIER": "portable"}
    assert run(tmp_path / "consumer", env=forced) == "portable\n"
