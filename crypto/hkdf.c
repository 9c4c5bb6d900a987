// HKDF-SHA-256 (RFC 5869): lengths are judged here, the tier that runs computes. Any thread.
#include <errno.h>
#include <string.h>

#include "internal.h"

#define HASH_BYTES 32u

int sp_hkdf_sha256_batch(const struct sp_hkdf_job *jobs, size_t count)
{
    bool valid = true;
    for (size_t i = 0; i < count; i++)
        valid = valid && jobs[i].out_len >= 1 && jobs[i].out_len <= 255 * HASH_BYTES;
    if (!valid) {
        for (size_t i = 0; i < count; i++) {
            if (jobs[i].out_len > 0)
                memset(jobs[i].out, 0, jobs[i].out_len);
        }
        return -EINVAL;
    }
    if (count > 0)
        sp_active->hash->hkdf(jobs, count);
    return 0;
}
