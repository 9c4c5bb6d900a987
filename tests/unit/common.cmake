foreach(name hist hist_codec http_upgrade pool spsc timer tls tls_record tls_resumption tls_ticket tls_traffic wire ws)
  sealpost_unit_test(${name} sealpost_common)
endforeach()

target_compile_definitions(test_tls_record
  PRIVATE SEALPOST_VECTORS="${CMAKE_CURRENT_SOURCE_DIR}/vectors")
# Independent recomputation, with the distribution's Python: it has the package `cryptography`.
find_program(SEALPOST_PYTHON3 python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
add_test(NAME unit.tls_vectors COMMAND ${SEALPOST_PYTHON3}
  ${CMAKE_CURRENT_SOURCE_DIR}/vectors/make_tls_vectors.py --check)
set_tests_properties(unit.tls_vectors PROPERTIES TIMEOUT 60 LABELS unit)
