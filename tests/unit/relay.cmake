# The directory of mailboxes stands alone; the rest of the relay is tested as a program.
sealpost_unit_test(mailbox sealpost_common PkgConfig::URCU PkgConfig::SODIUM)
target_sources(test_mailbox PRIVATE ${PROJECT_SOURCE_DIR}/relay/mailbox.c)
target_include_directories(test_mailbox PRIVATE ${PROJECT_SOURCE_DIR})
