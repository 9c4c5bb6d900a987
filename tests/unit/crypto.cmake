foreach(name aead chain ed25519 ed25519_verify_avx512 fe25519 ge25519 hkdf identity init initial sc25519
    sc25519_avx512 session sha512 x25519 x3dh)
  sealpost_unit_test(${name} sealcrypto PkgConfig::OPENSSL PkgConfig::SODIUM)
  target_compile_definitions(test_${name}
    PRIVATE SEALPOST_VECTORS="${CMAKE_CURRENT_SOURCE_DIR}/vectors")
endforeach()

# These look inside: at the lanes themselves, and at functions that are no part of the API. For the
# last option see crypto/CMakeLists.txt.
foreach(name fe25519 ge25519 sc25519_avx512)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/crypto)
  target_compile_options(test_${name}
    PRIVATE -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512ifma
    $<$<C_COMPILER_ID:GNU>:--param=asan-use-after-return=0>)
endforeach()

# The best tier runs above; what stands on the message cipher must not tell the tiers apart.
foreach(name ed25519 initial session x3dh)
  add_test(NAME unit.${name}_portable COMMAND test_${name} --jobs 2)
  set_tests_properties(unit.${name}_portable PROPERTIES TIMEOUT 120 LABELS unit
    ENVIRONMENT SEALPOST_CRYPTO_TIER=portable)
endforeach()

# Kernels below the header of the library.
foreach(name chain ed25519_verify_avx512 sc25519 sha512)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/crypto)
endforeach()

# What fails only when the provider or the kernel does: these tests stand in between.
target_link_options(test_aead PRIVATE -Wl,--wrap=EVP_CipherFinal_ex,--wrap=EVP_CIPHER_CTX_new
  -Wl,--wrap=EVP_CipherInit_ex2,--wrap=aligned_alloc)
target_link_options(test_ed25519_verify_avx512 PRIVATE -Wl,--wrap=sp_sha512_avx512)
target_link_options(test_init PRIVATE -Wl,--wrap=getrandom,--wrap=sp_cpu_has_avx512)
target_link_options(test_initial PRIVATE -Wl,--wrap=sp_aead_seal_batch,--wrap=sp_aead_key_init)
target_link_options(test_session PRIVATE -Wl,--wrap=sp_aead_seal_batch,--wrap=sp_aead_open_batch
  -Wl,--wrap=sp_aead_key_init)

# Independent recomputation, with the distribution's Python: it has the package `cryptography`.
find_program(SEALPOST_PYTHON3 python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
add_test(NAME unit.vectors COMMAND ${SEALPOST_PYTHON3}
  ${CMAKE_CURRENT_SOURCE_DIR}/vectors/check_vectors.py)
add_test(NAME unit.x3dh_vectors COMMAND ${SEALPOST_PYTHON3}
  ${CMAKE_CURRENT_SOURCE_DIR}/vectors/make_x3dh_vectors.py --check)
set_tests_properties(unit.vectors unit.x3dh_vectors PROPERTIES TIMEOUT 60 LABELS unit)
