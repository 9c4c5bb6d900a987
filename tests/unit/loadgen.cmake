foreach(name arena backlog budget downlink exit_code handshake handshake_faults ledger machine options payload persona
    percentile_curve plan planner prng pulse recorder report schedule search series sink_users stage
    stage_result stage_tally summary tally target threshold threshold_list user_control usl verdict)
  sealpost_unit_test(${name} sealpost_loadgen PkgConfig::YYJSON m)
endforeach()

foreach(name handshake handshake_faults)
  sealpost_tier_test(${name} portable)
endforeach()
