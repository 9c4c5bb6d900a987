// TLS 1.3 as four byte channels: records in, plaintext out, plaintext in, records out. No sockets.
// OpenSSL does the handshake; then its connection object is freed and our own record layer
// (tls_record.h) goes on with the traffic secrets.
// Thread: a context may be shared; a channel belongs to one thread.
#ifndef SEALPOST_TLS_H
#define SEALPOST_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tls_record.h"
#include "units.h"

// More than one handshake flight ever needs.
#define TLS_FLIGHT_MAX_BYTES 65536u
#define TLS_REASON_BYTES 256u

enum tls_error {
    TLS_CLOSED = -1,    // close_notify received: nothing more comes
    TLS_FAILED = -2,    // alert, bad record, handshake refused; a fatal alert may be in `out`
    TLS_NO_BUFFER = -3, // `partials` is exhausted: what was fed is lost, TLS_FAILED from then on
};

struct pool;
struct ssl_session_st; // OpenSSL's SSL_SESSION
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
// certificate must carry. `partials` holds records that came in part: objects of
// TLS_RECORD_MAX_BYTES, of the channel's thread. NULL when memory is short.
struct tls *tls_create(struct tls_context *c, const char *server_name, struct pool *partials);
void tls_destroy(struct tls *t);

// Client: write the ClientHello. Errors: TLS_FAILED.
NODISCARD int tls_connect(struct tls *t, struct tls_out *out);

// Client, before tls_connect: keep the session that the server's ticket stands for, and resume
// `session` (NULL: none). A server that does not know it makes it a whole handshake.
// Owner: takes `session`; used once each (RFC 8446 appendix C.4).
void tls_resume(struct tls *t, struct ssl_session_st *session);
// What can be resumed later, for the caller; NULL if no ticket came, or it was taken already. It is
// here as soon as anything was read.
struct ssl_session_st *tls_take_session(struct tls *t);
void tls_session_free(struct ssl_session_st *session);
bool tls_was_resumed(const struct tls *t);

// Give received records. They are borrowed: call tls_read until it returns other than > 0 before
// the bytes go away; everything is consumed then.
void tls_feed(struct tls *t, const uint8_t *records, size_t len);
// Plaintext of at most one record for each call; also drives the handshake (records to send are
// appended to `out`, which needs TLS_FLIGHT_MAX_BYTES free; once established only a fatal alert).
// `cap` is at least TLS_RECORD_CIPHERTEXT_MAX: the record is decrypted there, padding and all.
// Returns bytes, 0 when more records are needed, or TLS_CLOSED, TLS_FAILED, TLS_NO_BUFFER.
NODISCARD ssize_t tls_read(struct tls *t, uint8_t *plain, size_t cap, struct tls_out *out);

// Records for `len` plaintext bytes, appended to `out`, which needs tls_write_bound(len) free.
// Only once established. A KeyUpdate that is due, because the peer asked or a key is used up, goes
// ahead. Nothing is written, and that is no error, once nothing may be: after a fatal alert in
// either direction and after tls_close; the peer's close_notify alone does not end our direction.
// Errors: TLS_FAILED (of the cryptography: the connection is lost).
NODISCARD int tls_write(struct tls *t, const uint8_t *plain, size_t len, struct tls_out *out);
static inline size_t tls_write_bound(size_t len)
{
    // One more record may go ahead: a KeyUpdate of 5 bytes.
    return len + (len / TLS_RECORD_PLAINTEXT_MAX + 1) * TLS_RECORD_OVERHEAD_BYTES +
           (TLS_RECORD_OVERHEAD_BYTES + 5);
}
// Append close_notify, unless it or a fatal alert was said already.
void tls_close(struct tls *t, struct tls_out *out);

bool tls_is_established(const struct tls *t);
// Has a record come in part?
bool tls_is_mid_record(const struct tls *t);
// "X25519MLKEM768", "X25519" … once established, for reports.
const char *tls_group_name(const struct tls *t);

#endif
