# Programs that tests of the load tester talk to.
add_executable(stub-relay tools/stub_relay.c)
target_link_libraries(stub-relay PRIVATE sealpost_loadgen)
