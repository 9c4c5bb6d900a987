// What a micro-benchmark's report says about the machine, the compiler and the libraries. Main
// thread, before the measuring.
#include <intel-ipsec-mb.h>
#include <lib25519.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench_micro_report.h"
#include "bench_report.h"

#ifdef __clang__
#define COMPILER "clang"
#else
#define COMPILER "gcc"
#endif

// What the tiers, ours and the peers', are chosen by.
static const char *const flags[] = {"aes",      "pclmulqdq", "avx2",       "bmi2",      "adx",
                                    "sha_ni",   "vaes",      "vpclmulqdq", "avx512f",   "avx512bw",
                                    "avx512dq", "avx512vl",  "avx512ifma", "avx512vbmi"};

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = list; (at = strstr(at, word)) != NULL; at += len)
        if (at[-1] == ' ' && (at[len] == ' ' || at[len] == '\n'))
            return true;
    return false;
}

static void describe_flags(char *out, size_t cap)
{
    FILE *f = fopen("/proc/cpuinfo", "re");
    char *line = NULL;
    size_t room = 0, len = 0;
    bool found = false;

    while (f && !found && getline(&line, &room, f) >= 0)
        found = strncmp(line, "flags", 5) == 0;
    for (size_t i = 0; found && i < COUNT_OF(flags); i++)
        if (has_word(line, flags[i]))
            len += (size_t)snprintf(out + len, cap - len, "%s%s", len > 0 ? " " : "", flags[i]);
    free(line);
    if (f)
        fclose(f);
}

static void add_version(struct bench_micro_env *env, const char *name, const char *text)
{
    struct bench_micro_version *v = &env->versions[env->version_count++];

    v->name = name;
    snprintf(v->text, sizeof v->text, "%s", text);
}

void bench_micro_describe(struct bench_micro_env *env, int argc, char **argv)
{
    struct bench_report_env common = {0};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    self[n > 0 ? n : 0] = '\0';
    bench_report_describe(&common, self, argc, argv);
    memcpy(env->cpu, common.cpu, sizeof env->cpu);
    memcpy(env->kernel, common.kernel, sizeof env->kernel);
    memcpy(env->commit, common.commit, sizeof env->commit);
    memcpy(env->date, common.date, sizeof env->date);
    memcpy(env->command, common.command, sizeof env->command);
    env->cores = common.cores;
    describe_flags(env->flags, sizeof env->flags);
    snprintf(env->compiler, sizeof env->compiler, COMPILER " %s", __VERSION__);
    add_version(env, "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
    add_version(env, "libsodium", sodium_version_string());
    add_version(env, "ipsec-mb", imb_get_version_str());
    add_version(env, "lib25519", lib25519_version);
}
