# Does what handles secrets run in constant time? README.md says how each check looks at it.

function(constant_time_test name timeout_s)
  add_test(NAME unit.constant_time_${name} COMMAND ${ARGN} COMMAND_EXPAND_LISTS)
  set_tests_properties(unit.constant_time_${name} PROPERTIES TIMEOUT ${timeout_s} LABELS unit
    SKIP_RETURN_CODE 77)
endfunction()
function(constant_time_skip name why)
  add_test(NAME unit.constant_time_${name} COMMAND ${CMAKE_COMMAND} -E echo "skipped: ${why}")
  set_tests_properties(unit.constant_time_${name} PROPERTIES LABELS unit
    SKIP_REGULAR_EXPRESSION "^skipped: ")
endfunction()

if(SEALPOST_SANITIZE)
  foreach(name poison_aesni poison_portable timing scan)
    constant_time_skip(${name} "sanitizers put code of their own everywhere")
  endforeach()
  return()
endif()

# What is looked at is what a release runs: the library at a release's optimisation, whatever this
# build's is, each file with its own options.
get_target_property(sources sealcrypto SOURCES)
list(TRANSFORM sources PREPEND ${PROJECT_SOURCE_DIR}/crypto/)
set(kernels "") # the files of instruction sets, and what those share
foreach(source ${sources})
  get_source_file_property(options ${source} TARGET_DIRECTORY sealcrypto COMPILE_OPTIONS)
  get_filename_component(file ${source} NAME)
  if(options)
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${options}")
  endif()
  if(options OR file MATCHES "^(sc25519|sha256_lanes)")
    list(APPEND kernels ${file})
  endif()
endforeach()
add_library(constant_time_sealcrypto STATIC ${sources})
target_compile_options(constant_time_sealcrypto PRIVATE -O2 -D_FORTIFY_SOURCE=2)
target_include_directories(constant_time_sealcrypto PUBLIC ${PROJECT_SOURCE_DIR}/crypto/include)
target_link_libraries(constant_time_sealcrypto PRIVATE PkgConfig::OPENSSL PkgConfig::SODIUM)

# Both stand in between the library's files, where the tiers are.
function(constant_time_program name)
  add_executable(constant_time_${name} ${ARGN})
  target_compile_options(constant_time_${name} PRIVATE -O2)
  target_include_directories(constant_time_${name} PRIVATE ${PROJECT_SOURCE_DIR}/crypto)
  target_link_libraries(constant_time_${name} constant_time_sealcrypto PkgConfig::OPENSSL
    PkgConfig::SODIUM m)
endfunction()

constant_time_program(poison constant_time/poison.c constant_time/poison_session.c)
find_program(SEALPOST_VALGRIND valgrind REQUIRED)
foreach(tier aesni portable)
  constant_time_test(poison_${tier} 60
    ${SEALPOST_VALGRIND} --quiet --num-callers=20 --error-limit=no
    --suppressions=${CMAKE_CURRENT_SOURCE_DIR}/constant_time/poison.supp
    $<TARGET_FILE:constant_time_poison> ${tier})
  set_property(TEST unit.constant_time_poison_${tier} PROPERTY
    ENVIRONMENT SEALPOST_CRYPTO_TIER=${tier})
endforeach()

constant_time_program(timing constant_time/timing.c)
constant_time_test(timing 60 constant_time_timing)
set_tests_properties(unit.constant_time_timing PROPERTIES RUN_SERIAL TRUE)

# The list of what was looked at is about one compiler's code: others make other code.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_C_COMPILER_VERSION MATCHES "^14[.]")
  find_program(SEALPOST_PYTHON3 python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
  constant_time_test(scan 120
    ${SEALPOST_PYTHON3} -B ${CMAKE_CURRENT_SOURCE_DIR}/constant_time/scan_kernels.py
    --list ${CMAKE_CURRENT_SOURCE_DIR}/constant_time/kernels.txt --compiler ${CMAKE_C_COMPILER}
    --sources ${PROJECT_SOURCE_DIR}/crypto --kernels ${kernels} --objects $<TARGET_OBJECTS:constant_time_sealcrypto>)
else()
  constant_time_skip(scan "kernels.txt is about the code of gcc 14")
endif()
