// Options of the cryptography: of the users, and of the way to the relay.
#ifndef SEALPOST_OPTIONS_CRYPTO_H
#define SEALPOST_OPTIONS_CRYPTO_H

#include <argp.h>

// Its input is a struct option_parse.
extern const struct argp options_crypto_argp;

#endif
