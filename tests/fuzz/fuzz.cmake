# libFuzzer targets, built by the preset `fuzz` (clang). A fuzzer is named for the function it
# drives. Run one for a while:
#   build/fuzz/tests/fuzz_<name> -max_total_time=60 <folder for findings> tests/fuzz/corpus/<name>
set(SEALPOST_FUZZ_FLAGS -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
  -fno-omit-frame-pointer)

# sealpost_fuzzer(<name> <source>...): fuzz/fuzz_<name>.c with the sources it drives, which are
# given from the root and compiled again here, so that they report their coverage. Its test replays
# the seeds in fuzz/corpus/<name>. Libraries: target_link_libraries(fuzz_<name> PRIVATE ...).
add_custom_target(fuzzers)
function(sealpost_fuzzer name)
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/)
  add_executable(fuzz_${name} fuzz/fuzz_${name}.c ${ARGN})
  target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/common)
  # libFuzzer's entry point has no prototype of its own.
  target_compile_options(fuzz_${name} PRIVATE ${SEALPOST_FUZZ_FLAGS} -Wno-missing-prototypes)
  target_link_options(fuzz_${name} PRIVATE ${SEALPOST_FUZZ_FLAGS})
  add_dependencies(fuzzers fuzz_${name})
  add_test(NAME fuzz.${name}
    COMMAND fuzz_${name} -runs=0 ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
  set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 120 LABELS fuzz)
endfunction()

# Options of a source hold in the folder that sets them: again as in common/CMakeLists.txt.
set_source_files_properties(${PROJECT_SOURCE_DIR}/common/ws_mask_avx2.c
  PROPERTIES COMPILE_OPTIONS "-mavx2")
set_source_files_properties(${PROJECT_SOURCE_DIR}/common/ws_mask_avx512.c
  PROPERTIES COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512vl")
sealpost_fuzzer(wire_decode_envelope common/wire.c)
sealpost_fuzzer(ws_decode_header common/ws.c common/ws_mask.c common/ws_mask_avx2.c
  common/ws_mask_avx512.c)
target_link_libraries(fuzz_ws_decode_header PRIVATE ${WSLAY_LIBRARY})
sealpost_fuzzer(http_upgrade common/http_upgrade.c)
target_link_libraries(fuzz_http_upgrade PRIVATE PkgConfig::LLHTTP PkgConfig::OPENSSL)
sealpost_fuzzer(web_request_decode loadgen/report/web_request.c)
target_include_directories(fuzz_web_request_decode PRIVATE ${PROJECT_SOURCE_DIR}/loadgen/report)
target_link_libraries(fuzz_web_request_decode PRIVATE PkgConfig::LLHTTP)

sealpost_fuzzer(group_parse loadgen/group.c)
target_include_directories(fuzz_group_parse PRIVATE ${PROJECT_SOURCE_DIR}/loadgen)
sealpost_fuzzer(threshold_parse loadgen/threshold.c loadgen/pulse.c common/hist.c)
target_include_directories(fuzz_threshold_parse PRIVATE ${PROJECT_SOURCE_DIR}/loadgen)
target_link_libraries(fuzz_threshold_parse PRIVATE m)
sealpost_fuzzer(planner_parse loadgen/capacity/planner.c)
target_include_directories(fuzz_planner_parse PRIVATE ${PROJECT_SOURCE_DIR}/loadgen/capacity)
target_link_libraries(fuzz_planner_parse PRIVATE m)
sealpost_fuzzer(sweep_parse loadgen/capacity/sweep.c loadgen/capacity/usl.c)
target_include_directories(fuzz_sweep_parse PRIVATE ${PROJECT_SOURCE_DIR}/loadgen
  ${PROJECT_SOURCE_DIR}/loadgen/agent ${PROJECT_SOURCE_DIR}/loadgen/capacity
  ${PROJECT_SOURCE_DIR}/loadgen/report
  ${PROJECT_SOURCE_DIR}/crypto/include)
target_link_libraries(fuzz_sweep_parse PRIVATE PkgConfig::OPENSSL PkgConfig::YYJSON m)

sealpost_fuzzer(hist_codec_decode common/hist_codec.c common/hist.c)
sealpost_fuzzer(agent_message_decode loadgen/agent/agent_message.c loadgen/agent/agent_channel.c
  loadgen/agent/pulse_codec.c loadgen/agent/tally_codec.c loadgen/tally.c loadgen/stage_tally.c
  loadgen/ledger.c loadgen/budget.c common/hist.c common/hist_codec.c)
target_include_directories(fuzz_agent_message_decode PRIVATE ${PROJECT_SOURCE_DIR}/loadgen
  ${PROJECT_SOURCE_DIR}/loadgen/agent ${PROJECT_SOURCE_DIR}/loadgen/report
  ${PROJECT_SOURCE_DIR}/loadgen/scenario ${PROJECT_SOURCE_DIR}/crypto/include)
target_link_libraries(fuzz_agent_message_decode PRIVATE PkgConfig::YYJSON PkgConfig::SODIUM
  PkgConfig::URING PkgConfig::OPENSSL m)
target_link_libraries(fuzz_hist_codec_decode PRIVATE m)

sealpost_fuzzer(stage_list_parse loadgen/stage.c loadgen/schedule.c)
sealpost_fuzzer(scenario_create loadgen/scenario/option_names.c loadgen/scenario/ready_made.c
  loadgen/scenario/scenario.c loadgen/scenario/scenario_entry.c loadgen/scenario/scenario_marks.c)
foreach(name stage_list_parse scenario_create)
  target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/loadgen
    ${PROJECT_SOURCE_DIR}/loadgen/scenario)
  target_link_libraries(fuzz_${name} PRIVATE PkgConfig::CYAML PkgConfig::YAML m)
endforeach()
# It looks up ready-made scenarios, which are none here.
target_sources(fuzz_scenario_create PRIVATE fuzz/no_ready_made.c)

# It includes common/tls.c.
sealpost_fuzzer(tls_read common/tls_context.c common/tls_record.c common/tls_ticket.c common/pool.c)
target_link_libraries(fuzz_tls_read PRIVATE PkgConfig::OPENSSL)

# The library as a whole. Its parsers and protocols are under the fuzzer's eyes; the kernels, each with
# its own options, read no format and would take clang minutes.
get_target_property(sources sealcrypto SOURCES)
list(TRANSFORM sources PREPEND ${PROJECT_SOURCE_DIR}/crypto/)
foreach(source ${sources})
  get_source_file_property(options ${source} TARGET_DIRECTORY sealcrypto COMPILE_OPTIONS)
  if(NOT options)
    set(options ${SEALPOST_FUZZ_FLAGS})
  endif()
  set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${options}")
endforeach()
add_library(fuzz_sealcrypto STATIC EXCLUDE_FROM_ALL ${sources})
target_include_directories(fuzz_sealcrypto PUBLIC ${PROJECT_SOURCE_DIR}/crypto/include)
target_link_libraries(fuzz_sealcrypto PUBLIC PkgConfig::OPENSSL PkgConfig::SODIUM)
foreach(name sp_initial_open sp_session_open sp_bundle_decode_text)
  sealpost_fuzzer(${name})
  target_link_libraries(fuzz_${name} PRIVATE fuzz_sealcrypto)
endforeach()

sealpost_fuzzer(sink_users_answer loadgen/sink_users.c)
target_include_directories(fuzz_sink_users_answer PRIVATE ${PROJECT_SOURCE_DIR}/loadgen)
target_link_libraries(fuzz_sink_users_answer PRIVATE fuzz_sealcrypto PkgConfig::YYJSON
  PkgConfig::SODIUM)

sealpost_fuzzer(control_handle_event relay/control/auth.c relay/control/control.c
  relay/control/control_conn.c relay/control/control_error.c relay/control/control_json.c
  relay/control/keyed_table.c relay/control/ml_dsa_verifier.c relay/control/offline.c
  relay/control/prekey_memory.c relay/control/prekeys.c relay/control/presence.c
  relay/control/store_memory.c relay/control/users.c relay/stats.c common/wire.c)
target_include_directories(fuzz_control_handle_event PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(fuzz_control_handle_event PRIVATE
  PkgConfig::OPENSSL PkgConfig::YYJSON PkgConfig::SODIUM)

sealpost_fuzzer(measurement_parse loadgen/compare/measurement_parse.c loadgen/compare/measurement.c
  loadgen/compare/metric.c loadgen/compare/comparison.c loadgen/compare/comparison_print.c
  loadgen/compare/description.c loadgen/compare/export.c loadgen/compare/junit.c loadgen/compare/stat_bootstrap.c
  loadgen/compare/stat_pair.c
  loadgen/compare/stat_rank.c loadgen/compare/stat_sample.c)
target_include_directories(fuzz_measurement_parse PRIVATE ${PROJECT_SOURCE_DIR}/loadgen
  ${PROJECT_SOURCE_DIR}/loadgen/compare)
target_link_libraries(fuzz_measurement_parse PRIVATE PkgConfig::YYJSON m)
