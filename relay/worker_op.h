// The operations of a worker's ring, as they stand in user_data.
#ifndef SEALPOST_WORKER_OP_H
#define SEALPOST_WORKER_OP_H

enum worker_op {
    WORKER_OP_ACCEPT,   // slot: index of the listener; multishot or, when nearly full, single
    WORKER_OP_RECEIVE,  // multishot
    WORKER_OP_SEND,     // completes at submission: MSG_DONTWAIT
    WORKER_OP_WRITABLE, // poll, one shot
    WORKER_OP_SHUTDOWN,
    WORKER_OP_CLOSE,
    WORKER_OP_WAKE,   // read of the waker's eventfd
    WORKER_OP_CANCEL, // of an accept
    WORKER_OP_PEEK,   // is the socket still alive?
};

#endif
