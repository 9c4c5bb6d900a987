foreach(name arena dialog downlink exit_code group handshake handshake_faults ledger options persona plan pulse
    report tally target user_control verdict)
  sealpost_unit_test(${name} sealpost_loadgen PkgConfig::YYJSON m)
endforeach()

foreach(name handshake handshake_faults)
  sealpost_tier_test(${name} portable)
endforeach()
