// The record layer of TLS 1.3 (RFC 8446 section 5), one direction at a time: protect and unprotect
// records under a traffic secret, and the key update of section 7.2. No sockets, no handshake.
// A direction needs about 1.3 KB, where a whole OpenSSL connection needs 22 to 46 KB.
// Thread: one direction belongs to one thread.
#ifndef SEALPOST_TLS_RECORD_H
#define SEALPOST_TLS_RECORD_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "units.h"

#define TLS_RECORD_HEADER_BYTES 5u
#define TLS_RECORD_TAG_BYTES 16u
#define TLS_RECORD_PLAINTEXT_MAX 16384u
// Ciphertext of one record: content, type, padding and tag (section 5.2).
#define TLS_RECORD_CIPHERTEXT_MAX (TLS_RECORD_PLAINTEXT_MAX + 256u)
#define TLS_RECORD_MAX_BYTES (TLS_RECORD_HEADER_BYTES + TLS_RECORD_CIPHERTEXT_MAX)
#define TLS_RECORD_OVERHEAD_BYTES (TLS_RECORD_HEADER_BYTES + 1u + TLS_RECORD_TAG_BYTES)
#define TLS_SECRET_MAX_BYTES 48u
// AES-GCM is safe for 2^24.5 full records under one key (section 5.5): change it well before.
#define TLS_RECORDS_PER_KEY (1u << 23)

enum tls_record_type { TLS_TYPE_ALERT = 21, TLS_TYPE_HANDSHAKE = 22, TLS_TYPE_DATA = 23 };

// The alerts (section 6) a bad record is answered with, negative as results.
enum tls_record_error {
    TLS_RECORD_UNEXPECTED = -10, // unexpected_message: a record type that may not come here
    TLS_RECORD_FORGED = -20,     // bad_record_mac
    TLS_RECORD_OVERFLOW = -22,   // record_overflow
};

// What a cipher suite fixes. Borrowed by every direction made from it.
struct tls_suite {
    const EVP_CIPHER *cipher;
    const char *digest; // of the key schedule
    size_t key_bytes, secret_bytes;
};

struct tls_direction {
    EVP_CIPHER_CTX *context;
    const struct tls_suite *suite;
    uint64_t sequence; // of the next record
    uint8_t iv[12];
    uint8_t secret[TLS_SECRET_MAX_BYTES];
};

// Begin with a traffic secret; `sealing` for the writing direction. Errors: -ENOMEM, -EIO.
NODISCARD int tls_direction_init(struct tls_direction *d, const struct tls_suite *suite,
                                 const uint8_t *secret, int sealing);
void tls_direction_free(struct tls_direction *d);
// Go to the next generation of keys. Errors: -EIO.
NODISCARD int tls_direction_update(struct tls_direction *d);

// Protect `len` ≤ TLS_RECORD_PLAINTEXT_MAX bytes into out, which holds
// len + TLS_RECORD_OVERHEAD_BYTES. Returns that length or -EIO.
NODISCARD ssize_t tls_record_seal(struct tls_direction *d, enum tls_record_type type,
                                  const uint8_t *plain, size_t len, uint8_t *out);

// Bytes of the record that begins at `header` (5 bytes), or an error of its header.
// Errors: TLS_RECORD_UNEXPECTED, TLS_RECORD_OVERFLOW, TLS_RECORD_FORGED (too short to be one).
NODISCARD ssize_t tls_record_length(const uint8_t header[TLS_RECORD_HEADER_BYTES]);

// Unprotect one whole record of `len` bytes (from tls_record_length) into plain, which holds
// len − TLS_RECORD_HEADER_BYTES − TLS_RECORD_TAG_BYTES. Returns the content's length (padding and
// type removed) and its type. Errors: every tls_record_error; plain is then zeroed.
NODISCARD ssize_t tls_record_open(struct tls_direction *d, const uint8_t *record, size_t len,
                                  uint8_t *plain, enum tls_record_type *type);

#endif
