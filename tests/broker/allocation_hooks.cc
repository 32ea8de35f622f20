// The program's own definitions come before those of any shared library; each counts and hands on
// to the next one.
#include "allocation_hooks.h"

#include <cstdlib>
#include <new>

#include <dlfcn.h>

#include "runtime/poison.h"

namespace millrace::test {

uint64_t allocation_count = 0;

}  // namespace millrace::test

#ifdef MR_WITH_ADDRESS_SANITIZER

bool millrace::test::counts_allocations() { return false; }

#else

bool millrace::test::counts_allocations() { return true; }

namespace {

template <class Function>
Function* next_of(Function*& known, const char* name) {
    if (known == nullptr) known = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
    return known;
}

void* counted_new(std::size_t bytes, std::size_t alignment) {
    // malloc counts it.
    void* memory = alignment <= alignof(std::max_align_t)
                       ? std::malloc(bytes == 0 ? 1 : bytes)
                       : std::aligned_alloc(alignment, (bytes + alignment - 1) & ~(alignment - 1));
    if (memory == nullptr) std::abort();
    return memory;
}

}  // namespace

extern "C" {

void* malloc(size_t bytes) noexcept {
    static void* (*next)(size_t) = nullptr;
    ++millrace::test::allocation_count;
    return next_of(next, "malloc")(bytes);
}
void* calloc(size_t count, size_t bytes) noexcept {
    static void* (*next)(size_t, size_t) = nullptr;
    ++millrace::test::allocation_count;
    return next_of(next, "calloc")(count, bytes);
}
void* realloc(void* memory, size_t bytes) noexcept {
    static void* (*next)(void*, size_t) = nullptr;
    ++millrace::test::allocation_count;
    return next_of(next, "realloc")(memory, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
    static void* (*next)(size_t, size_t) = nullptr;
    ++millrace::test::allocation_count;
    return next_of(next, "aligned_alloc")(alignment, bytes);
}
#ifdef MR_WITH_MIMALLOC
void* mi_malloc(size_t bytes) noexcept {
    static void* (*next)(size_t) = nullptr;
    ++millrace::test::allocation_count;
    return next_of(next, "mi_malloc")(bytes);
}
void* mi_zalloc(size_t bytes) noexcept {
    static void* (*next)(size_t) = nullptr;
    ++millrace::test::allocation_count;
    return next_of(next, "mi_zalloc")(bytes);
}
#endif

}  // extern "C"

void* operator new(std::size_t bytes) { return counted_new(bytes, 1); }
void* operator new[](std::size_t bytes) { return counted_new(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return counted_new(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
    return counted_new(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

#endif
