foreach(name aead aead_batch bundle_text chain ed25519 ed25519_verify_avx512 fe25519 ge25519 hkdf identity
    init initial initiate ml_dsa ml_kem ratchet respond sc25519 sc25519_avx512 session session_epoch
    sha512 x25519)
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

# The best tier runs above; what stands on the kernels must not tell the tiers apart. The kernels'
# own tests go through the tiers by themselves.
function(sealpost_tier_test name tier)
  add_test(NAME unit.${name}_${tier} COMMAND test_${name} --jobs 2)
  set_tests_properties(unit.${name}_${tier} PROPERTIES TIMEOUT 300 LABELS unit
    ENVIRONMENT SEALPOST_CRYPTO_TIER=${tier})
endfunction()
foreach(name ed25519 initial initiate ratchet respond session session_epoch)
  sealpost_tier_test(${name} portable)
endforeach()

# Kernels below the header of the library.
foreach(name chain ed25519_verify_avx512 sc25519 sha512)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/crypto)
endforeach()

# What fails only when the provider or the kernel does: these tests stand in between.
target_link_options(test_aead PRIVATE -Wl,--wrap=EVP_CipherFinal_ex,--wrap=EVP_CIPHER_CTX_new
  -Wl,--wrap=EVP_CipherInit_ex2,--wrap=aligned_alloc)
target_link_options(test_ed25519_verify_avx512 PRIVATE -Wl,--wrap=sp_sha512_avx512)
target_link_options(test_identity PRIVATE -Wl,--wrap=calloc,--wrap=EVP_PKEY_generate)
target_link_options(test_init PRIVATE -Wl,--wrap=getrandom,--wrap=sp_cpu_has_avx512
  -Wl,--wrap=sp_cpu_has_avx2,--wrap=sp_cpu_has_aesni)
target_link_options(test_initial PRIVATE -Wl,--wrap=sp_aead_seal_batch,--wrap=sp_ml_dsa_sign_batch)
target_link_options(test_initiate PRIVATE -Wl,--wrap=sp_random,--wrap=sp_hkdf_sha256_batch
  -Wl,--wrap=sp_wipe)
target_link_options(test_ml_dsa PRIVATE -Wl,--wrap=EVP_KEYMGMT_fetch,--wrap=EVP_SIGNATURE_fetch
  -Wl,--wrap=calloc,--wrap=EVP_PKEY_CTX_new_from_name,--wrap=EVP_PKEY_CTX_new_from_pkey
  -Wl,--wrap=EVP_PKEY_generate,--wrap=EVP_PKEY_sign)
target_link_options(test_ml_kem PRIVATE -Wl,--wrap=EVP_KEYMGMT_fetch,--wrap=EVP_KEM_fetch
  -Wl,--wrap=calloc,--wrap=EVP_PKEY_CTX_new_from_name,--wrap=EVP_PKEY_CTX_new_from_pkey
  -Wl,--wrap=EVP_PKEY_generate,--wrap=EVP_PKEY_get_raw_public_key
  -Wl,--wrap=EVP_PKEY_encapsulate,--wrap=EVP_PKEY_decapsulate)
target_link_options(test_respond PRIVATE -Wl,--wrap=sp_hkdf_sha256_batch
  -Wl,--wrap=sp_ml_kem_decapsulate_batch,--wrap=sp_wipe)
target_link_options(test_ratchet PRIVATE -Wl,--wrap=calloc)
target_link_options(test_session_epoch PRIVATE -Wl,--wrap=malloc,--wrap=sp_aead_key_init)
target_link_options(test_session PRIVATE -Wl,--wrap=sp_aead_seal_batch,--wrap=sp_aead_open_batch
  -Wl,--wrap=sp_aead_key_init)

# Independent recomputation, with the distribution's Python: it has the package `cryptography`.
find_program(SEALPOST_PYTHON3 python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
add_test(NAME unit.vectors COMMAND ${SEALPOST_PYTHON3}
  ${CMAKE_CURRENT_SOURCE_DIR}/vectors/check_vectors.py)
add_test(NAME unit.x3dh_vectors COMMAND ${SEALPOST_PYTHON3}
  ${CMAKE_CURRENT_SOURCE_DIR}/vectors/make_x3dh_vectors.py --check)
add_test(NAME unit.x3dh_package COMMAND ${SEALPOST_PYTHON3}
  ${CMAKE_CURRENT_SOURCE_DIR}/vectors/check_x3dh_package.py)
set_tests_properties(unit.vectors unit.x3dh_vectors unit.x3dh_package
  PROPERTIES TIMEOUT 60 LABELS unit)
set_tests_properties(unit.x3dh_package PROPERTIES SKIP_RETURN_CODE 77)
# A million iterations of X25519.
set_tests_properties(unit.x25519 PROPERTIES TIMEOUT 300)
