// An io_uring the way every loop of ours wants it.
#include "ring.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CQ_FACTOR 8u
#define SUBMIT_TRIES_MAX 100000u

static unsigned setup_flags(void)
{
    return IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
           IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_NO_SQARRAY;
}

const char *ring_check_kernel(void)
{
    static char sentence[256];
    struct io_uring_params params = {.flags = setup_flags(), .cq_entries = 64};
    struct io_uring_buf_ring *entries;
    struct io_uring uring;
    int err = io_uring_queue_init_params(8, &uring, &params);

    if (err == -EPERM)
        return "io_uring is disabled on this system; set the sysctl kernel.io_uring_disabled to 0";
    if (err == -ENOSYS)
        return "this kernel has no io_uring; Linux 6.12 or later is needed";
    if (err == -ENOMEM)
        return "io_uring could not lock memory; raise RLIMIT_MEMLOCK (ulimit -l)";
    if (err < 0) {
        snprintf(
            sentence, sizeof sentence,
            "this kernel refuses the io_uring set-up (error %d); Linux 6.12 or later is needed",
            -err);
        return sentence;
    }
    if (!(params.features & IORING_FEAT_MIN_TIMEOUT)) {
        io_uring_queue_exit(&uring);
        return "this kernel's io_uring has no minimum wait; Linux 6.12 or later is needed";
    }
    entries = io_uring_setup_buf_ring(&uring, 8, 1, 0, &err);
    if (entries)
        io_uring_free_buf_ring(&uring, entries, 8, 1);
    io_uring_queue_exit(&uring);
    return entries ? NULL
                   : "this kernel's io_uring has no provided-buffer rings; Linux 6.12 or later is "
                     "needed";
}

int ring_init(struct ring *r, uint32_t sq_entries, uint32_t direct_descriptors)
{
    struct io_uring_params params = {.flags = setup_flags(), .cq_entries = sq_entries * CQ_FACTOR};
    int err;

    *r = (struct ring){0};
    err = io_uring_queue_init_params(sq_entries, &r->uring, &params);
    if (err < 0)
        return err;
    err = io_uring_register_ring_fd(&r->uring);
    if (err < 0)
        goto cleanup;
    if (direct_descriptors > 0) {
        err = io_uring_register_files_sparse(&r->uring, direct_descriptors);
        if (err < 0)
            goto cleanup;
    }
    return 0;

cleanup:
    io_uring_queue_exit(&r->uring);
    return err;
}

void ring_free(struct ring *r)
{
    io_uring_queue_exit(&r->uring);
}

struct io_uring_sqe *ring_get_sqe(struct ring *r)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);

    // The kernel takes what it is given; that it takes nothing for long means the ring is broken.
    for (unsigned tries = 0; !sqe; tries++) {
        int err = io_uring_submit(&r->uring);

        assert(err >= 0 || tries < SUBMIT_TRIES_MAX);
        sqe = io_uring_get_sqe(&r->uring);
    }
    return sqe;
}

int ring_submit_and_wait(struct ring *r, unsigned batch, uint64_t timeout_ns, unsigned min_wait_us)
{
    struct __kernel_timespec ts;
    struct io_uring_cqe *cqe;
    int err;

    if (timeout_ns == 0 || io_uring_cq_ready(&r->uring) > 0) {
        err = io_uring_submit_and_get_events(&r->uring);
        return err < 0 ? err : 0;
    }
    if (timeout_ns == UINT64_MAX && min_wait_us == 0) {
        err = io_uring_submit_and_wait(&r->uring, 1);
        return err < 0 ? err : 0;
    }
    if (timeout_ns == UINT64_MAX)
        timeout_ns = 3600 * NS_PER_S;
    ts = (struct __kernel_timespec){.tv_sec = (long long)(timeout_ns / NS_PER_S),
                                    .tv_nsec = (long long)(timeout_ns % NS_PER_S)};
    if (min_wait_us > 0)
        err = io_uring_submit_and_wait_min_timeout(&r->uring, &cqe, batch, &ts, min_wait_us, NULL);
    else
        err = io_uring_submit_and_wait_timeout(&r->uring, &cqe, 1, &ts, NULL);
    return err < 0 ? err : 0;
}
