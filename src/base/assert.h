// Assertions that stay on in every build, for bugs of our own; never for what a peer sends.
// Owned by: nobody. Thread: any.
// Holds:    a failed MR_ASSERT prints the condition with its place and aborts.
// Not here: errors that a caller can act on (result.h).
#pragma once

#include <cstdio>
#include <cstdlib>

namespace millrace {

[[noreturn]] inline void assert_failed(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    std::fflush(stderr);
    std::abort();
}

}  // namespace millrace

#define MR_ASSERT(condition)                                                      \
    (__builtin_expect(static_cast<bool>(condition), 1)                            \
         ? static_cast<void>(0)                                                   \
         : ::millrace::assert_failed(#condition, __FILE__, __LINE__))

#define MR_UNREACHABLE() ::millrace::assert_failed("unreachable", __FILE__, __LINE__)

// Checks too slow for production; tests, simulations and fuzzers are built with them.
#ifdef MR_WITH_VERIFY
#define MR_VERIFY(condition) MR_ASSERT(condition)
#else
#define MR_VERIFY(condition) static_cast<void>(0)
#endif
