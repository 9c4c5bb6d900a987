// TLS 1.3 as four byte channels: records in, plaintext out, plaintext in, records out. No sockets.
// OpenSSL is underneath and no type of it shows, so that a record layer of our own can take over.
// Thread: a context may be shared; a channel belongs to one thread.
#ifndef SEALPOST_TLS_H
#define SEALPOST_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "units.h"

#define TLS_RECORD_PLAINTEXT_MAX 16384u
// More than one handshake flight or one answer to a KeyUpdate ever needs.
#define TLS_FLIGHT_MAX_BYTES 65536u
#define TLS_REASON_BYTES 256u

enum tls_error {
    TLS_CLOSED = -1, // close_notify received: nothing more comes
    TLS_FAILED = -2, // alert, bad record, handshake refused; a fatal alert may be in `out`
};

struct tls_context;
struct tls;

// Where records to send are appended; bytes[len … cap) is free.
struct tls_out {
    uint8_t *bytes;
    size_t len, cap;
};

// A server context from PEM files; with both NULL a self-signed P-256 certificate for localhost,
// 127.0.0.1 and ::1 is made. NULL and one sentence in reason on failure (names the file).
struct tls_context *tls_context_create_server(const char *certificate_file, const char *key_file,
                                              char reason[TLS_REASON_BYTES]);
// A client context; ca_file NULL does not verify the server (the caller says so to its user).
struct tls_context *tls_context_create_client(const char *ca_file, char reason[TLS_REASON_BYTES]);
void tls_context_destroy(struct tls_context *c);
// Write the certificate in PEM, for clients that verify a self-signed one. Errors: -errno.
NODISCARD int tls_context_write_certificate(const struct tls_context *c, const char *file);

// One connection. server_name (client only) is a host name or a literal address that the
// certificate must carry. NULL when memory is short.
struct tls *tls_create(struct tls_context *c, const char *server_name);
void tls_destroy(struct tls *t);

// Client: write the ClientHello. Errors: TLS_FAILED.
NODISCARD int tls_connect(struct tls *t, struct tls_out *out);

// Give received records. They are borrowed: call tls_read until it returns other than > 0 before
// the bytes go away; everything is consumed then.
void tls_feed(struct tls *t, const uint8_t *records, size_t len);
// Plaintext of at most one record for each call; also drives the handshake and answers KeyUpdates
// (records to send are appended to `out`, which needs TLS_FLIGHT_MAX_BYTES free).
// Returns bytes, 0 when more records are needed, or TLS_CLOSED, TLS_FAILED.
NODISCARD ssize_t tls_read(struct tls *t, uint8_t *plain, size_t cap, struct tls_out *out);

// Records for `len` plaintext bytes, appended to `out`, which needs tls_write_bound(len) free.
// Only once established. Errors: TLS_FAILED.
NODISCARD int tls_write(struct tls *t, const uint8_t *plain, size_t len, struct tls_out *out);
static inline size_t tls_write_bound(size_t len)
{
    return len + (len / TLS_RECORD_PLAINTEXT_MAX + 1) * 22u; // header 5, type 1, tag 16
}
// Append close_notify.
void tls_close(struct tls *t, struct tls_out *out);

bool tls_is_established(const struct tls *t);
// "X25519MLKEM768", "X25519" … once established, for reports.
const char *tls_group_name(const struct tls *t);

#endif
