foreach(name arena downlink exit_code handshake ledger options persona plan pulse report tally target
    user_control verdict)
  sealpost_unit_test(${name} sealpost_loadgen PkgConfig::YYJSON m)
endforeach()

sealpost_tier_test(handshake portable)
