foreach(name arena downlink exit_code handshake handshake_faults ledger options page persona percentile_curve plan
    pulse report report_options screen series summary tally target terminal user_control verdict web_request)
  sealpost_unit_test(${name} sealpost_loadgen PkgConfig::YYJSON m)
endforeach()

foreach(name handshake handshake_faults)
  sealpost_tier_test(${name} portable)
endforeach()
