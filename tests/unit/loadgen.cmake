foreach(name arena backlog budget capacity_report downlink exit_code handshake handshake_faults ledger machine
    options options_scenario payload persona percentile_curve plan planner preview prng pulse recorder report
    scenario scenario_entry schedule search series server_process sink_users slo source_list stage stage_result
    stage_tally summary sweep tally target threshold threshold_list user_control usl verdict)
  sealpost_unit_test(${name} sealpost_loadgen PkgConfig::YYJSON m)
endforeach()

foreach(name handshake handshake_faults)
  sealpost_tier_test(${name} portable)
endforeach()
