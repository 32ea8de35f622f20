#include "sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include <fmt/format.h>

namespace millrace::floors {
namespace {

constexpr int backlog = 65'535;  // the kernel takes net.core.somaxconn of it

std::string text_of(const Endpoint& endpoint) {
    return fmt::format("{}:{}", endpoint.address, endpoint.port);
}

sockaddr_in parse(const Endpoint& endpoint) {
    sockaddr_in parsed{};
    parsed.sin_family = AF_INET;
    parsed.sin_port = htons(endpoint.port);
    if (::inet_pton(AF_INET, endpoint.address.c_str(), &parsed.sin_addr) != 1) {
        fail("\"" + endpoint.address + "\" is no IPv4 address");
    }
    return parsed;
}

Socket make_socket() {
    Socket made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!made.is_open()) fail_with_errno("socket");
    return made;
}

void set_option(const Socket& socket, int level, int name) {
    const int on = 1;
    if (::setsockopt(socket.descriptor(), level, name, &on, sizeof(on)) != 0) {
        fail_with_errno("setsockopt");
    }
}

bool has_ended(int error) {
    return error == ECONNRESET || error == EPIPE || error == ETIMEDOUT;
}

}  // namespace

void fail_with_errno(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

void fail(const std::string& what) {
    throw std::runtime_error(what);
}

void Socket::close() {
    if (is_open()) ::close(std::exchange(descriptor_, -1));
}

void raise_open_file_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) fail_with_errno("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) fail_with_errno("setrlimit");
}

Socket listen_at(const Endpoint& local) {
    Socket listening = make_socket();
    set_option(listening, SOL_SOCKET, SO_REUSEADDR);
    set_option(listening, IPPROTO_TCP, TCP_NODELAY);  // what is accepted inherits it
    sockaddr_in address = parse(local);
    socklen_t bytes = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listening.descriptor(), generic, bytes) != 0 ||
        ::listen(listening.descriptor(), backlog) != 0 ||
        ::getsockname(listening.descriptor(), generic, &bytes) != 0) {
        fail_with_errno("listen on " + text_of(local));
    }
    fmt::print(stderr, "listening on {}:{}\n", local.address, ntohs(address.sin_port));
    return listening;
}

Socket connect_to(const Endpoint& remote) {
    Socket made = make_socket();
    set_option(made, IPPROTO_TCP, TCP_NODELAY);
    const sockaddr_in address = parse(remote);
    if (::connect(made.descriptor(), reinterpret_cast<const sockaddr*>(&address),
                  sizeof(address)) != 0) {
        fail_with_errno("connect to " + text_of(remote));
    }
    return made;
}

Socket accept_next(const Socket& listening) {
    for (;;) {
        Socket accepted(::accept4(listening.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
        if (accepted.is_open()) return accepted;
        if (errno != EINTR && errno != ECONNABORTED) fail_with_errno("accept");
    }
}

Socket accept_nonblocking(const Socket& listening) {
    for (;;) {
        Socket accepted(
            ::accept4(listening.descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (accepted.is_open() || errno == EAGAIN) return accepted;
        if (errno != EINTR && errno != ECONNABORTED) fail_with_errno("accept");
    }
}

void set_nonblocking(const Socket& socket) {
    const int flags = ::fcntl(socket.descriptor(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.descriptor(), F_SETFL, flags | O_NONBLOCK) != 0) {
        fail_with_errno("fcntl");
    }
}

void write_whole(const Socket& socket, Bytes bytes) {
    while (!bytes.empty()) {
        const int64_t sent = write_some(socket, bytes);
        if (sent < 0) fail("the peer has closed its connection");
        bytes = bytes.subspan(static_cast<size_t>(sent));
    }
}

bool read_whole(const Socket& socket, std::span<uint8_t> room) {
    while (!room.empty()) {
        const int64_t came = read_some(socket, room);
        if (came < 0) return false;
        room = room.subspan(static_cast<size_t>(came));
    }
    return true;
}

int64_t read_some(const Socket& socket, std::span<uint8_t> room) {
    const ssize_t came = ::recv(socket.descriptor(), room.data(), room.size(), 0);
    if (came > 0) return came;
    if (came == 0 || has_ended(errno)) return -1;
    if (errno == EAGAIN || errno == EINTR) return 0;
    fail_with_errno("recv");
}

int64_t write_some(const Socket& socket, Bytes bytes) {
    const ssize_t sent = ::send(socket.descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (has_ended(errno)) return -1;
    if (errno == EAGAIN || errno == EINTR) return 0;
    fail_with_errno("send");
}

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_.is_open()) fail_with_errno("epoll_create1");
}

void Poller::add(const Socket& socket, uint32_t events, uint64_t key) {
    epoll_event event{.events = events, .data = {.u64 = key}};
    if (::epoll_ctl(epoll_.descriptor(), EPOLL_CTL_ADD, socket.descriptor(), &event) != 0) {
        fail_with_errno("epoll_ctl");
    }
}

void Poller::change(const Socket& socket, uint32_t events, uint64_t key) {
    epoll_event event{.events = events, .data = {.u64 = key}};
    if (::epoll_ctl(epoll_.descriptor(), EPOLL_CTL_MOD, socket.descriptor(), &event) != 0) {
        fail_with_errno("epoll_ctl");
    }
}

std::span<const epoll_event> Poller::wait(int64_t nanoseconds_max) {
    const timespec limit{.tv_sec = nanoseconds_max / 1'000'000'000,
                         .tv_nsec = nanoseconds_max % 1'000'000'000};
    const int count = ::epoll_pwait2(epoll_.descriptor(), ready_, std::size(ready_),
                                     nanoseconds_max < 0 ? nullptr : &limit, nullptr);
    if (count < 0 && errno != EINTR) fail_with_errno("epoll_pwait2");
    return {ready_, static_cast<size_t>(count < 0 ? 0 : count)};
}

Socket end_signal() {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    ::sigaddset(&signals, SIGINT);
    if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) fail_with_errno("sigprocmask");
    Socket made(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!made.is_open()) fail_with_errno("signalfd");
    return made;
}

}  // namespace millrace::floors
