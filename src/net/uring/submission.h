// Typed preparation of submission entries, and what travels in user_data.
// Owned by: nobody; every function fills one entry that Ring::next() gave.
// Holds:    user_data is a pointer with the operation in its highest byte. Who is pointed at
//           lives until the last completion of that operation.
// Not here: deciding what to submit (reconcile.cc), acting on completions (completions.cc).
#pragma once

#include <cstdint>

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "net/connection.h"
#include "net/uring/receive_buffers.h"

namespace millrace::uring {

enum class Operation : uint8_t {
    ignored,    // nobody waits for it
    waker,      // the eventfd of this shard is readable
    accept,     // Listener
    receive,    // Connection, as all below but zero_copy
    send,
    zero_copy,  // ZeroCopySend
    connect,
    install,    // a client's socket moves into the file table
    shutdown,
    close,
    cancel,
    room,       // the socket takes output again
};

inline uint64_t pack(Operation operation, const void* object) {
    const auto address = reinterpret_cast<uintptr_t>(object);
    MR_ASSERT(address >> 56 == 0);
    return (uint64_t{static_cast<uint8_t>(operation)} << 56) | address;
}
inline Operation operation_of(uint64_t user_data) {
    return static_cast<Operation>(user_data >> 56);
}
template <class T>
T& object_of(uint64_t user_data) {
    return *reinterpret_cast<T*>(user_data & ((uint64_t{1} << 56) - 1));
}

inline void on_fixed_file(io_uring_sqe& entry) { entry.flags |= IOSQE_FIXED_FILE; }

inline void prepare_accept(io_uring_sqe& entry, int descriptor, const void* listener) {
    io_uring_prep_multishot_accept_direct(&entry, descriptor, nullptr, nullptr, 0);
    entry.user_data = pack(Operation::accept, listener);
}

inline void prepare_waker(io_uring_sqe& entry, int descriptor) {
    io_uring_prep_poll_multishot(&entry, descriptor, POLLIN);
    entry.user_data = pack(Operation::waker, nullptr);
}

inline void prepare_receive(io_uring_sqe& entry, const Connection& connection) {
    io_uring_prep_recv_multishot(&entry, static_cast<int>(connection.file_index), nullptr, 0, 0);
    on_fixed_file(entry);
    entry.flags |= IOSQE_BUFFER_SELECT;
    entry.buf_group = ReceiveBuffers::group;
    entry.user_data = pack(Operation::receive, &connection);
}

inline void prepare_send(io_uring_sqe& entry, const Connection& connection, Slice slice) {
    io_uring_prep_send(&entry, static_cast<int>(connection.file_index), slice.data(), slice.length,
                       MSG_NOSIGNAL);
    on_fixed_file(entry);
    entry.user_data = pack(Operation::send, &connection);
}

inline void prepare_sendmsg(io_uring_sqe& entry, const Connection& connection,
                            const msghdr& message) {
    io_uring_prep_sendmsg(&entry, static_cast<int>(connection.file_index), &message, MSG_NOSIGNAL);
    on_fixed_file(entry);
    entry.user_data = pack(Operation::send, &connection);
}

inline void prepare_room(io_uring_sqe& entry, const Connection& connection) {
    io_uring_prep_poll_add(&entry, static_cast<int>(connection.file_index), POLLOUT);
    on_fixed_file(entry);
    entry.user_data = pack(Operation::room, &connection);
}

// By user_data: the kernel has a hash of it, though of 256 buckets at the most. By file it would
// look through everything in flight: a millisecond each with 11,000 connections (Linux 6.18).
inline void prepare_cancel(io_uring_sqe& entry, const Connection& connection,
                               Operation operation) {
    io_uring_prep_cancel64(&entry, pack(operation, &connection), 0);
    entry.user_data = pack(Operation::cancel, &connection);
}
inline void prepare_cancel_accept(io_uring_sqe& entry, const void* listener) {
    io_uring_prep_cancel64(&entry, pack(Operation::accept, listener), 0);
    entry.user_data = pack(Operation::ignored, nullptr);
}

inline void prepare_shutdown(io_uring_sqe& entry, const Connection& connection, int how) {
    io_uring_prep_shutdown(&entry, static_cast<int>(connection.file_index), how);
    on_fixed_file(entry);
    entry.user_data = pack(Operation::shutdown, &connection);
}

inline void prepare_close(io_uring_sqe& entry, const Connection& connection) {
    io_uring_prep_close_direct(&entry, connection.file_index);
    entry.user_data = pack(Operation::close, &connection);
}
// A slot of the file table that no connection stands for.
inline void prepare_close_slot(io_uring_sqe& entry, uint32_t file_index) {
    io_uring_prep_close_direct(&entry, file_index);
    entry.user_data = pack(Operation::ignored, nullptr);
}

inline void prepare_connect(io_uring_sqe& entry, const Connection& connection, int descriptor,
                            const sockaddr* address, socklen_t address_bytes) {
    io_uring_prep_connect(&entry, descriptor, address, address_bytes);
    entry.user_data = pack(Operation::connect, &connection);
}
// The kernel reads the descriptor from connection.file_index and leaves the slot there.
inline void prepare_install(io_uring_sqe& entry, Connection& connection) {
    io_uring_prep_files_update(&entry, reinterpret_cast<int*>(&connection.file_index), 1,
                               static_cast<int>(IORING_FILE_INDEX_ALLOC));
    entry.user_data = pack(Operation::install, &connection);
}
inline void prepare_close_descriptor(io_uring_sqe& entry, int descriptor) {
    io_uring_prep_close(&entry, descriptor);
    entry.user_data = pack(Operation::ignored, nullptr);
}

}  // namespace millrace::uring
