foreach(name arena downlink exit_code handshake handshake_faults ledger options payload persona
    percentile_curve plan planner prng pulse recorder report schedule search series stage
    stage_result stage_tally summary tally target threshold threshold_list user_control usl verdict)
  sealpost_unit_test(${name} sealpost_loadgen PkgConfig::YYJSON m)
endforeach()

foreach(name handshake handshake_faults)
  sealpost_tier_test(${name} portable)
endforeach()

# compare and export
foreach(name comparison comparison_print evidence export junit measurement_parse stat_bootstrap
    stat_rank stat_sample)
  sealpost_unit_test(${name} sealpost_loadgen m)
endforeach()
