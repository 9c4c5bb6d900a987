// The HTTP/1.1 side of a WebSocket opening handshake (RFC 6455 section 4), both ends.
// Parsing is llhttp's; this file keeps what the handshake needs and checks it. No I/O.
#ifndef SEALPOST_HTTP_UPGRADE_H
#define SEALPOST_HTTP_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "units.h"

#define HTTP_HEAD_MAX_BYTES 8192u    // request or response head; over it: 431
#define HTTP_RESPONSE_MAX_BYTES 512u // what http_upgrade_encode_response writes at most
#define HTTP_PATH_MAX_BYTES 128u     // a longer resource is unknown: 404
#define HTTP_ACCEPT_BYTES 28u        // base64 of SHA-1

enum http_upgrade_error {
    HTTP_BAD_REQUEST = -1,    // 400: not HTTP/1.1, no Host, bad Connection, Upgrade or key
    HTTP_BAD_METHOD = -2,     // 405
    HTTP_HEAD_TOO_LARGE = -3, // 431
    HTTP_BAD_WS_VERSION = -4, // 426: Sec-WebSocket-Version is not 13
    HTTP_BAD_RESPONSE = -5,   // client side: not a valid 101
};

struct http_upgrade; // one parser; lives only during the handshake

// Bytes of one parser, for pools. Init in place with http_upgrade_init.
extern const size_t http_upgrade_size_bytes;

void http_upgrade_init(struct http_upgrade *u);

// Feed received bytes (any split). Returns bytes consumed when the request head is complete (what
// follows belongs to WebSocket), 0 if more is needed (all was consumed), or an error. Not to be
// fed again after either end. A request that announces a body is HTTP_BAD_REQUEST.
// Errors: HTTP_BAD_REQUEST, HTTP_BAD_METHOD, HTTP_HEAD_TOO_LARGE, HTTP_BAD_WS_VERSION.
NODISCARD ssize_t http_upgrade_decode_request(struct http_upgrade *u, const uint8_t *bytes,
                                              size_t len);

// After a complete request. The path is without its query, zero-terminated, "" if it was too long.
const char *http_upgrade_path(const struct http_upgrade *u);
// Is `protocol` among the Sec-WebSocket-Protocol values offered (any header line, any position)?
bool http_upgrade_offers(const struct http_upgrade *u, const char *protocol);

// Write the 101 response; `protocol` is the selected subprotocol or NULL. Returns its length.
size_t http_upgrade_encode_response(const struct http_upgrade *u, const char *protocol,
                                    char out[HTTP_RESPONSE_MAX_BYTES]);

// Write a refusal with Connection: close and no body: status 400, 404, 405 (with Allow: GET),
// 426 (with Sec-WebSocket-Version: 13 and Upgrade: websocket), 431 or 503. Returns its length.
size_t http_upgrade_encode_refusal(int status, char out[HTTP_RESPONSE_MAX_BYTES]);

// The status an error is refused with.
int http_upgrade_error_status(enum http_upgrade_error error);

// Client side. Write the request with this 16-byte nonce as the key; returns its length, or
// -ENOSPC when `cap` is too small (a terminating zero is written too). `protocol` may be NULL.
NODISCARD ssize_t http_upgrade_encode_request(char *out, size_t cap, const char *host,
                                              const char *path, const char *protocol,
                                              const uint8_t nonce[16]);

// Client side. Feed the response; same results as http_upgrade_decode_request. Checks status 101,
// Upgrade, Connection, Sec-WebSocket-Accept against `nonce`, and that the selected subprotocol is
// `protocol` (or none, if NULL). Errors: HTTP_BAD_RESPONSE, HTTP_HEAD_TOO_LARGE.
NODISCARD ssize_t http_upgrade_decode_response(struct http_upgrade *u, const uint8_t *bytes,
                                               size_t len, const uint8_t nonce[16],
                                               const char *protocol);

// Client side: the status of a response that was not 101 (after HTTP_BAD_RESPONSE), else 0.
int http_upgrade_status(const struct http_upgrade *u);

#endif
