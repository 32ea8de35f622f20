// Wakes a sleeping shard: an eventfd that the shard's transport watches.
// Owned by: the woken shard. wake() may be called from any thread, and from a signal handler.
#pragma once

#include "base/result.h"

namespace millrace {

class Waker {
public:
    static Outcome<Waker> create();
    Waker(Waker&& other) noexcept;
    Waker& operator=(Waker&&) = delete;
    ~Waker();

    void wake() const;
    void clear() const;  // reads the eventfd empty; the shard's own thread
    int descriptor() const { return descriptor_; }

private:
    explicit Waker(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

}  // namespace millrace
