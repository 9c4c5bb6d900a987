# What sealpost-bench computes, without its sockets.
set(BENCH_DIR ${CMAKE_SOURCE_DIR}/bench)

sealpost_unit_test(bench_protocol sealpost_common)
target_sources(test_bench_protocol PRIVATE
  ${BENCH_DIR}/bench_protocol.c
  ${BENCH_DIR}/bench_protocol_mqtt.c
  ${BENCH_DIR}/bench_protocol_nats.c
  ${BENCH_DIR}/bench_protocol_raw.c
  ${BENCH_DIR}/bench_protocol_redis.c
  ${BENCH_DIR}/bench_stream.c)
target_include_directories(test_bench_protocol PRIVATE ${BENCH_DIR})

sealpost_unit_test(bench_result PkgConfig::YYJSON sealpost_common m)
target_sources(test_bench_result PRIVATE ${BENCH_DIR}/bench_result.c)
target_include_directories(test_bench_result PRIVATE ${BENCH_DIR})

sealpost_unit_test(bench_micro_rounds PkgConfig::YYJSON sealpost_common m)
target_sources(test_bench_micro_rounds PRIVATE
  ${BENCH_DIR}/bench_micro_rounds.c
  ${BENCH_DIR}/bench_result.c)
target_include_directories(test_bench_micro_rounds PRIVATE ${BENCH_DIR})

sealpost_unit_test(bench_micro_report PkgConfig::YYJSON sealpost_common m)
target_sources(test_bench_micro_report PRIVATE
  ${BENCH_DIR}/bench_micro_report.c
  ${BENCH_DIR}/bench_micro_rounds.c
  ${BENCH_DIR}/bench_result.c)
target_include_directories(test_bench_micro_report PRIVATE ${BENCH_DIR})
