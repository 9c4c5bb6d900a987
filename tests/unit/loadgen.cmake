foreach(name arena downlink exit_code handshake handshake_faults ledger options payload persona
    percentile_curve plan prng pulse recorder report schedule series stage stage_result stage_tally
    summary tally target user_control verdict)
  sealpost_unit_test(${name} sealpost_loadgen PkgConfig::YYJSON m)
endforeach()

foreach(name handshake handshake_faults)
  sealpost_tier_test(${name} portable)
endforeach()
