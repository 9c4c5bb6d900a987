# sealpost_integration_test(<file> <seconds> [label...]): test_<file>.py against this build's
# programs, one ctest each. Debian's Python has the packages it needs. Most of them wait most of the
# time; those with the label `alone` tell delays or rates apart and have the machine to themselves.
function(sealpost_integration_test name timeout_s)
  add_test(NAME integration.${name}
    COMMAND /usr/bin/python3 -B -m pytest -q -p no:cacheprovider
      ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/test_${name}.py)
  set_tests_properties(integration.${name} PROPERTIES
    ENVIRONMENT SEALPOST_BIN_DIR=${CMAKE_BINARY_DIR}
    TIMEOUT ${timeout_s}
    LABELS "integration;${ARGN}")
  if("alone" IN_LIST ARGN)
    set_tests_properties(integration.${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
endfunction()

sealpost_integration_test(login 120)
sealpost_integration_test(conversation 120)
sealpost_integration_test(control 120)
sealpost_integration_test(hybrid 240)
sealpost_integration_test(durable 120)
sealpost_integration_test(malformed_frames 240)
sealpost_integration_test(malformed_messages 240)
sealpost_integration_test(framing 240)
sealpost_integration_test(http 240)
sealpost_integration_test(echo 120)
sealpost_integration_test(tls 120)
sealpost_integration_test(timeouts 120 alone)
sealpost_integration_test(slow_readers 300)
sealpost_integration_test(robustness 300)
sealpost_integration_test(drain 120)
sealpost_integration_test(options 240)
sealpost_integration_test(load 300)
sealpost_integration_test(load_crypto 300)
sealpost_integration_test(live_view 240)
sealpost_integration_test(report_pages 300)
sealpost_integration_test(honesty 240 alone)
sealpost_integration_test(behaviours 300)
sealpost_integration_test(load_resumption 120)
sealpost_integration_test(load_stages 120)
sealpost_integration_test(scenario 120)
sealpost_integration_test(threshold 120)
sealpost_integration_test(agents 300)
sealpost_integration_test(machines 120)
sealpost_integration_test(capacity 300 alone)
sealpost_integration_test(stub_relay 120 alone)
sealpost_integration_test(micro 300)
sealpost_integration_test(outputs 120)
sealpost_integration_test(compare 300)
sealpost_integration_test(generators 240)
# Several workers with traffic between them: what the thread sanitizer is for.
sealpost_integration_test(workers 300 threads)
# The page's thread beside the coordinator's.
sealpost_integration_test(live_page 240 threads)

# The library alone, as another project would take it.
sealpost_integration_test(sealcrypto_install 120)
set_property(TEST integration.sealcrypto_install APPEND PROPERTY ENVIRONMENT
  SEALPOST_SANITIZE=${SEALPOST_SANITIZE})
