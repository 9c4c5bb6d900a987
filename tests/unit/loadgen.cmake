foreach(name agent_live agent_message arena backlog budget capacity_report client dialog downlink exit_code
    group handshake handshake_faults hdr_encoding ledger machine options options_scenario
    outcome_codec output_format page payload percentile_curve persona plan planner preview prng
    pulse recorder report report_options scenario scenario_entry schedule screen search series
    server_process sink_users slo source_list stage stage_result stage_tally summary sweep tally
    tally_codec target terminal threshold threshold_list travel user_control usl verdict
    web_request)
  sealpost_unit_test(${name} sealpost_loadgen PkgConfig::YYJSON m)
endforeach()

foreach(name handshake handshake_faults)
  sealpost_tier_test(${name} portable)
endforeach()
target_compile_definitions(test_hdr_encoding
  PRIVATE SEALPOST_VECTORS="${CMAKE_CURRENT_SOURCE_DIR}/vectors")
target_link_libraries(test_client PRIVATE PkgConfig::SODIUM)
target_link_libraries(test_hdr_encoding PRIVATE PkgConfig::SODIUM PkgConfig::ZLIB)

# compare and export
foreach(name comparison comparison_json comparison_print evidence export junit measurement_parse output_file
    stat_bootstrap stat_pair stat_rank stat_sample)
  sealpost_unit_test(${name} sealpost_loadgen PkgConfig::YYJSON m)
endforeach()
