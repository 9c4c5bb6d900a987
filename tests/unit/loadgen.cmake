foreach(name arena backlog budget downlink exit_code handshake handshake_faults ledger machine options payload persona
    percentile_curve plan prng pulse report series sink_users summary tally target user_control verdict)
  sealpost_unit_test(${name} sealpost_loadgen PkgConfig::YYJSON m)
endforeach()

foreach(name handshake handshake_faults)
  sealpost_tier_test(${name} portable)
endforeach()
