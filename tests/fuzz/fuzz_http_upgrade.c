// Any bytes as a handshake. Whole or in two pieces the outcome is the same; a request that is
// accepted can be answered, and our own client takes the answer; requests of our own making are
// accepted. Input: mode (bit 0: response), where to cut (2), the bytes.
#include <assert.h>
#include <stdlib.h>

#include "http_upgrade.h"

#define PROTOCOL "sealpost.v1"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t sample_nonce[16] = "the sample nonce"; // RFC 6455 section 1.3

static struct http_upgrade *create(void)
{
    struct http_upgrade *u = malloc(http_upgrade_size_bytes);

    assert(u != NULL);
    http_upgrade_init(u);
    return u;
}

static ssize_t decode(struct http_upgrade *u, bool is_response, const uint8_t *bytes, size_t len)
{
    if (is_response)
        return http_upgrade_decode_response(u, bytes, len, sample_nonce, PROTOCOL);
    return http_upgrade_decode_request(u, bytes, len);
}

// The same bytes in two pieces; the result counts from the start of the first.
static ssize_t decode_cut(struct http_upgrade *u, bool is_response, const uint8_t *bytes,
                          size_t len, size_t cut)
{
    ssize_t result = decode(u, is_response, bytes, cut);

    if (result != 0)
        return result;
    result = decode(u, is_response, bytes + cut, len - cut);
    return result > 0 ? result + (ssize_t)cut : result;
}

static void check_accepted_request(const struct http_upgrade *whole, const struct http_upgrade *cut)
{
    char response[HTTP_RESPONSE_MAX_BYTES], again[HTTP_RESPONSE_MAX_BYTES];
    const char *path = http_upgrade_path(whole);

    assert(strlen(path) <= HTTP_PATH_MAX_BYTES);
    assert(strcmp(path, http_upgrade_path(cut)) == 0);
    bool offered = http_upgrade_offers(whole, PROTOCOL);
    assert(offered == http_upgrade_offers(cut, PROTOCOL));
    size_t len = http_upgrade_encode_response(whole, offered ? PROTOCOL : NULL, response);
    assert(len == http_upgrade_encode_response(cut, offered ? PROTOCOL : NULL, again));
    assert(memcmp(response, again, len) == 0);
}

static void check_refused(ssize_t error, bool is_response)
{
    char refusal[HTTP_RESPONSE_MAX_BYTES];

    if (is_response) {
        assert(error == HTTP_BAD_RESPONSE || error == HTTP_HEAD_TOO_LARGE);
        return;
    }
    assert(error >= HTTP_BAD_WS_VERSION && error <= HTTP_BAD_REQUEST);
    int status = http_upgrade_error_status((enum http_upgrade_error)error);
    struct http_upgrade *client = create();
    size_t len = http_upgrade_encode_refusal(status, refusal);
    ssize_t result =
        http_upgrade_decode_response(client, (uint8_t *)refusal, len, sample_nonce, PROTOCOL);
    assert(result == HTTP_BAD_RESPONSE && http_upgrade_status(client) == status);
    free(client);
}

// A handshake of our own with this nonce and a path made of these bytes, through both ends.
static void check_own_handshake(const uint8_t *bytes, size_t len)
{
    char path[HTTP_PATH_MAX_BYTES + 1] = "/";
    char request[1024], response[HTTP_RESPONSE_MAX_BYTES];
    uint8_t nonce[16] = {0};
    struct http_upgrade *server = create(), *client = create();

    memcpy(nonce, bytes, len < sizeof nonce ? len : sizeof nonce);
    for (size_t i = 0; i < len && i + 1 < HTTP_PATH_MAX_BYTES; i++)
        path[i + 1] = (char)('a' + bytes[i] % 26);
    ssize_t request_len =
        http_upgrade_encode_request(request, sizeof request, "host", path, PROTOCOL, nonce);
    assert(request_len > 0);
    ssize_t used = http_upgrade_decode_request(server, (uint8_t *)request, (size_t)request_len);
    assert(used == request_len);
    assert(strcmp(http_upgrade_path(server), path) == 0);
    assert(http_upgrade_offers(server, PROTOCOL));
    size_t response_len = http_upgrade_encode_response(server, PROTOCOL, response);
    used = http_upgrade_decode_response(client, (uint8_t *)response, response_len, nonce, PROTOCOL);
    assert(used == (ssize_t)response_len);
    assert(http_upgrade_status(client) == 0);
    free(server);
    free(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    bool is_response = (data[0] & 1) != 0;
    const uint8_t *bytes = data + 3;
    size_t len = size - 3;
    size_t cut = (size_t)(data[1] << 8 | data[2]) % (len + 1);
    struct http_upgrade *whole = create(), *pieces = create();

    ssize_t result = decode(whole, is_response, bytes, len);
    ssize_t result_cut = decode_cut(pieces, is_response, bytes, len, cut);
    assert(result == result_cut);
    assert(result <= (ssize_t)len && result <= (ssize_t)HTTP_HEAD_MAX_BYTES);
    assert(http_upgrade_status(whole) == http_upgrade_status(pieces));
    if (result < 0)
        check_refused(result, is_response);
    else if (result > 0 && !is_response)
        check_accepted_request(whole, pieces);
    else if (result > 0)
        assert(http_upgrade_status(whole) == 0);
    free(whole);
    free(pieces);
    check_own_handshake(bytes, len);
    return 0;
}
