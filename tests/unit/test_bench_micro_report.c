// The report of the micro-benchmarks: what programs read, and what people read.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

#include "bench_micro_report.h"

static struct bench_micro_row rows[] = {
    {.op = "seal",
     .impl = "sealcrypto",
     .tier = "avx512",
     .keyed = true,
     .point = {.bytes = 64, .batch = 8},
     .rounds = 3,
     .ns = {12.5, 10, 20}},
    {.op = "seal",
     .impl = "evp",
     .keyed = true,
     .point = {.bytes = 64, .batch = 1},
     .rounds = 3,
     .ns = {125, 110, 120}},
    {.op = "seal",
     .impl = "evp",
     .keyed = true,
     .point = {.bytes = 64, .batch = 1, .fresh = true, .cold = true},
     .rounds = 2,
     .ns = {300, 310}},
    {.op = "x25519",
     .impl = "evp",
     .point = {.op = 1, .bytes = 32, .batch = 1},
     .rounds = 1,
     .ns = {31000}},
};

static const struct bench_micro_report report = {
    .env = {.cpu = "a processor",
            .flags = "aes vaes",
            .tier = "avx512",
            .kernel = "Linux 6.18",
            .compiler = "gcc 14",
            .commit = "0123456789ab",
            .date = "2026-01-02T03:04:05Z",
            .command = "sealpost-bench aead",
            .cores = 2,
            .pinned_cpu = 1,
            .rounds = 3,
            .round_ms = 2,
            .sessions = 20000,
            .versions = {{"openssl", "3.5.7"}, {"libsodium", "1.0.18"}},
            .version_count = 2},
    .unit = "message",
    .absences = {{"libsodium", "its AES-GCM needs AES-NI and PCLMULQDQ"}},
    .absence_count = 1,
    .rows = rows,
    .row_count = COUNT_OF(rows),
};

static const char *text_of(yyjson_val *obj, const char *key)
{
    const char *text = yyjson_get_str(yyjson_obj_get(obj, key));

    return text ? text : "(none)";
}

static void expect_text(yyjson_val *obj, const char *key, const char *text)
{
    cr_assert(eq(str, (char *)text_of(obj, key), (char *)text), "%s", key);
}

static yyjson_doc *written(void)
{
    char path[] = "/tmp/sealpost-test-XXXXXX";
    int fd = mkstemp(path);
    yyjson_doc *doc;

    cr_assert(fd >= 0);
    close(fd);
    cr_assert(eq(int, bench_micro_write_json(&report, path), 0));
    doc = yyjson_read_file(path, 0, NULL, NULL);
    unlink(path);
    cr_assert(doc != NULL);
    return doc;
}

Test(bench_micro_report, json_environment)
{
    yyjson_doc *doc = written();
    yyjson_val *root = yyjson_doc_get_root(doc), *env = yyjson_obj_get(root, "env");
    yyjson_val *absent = yyjson_arr_get_first(yyjson_obj_get(root, "absent"));

    expect_text(env, "cpu", "a processor");
    expect_text(env, "flags", "aes vaes");
    expect_text(env, "tier", "avx512");
    expect_text(env, "kernel", "Linux 6.18");
    expect_text(env, "compiler", "gcc 14");
    expect_text(env, "commit", "0123456789ab");
    expect_text(env, "date", "2026-01-02T03:04:05Z");
    expect_text(env, "command", "sealpost-bench aead");
    cr_assert(yyjson_get_uint(yyjson_obj_get(env, "cores")) == 2);
    cr_assert(yyjson_get_uint(yyjson_obj_get(env, "pinned_cpu")) == 1);
    cr_assert(yyjson_get_uint(yyjson_obj_get(env, "rounds")) == 3);
    cr_assert(yyjson_get_real(yyjson_obj_get(env, "round_ms")) == 2);
    cr_assert(yyjson_get_uint(yyjson_obj_get(env, "cold_sessions")) == 20000);
    cr_assert(yyjson_obj_size(yyjson_obj_get(env, "versions")) == 2);
    expect_text(yyjson_obj_get(env, "versions"), "libsodium", "1.0.18");
    cr_assert(yyjson_arr_size(yyjson_obj_get(root, "absent")) == 1);
    expect_text(absent, "impl", "libsodium");
    expect_text(absent, "why", "its AES-GCM needs AES-NI and PCLMULQDQ");
    yyjson_doc_free(doc);
}

Test(bench_micro_report, json_rows)
{
    yyjson_doc *doc = written();
    yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "rows");
    yyjson_val *row = yyjson_arr_get(list, 0);

    cr_assert(yyjson_arr_size(list) == COUNT_OF(rows));
    expect_text(row, "op", "seal");
    expect_text(row, "impl", "sealcrypto");
    expect_text(row, "tier", "avx512");
    expect_text(row, "key", "prepared");
    expect_text(row, "keys", "hot");
    cr_assert(yyjson_get_uint(yyjson_obj_get(row, "bytes")) == 64);
    cr_assert(yyjson_get_uint(yyjson_obj_get(row, "batch")) == 8);
    cr_assert(yyjson_get_real(yyjson_obj_get(row, "ns_per_op")) == 12.5);
    cr_assert(yyjson_get_real(yyjson_obj_get(row, "ns_min")) == 10);
    cr_assert(yyjson_get_real(yyjson_obj_get(row, "ns_max")) == 20);
    row = yyjson_arr_get(list, 2);
    expect_text(row, "key", "fresh");
    expect_text(row, "keys", "cold");
    cr_assert(yyjson_get_real(yyjson_obj_get(row, "ns_per_op")) == 305);
    cr_assert(yyjson_is_null(yyjson_obj_get(row, "tier")));
    cr_assert(yyjson_is_null(yyjson_obj_get(yyjson_arr_get(list, 3), "key")));
    yyjson_doc_free(doc);
}

Test(bench_micro_report, json_that_cannot_be_written)
{
    cr_assert(eq(int, bench_micro_write_json(&report, "/nonexistent/bench.json"), -EIO));
    cr_assert(eq(int, bench_micro_write_json(&report, "/dev/full"), -EIO));
}

Test(bench_micro_report, table)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    bench_micro_print_table(&report, out);
    fclose(out);
    // Within the rounds: 125 ÷ 12.5, 110 ÷ 10, 120 ÷ 20.
    cr_assert(strstr(text, "sealcrypto         12.5  10.0-20.0") != NULL, "%s", text);
    cr_assert(strstr(text, "evp x10.00\n") != NULL, "%s", text);
    cr_assert(strstr(text, "evp                 120  110-125") != NULL, "%s", text);
    cr_assert(strstr(text, "evp               31000  31000-31000") != NULL, "%s", text);
    cr_assert(strstr(text, "one message, the median of 3 interleaved rounds of 2 ms") != NULL);
    cr_assert(strstr(text, "libsodium is absent: its AES-GCM needs") != NULL);
    cr_assert(strstr(text, "openssl 3.5.7, libsodium 1.0.18\n") != NULL);
    free(text);
}
