// sealpost-bench: the relay beside the physical limit and the peers, and the cryptography beside
// other libraries. This file only picks the subcommand.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "units.h"

struct subcommand {
    const char *name;
    const char *title; // argv[0] of the subcommand: argp prints it in --help
    const char *summary;
    int (*main)(int argc, char **argv);
};

static const struct subcommand subcommands[] = {
    {"run", "sealpost-bench run", "measure the relay, the raw forwarder and peers side by side",
     bench_run_main},
    {"forward", "sealpost-bench forward", "serve as the raw forwarder: the kernel's limit",
     bench_forward_main},
    {"drive", "sealpost-bench drive", "drive one server (raw, nats, redis, mqtt) and report",
     bench_drive_main},
    {"aead", "sealpost-bench aead", "AES-256-GCM beside OpenSSL, ipsec-mb and libsodium",
     bench_aead_main},
    {"x25519", "sealpost-bench x25519", "X25519 beside OpenSSL, libsodium and lib25519",
     bench_x25519_main},
    {"ed25519", "sealpost-bench ed25519", "Ed25519 beside OpenSSL, libsodium and lib25519",
     bench_ed25519_main},
    {"hkdf", "sealpost-bench hkdf", "HKDF-SHA-256 beside OpenSSL and libsodium", bench_hkdf_main},
    {"handshake", "sealpost-bench handshake", "X3DH and PQXDH beside OpenSSL and libsodium",
     bench_handshake_main},
    {"session", "sealpost-bench session", "session messages beside OpenSSL", bench_session_main},
};

static void print_usage(FILE *out)
{
    fputs("usage: sealpost-bench SUBCOMMAND [OPTION...]\n\n", out);
    for (size_t i = 0; i < COUNT_OF(subcommands); i++)
        fprintf(out, "  %-9s %s\n", subcommands[i].name, subcommands[i].summary);
    fputs("\n'sealpost-bench SUBCOMMAND --help' explains each.\n", out);
}

int main(int argc, char **argv)
{
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_usage(stdout);
        return BENCH_EXIT_PASS;
    }
    for (size_t i = 0; argc >= 2 && i < COUNT_OF(subcommands); i++) {
        if (strcmp(argv[1], subcommands[i].name) != 0)
            continue;
        // getopt prints argv[0] in messages; argv[1] is ours to replace.
        argv[1] = (char *)(uintptr_t)subcommands[i].title;
        return subcommands[i].main(argc - 1, argv + 1);
    }
    print_usage(stderr);
    return BENCH_EXIT_CONFIGURATION;
}
