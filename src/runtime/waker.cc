#include "runtime/waker.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

#include <fmt/format.h>

namespace millrace {

Outcome<Waker> Waker::create() {
    const int descriptor = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (descriptor < 0) {
        return fail(Errc::system, fmt::format("waker: eventfd failed: {}", std::strerror(errno)));
    }
    return Waker(descriptor);
}

Waker::Waker(Waker&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Waker::~Waker() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void Waker::wake() const {
    const int saved_errno = errno;  // a signal handler may be what calls
    const uint64_t one = 1;
    // EAGAIN says that the counter is full: the shard has been woken often enough.
    while (::write(descriptor_, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    errno = saved_errno;
}

void Waker::clear() const {
    uint64_t count = 0;
    while (::read(descriptor_, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
}

}  // namespace millrace
