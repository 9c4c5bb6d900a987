// Any bytes as a request to the live page. Whole or in two pieces the outcome is the same; what is
// allowed names localhost or an address, and what is refused has a status. Input: where to cut (2),
// the bytes.
#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "web_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ssize_t decode_cut(struct web_request *r, const uint8_t *bytes, size_t len, size_t cut)
{
    ssize_t result = web_request_decode(r, bytes, cut);

    if (result != 0)
        return result;
    result = web_request_decode(r, bytes + cut, len - cut);
    return result > 0 ? result + (ssize_t)cut : result;
}

// Nothing but digits, letters of "localhost" and of IPv6 addresses, and their punctuation.
static void check_allowed(const struct web_request *r)
{
    static const char letters[] = "0123456789abcdefABCDEF.:[]localhstLOCALHST";

    assert(r->host_count == 1 && r->host_len > 0 && r->host_len <= WEB_REQUEST_HOST_MAX_BYTES);
    for (uint32_t i = 0; i < r->host_len; i++)
        assert(r->host[i] != '\0' && strchr(letters, r->host[i]));
    assert(r->resource <= WEB_RESOURCE_EVENTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct web_request whole, pieces;

    if (size < 2)
        return 0;
    const uint8_t *bytes = data + 2;
    size_t len = size - 2, cut = (size_t)(data[0] << 8 | data[1]) % (len + 1);

    web_request_init(&whole);
    web_request_init(&pieces);
    ssize_t result = web_request_decode(&whole, bytes, len);
    ssize_t result_cut = decode_cut(&pieces, bytes, len, cut);
    assert(result == result_cut);
    assert(result <= (ssize_t)len && result <= (ssize_t)WEB_REQUEST_HEAD_MAX_BYTES);
    if (result > 0) {
        check_allowed(&whole);
        assert(whole.resource == pieces.resource);
    } else if (result < 0)
        assert(web_request_error_status((enum web_request_error)result) >= 400);
    return 0;
}
