# Programs that tests of the load tester talk to.
add_executable(stub-relay tools/stub_relay.c)
target_link_libraries(stub-relay PRIVATE sealpost_loadgen)

# Preloaded into a relay, costs processor time (gate_trials).
add_library(plant-cost MODULE tools/plant_cost.c)
target_link_libraries(plant-cost PRIVATE PkgConfig::URING)
