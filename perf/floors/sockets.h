// Plain IPv4 sockets, epoll and the signal that ends a server, for all floors.
// Owned by: values that close what they hold; one thread.
// Holds:    whatever goes wrong throws std::system_error with what was tried and the reason.
// Not here: what the bytes mean.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "base/bytes.h"

namespace millrace::floors {

struct Endpoint {
    std::string address = "127.0.0.1";
    uint16_t port = 0;  // 0, to listen: any that is free
};

class Socket {
public:
    Socket() = default;
    explicit Socket(int descriptor) : descriptor_(descriptor) {}
    ~Socket() { close(); }
    Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }

    int descriptor() const { return descriptor_; }
    bool is_open() const { return descriptor_ >= 0; }
    void close();

private:
    int descriptor_ = -1;
};

[[noreturn]] void fail_with_errno(const std::string& what);
[[noreturn]] void fail(const std::string& what);

// As many descriptors as the process may have.
void raise_open_file_limit();

// Says "listening on ADDRESS:PORT" on standard error once clients may come.
Socket listen_at(const Endpoint& local);
Socket connect_to(const Endpoint& remote);
// Waits for the next connection. Sends leave at once (TCP_NODELAY) on all sockets made here.
Socket accept_next(const Socket& listening);
// Without waiting; not open when nobody is there.
Socket accept_nonblocking(const Socket& listening);
void set_nonblocking(const Socket& socket);

// On sockets that wait.
void write_whole(const Socket& socket, Bytes bytes);
// False when the peer has closed first.
bool read_whole(const Socket& socket, std::span<uint8_t> room);

// The bytes that came, 0 when none did (nonblocking), -1 when the connection has ended.
int64_t read_some(const Socket& socket, std::span<uint8_t> room);
// The bytes that went, -1 when the connection has ended.
int64_t write_some(const Socket& socket, Bytes bytes);

class Poller {
public:
    Poller();

    void add(const Socket& socket, uint32_t events, uint64_t key);
    void change(const Socket& socket, uint32_t events, uint64_t key);
    // What is ready, after at most that long (-1: for ever); valid until the next call.
    std::span<const epoll_event> wait(int64_t nanoseconds_max);

private:
    Socket epoll_;
    epoll_event ready_[1024];
};

// SIGTERM and SIGINT as a descriptor that gets readable; made before any thread.
Socket end_signal();

}  // namespace millrace::floors
