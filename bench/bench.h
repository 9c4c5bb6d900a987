// The subcommands of sealpost-bench. Each parses its own command line (argv[0] is the name shown in
// --help) and returns the exit code of the process.
#ifndef SEALPOST_BENCH_H
#define SEALPOST_BENCH_H

// The load tester's exit codes, so that one reader of exit codes serves both programs.
enum bench_exit {
    BENCH_EXIT_PASS = 0,
    BENCH_EXIT_INTERNAL = 1,
    BENCH_EXIT_CONFIGURATION = 104,
    BENCH_EXIT_INTERRUPTED = 105,
    BENCH_EXIT_DELIVERY = 111,
    BENCH_EXIT_UNREACHABLE = 113,
};

// Serve as the raw forwarder until SIGTERM or SIGINT.
int bench_forward_main(int argc, char **argv);
// Drive one server with the closed-loop pattern and report.
int bench_drive_main(int argc, char **argv);
// Measure several servers side by side, interleaved, and report.
int bench_run_main(int argc, char **argv);
// Measure the cryptography beside what a user would pick instead, and report.
int bench_aead_main(int argc, char **argv);
int bench_x25519_main(int argc, char **argv);
int bench_ed25519_main(int argc, char **argv);
int bench_hkdf_main(int argc, char **argv);
int bench_handshake_main(int argc, char **argv);
int bench_session_main(int argc, char **argv);

#endif
