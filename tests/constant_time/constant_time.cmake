# Does what handles secrets run in constant time? README.md says how each check looks at it.

# What is looked at is what a release runs: the library at its optimisation, whatever this build's
# is. The options of each file come with it.
get_target_property(sealcrypto_sources sealcrypto SOURCES)
set(constant_time_sources)
set(constant_time_kernels) # what is compiled for some instruction set, and what such files share
foreach(source ${sealcrypto_sources})
  set(path ${PROJECT_SOURCE_DIR}/crypto/${source})
  get_source_file_property(options ${path} TARGET_DIRECTORY sealcrypto COMPILE_OPTIONS)
  if(options)
    set_source_files_properties(${path} PROPERTIES COMPILE_OPTIONS "${options}")
  endif()
  list(APPEND constant_time_sources ${path})
endforeach()
add_library(constant_time_sealcrypto STATIC EXCLUDE_FROM_ALL ${constant_time_sources})
target_compile_options(constant_time_sealcrypto PRIVATE -O2)
target_include_directories(constant_time_sealcrypto PUBLIC ${PROJECT_SOURCE_DIR}/crypto/include)
target_link_libraries(constant_time_sealcrypto PRIVATE PkgConfig::OPENSSL PkgConfig::SODIUM)

add_executable(constant_time_poison constant_time/poison.c)
target_include_directories(constant_time_poison PRIVATE ${PROJECT_SOURCE_DIR}/crypto)
target_link_libraries(constant_time_poison constant_time_sealcrypto PkgConfig::OPENSSL
  PkgConfig::SODIUM)

add_executable(constant_time_timing constant_time/timing.c)
target_compile_options(constant_time_timing PRIVATE -O2)
target_include_directories(constant_time_timing PRIVATE ${PROJECT_SOURCE_DIR}/crypto)
target_link_libraries(constant_time_timing constant_time_sealcrypto PkgConfig::OPENSSL
  PkgConfig::SODIUM m)
