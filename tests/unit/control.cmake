# The control plane. Its tests drive control_handle_event through control_fake.c, which also makes
# allocations fail on demand.
sealpost_unit_test(users sealpost_control)
sealpost_unit_test(store_memory sealpost_control)
foreach(name auth control offline prekey_memory prekeys prekeys_kem presence)
  sealpost_unit_test(${name} sealpost_control)
  target_sources(test_${name} PRIVATE unit/control_fake.c)
  target_link_options(test_${name} PRIVATE
    -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc)
endforeach()
