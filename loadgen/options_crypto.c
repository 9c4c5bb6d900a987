// Options of the cryptography. Runs once, before any thread.
#include "options_crypto.h"

#include "option_value.h"

enum {
    KEY_SUITE = OPTION_KEYS_CRYPTO,
    KEY_AUTH,
    KEY_SESSION,
    KEY_CA,
    KEY_INSECURE,
};

static const struct argp_option option_table[] = {
    {"suite", KEY_SUITE, "SUITE", 0, "Handshakes: x3dh (default) or pqxdh (with ML-KEM-768)", 0},
    {"auth", KEY_AUTH, "KIND", 0,
     "Identities: ed25519 (default) or hybrid (with ML-DSA-65, both must verify)", 0},
    {"session", KEY_SESSION, "MODE", 0,
     "Sessions: counter (default) or ratchet (a fresh key for each message)", 0},
    {"ca", KEY_CA, "FILE", 0, "Certificates to verify a wss relay with (PEM)", 0},
    {"insecure", KEY_INSECURE, 0, 0, "Do not verify the relay's certificate", 0},
    {0},
};

static const char *const suite_names[] = {"x3dh", "pqxdh"}; // from SP_SUITE_X3DH on
static const char *const auth_names[] = {"ed25519", "hybrid"};
static const char *const session_names[] = {"counter", "ratchet"};

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct option_parse *p = state->input;
    struct options *o = p->o;
    int word = 0, err;

    switch (key) {
    case KEY_SUITE:
        p->has_suite = true;
        err = option_parse_word(p, "suite", arg, suite_names, COUNT_OF(suite_names), &word);
        o->suite = (enum sp_suite)(word + SP_SUITE_X3DH);
        return err;
    case KEY_AUTH:
        err = option_parse_word(p, "auth", arg, auth_names, COUNT_OF(auth_names), &word);
        o->is_hybrid = word == 1;
        return err;
    case KEY_SESSION:
        p->has_session = true;
        err = option_parse_word(p, "session", arg, session_names, COUNT_OF(session_names), &word);
        o->session = (enum sp_session_mode)word;
        return err;
    case KEY_CA:
        o->ca_file = arg;
        return 0;
    case KEY_INSECURE:
        o->insecure = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp options_crypto_argp = {option_table, parse_one, 0, 0, 0, 0, 0};

const char *options_suite_name(enum sp_suite suite)
{
    return suite_names[suite - SP_SUITE_X3DH];
}

const char *options_auth_name(bool is_hybrid)
{
    return auth_names[is_hybrid];
}

const char *options_session_name(enum sp_session_mode mode)
{
    return session_names[mode];
}
