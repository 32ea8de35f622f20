#include "runtime/arena.h"

#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include <fmt/format.h>

#include "base/assert.h"
#include "runtime/poison.h"

namespace millrace {
namespace {

constexpr uint64_t step_bytes = 2 * 1024 * 1024;  // one huge page
static_assert(step_bytes % Arena::chunk_bytes == 0);

constexpr uint64_t round_up(uint64_t value, uint64_t to) {
    return (value + to - 1) / to * to;
}

}  // namespace

Outcome<std::unique_ptr<Arena>> Arena::create(const ArenaOptions& options) {
    constexpr uint64_t bytes_limit = uint64_t{1} << 46;  // of the 47 bits a process can address
    if (options.bytes_max < chunk_bytes || options.bytes_max > bytes_limit) {
        return fail(Errc::invalid_argument,
                    fmt::format("arena: bytes_max is {}, accepted are {} to {}", options.bytes_max,
                                chunk_bytes, bytes_limit));
    }
    std::unique_ptr<Arena> arena(new Arena);
    arena->bytes_max_ = options.bytes_max / chunk_bytes * chunk_bytes;
    arena->reserved_bytes_ = round_up(arena->bytes_max_, step_bytes);
    arena->huge_pages_ = options.huge_pages;
    const uint64_t links_bytes =
        round_up(arena->reserved_bytes_ / chunk_bytes * sizeof(std::byte*), step_bytes);
    arena->mapping_bytes_ = arena->reserved_bytes_ + links_bytes + step_bytes;
    void* mapping = ::mmap(nullptr, arena->mapping_bytes_, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        return fail(Errc::system, fmt::format("arena: cannot reserve {} bytes of addresses: {}",
                                              arena->mapping_bytes_, std::strerror(errno)));
    }
    arena->mapping_ = static_cast<std::byte*>(mapping);
    const uint64_t address = reinterpret_cast<uint64_t>(mapping);
    arena->base_ = arena->mapping_ + (round_up(address, step_bytes) - address);
    std::byte* links = arena->base_ + arena->reserved_bytes_;
    if (::mprotect(links, links_bytes, PROT_READ | PROT_WRITE) != 0) {
        return fail(Errc::system,
                    fmt::format("arena: cannot map its table: {}", std::strerror(errno)));
    }
    arena->links_ = reinterpret_cast<std::byte**>(links);
    // Where the system turns any touched page into a huge one, a sparse chunk would cost 2 MiB.
    // Kernels without the feature refuse the advice, which is as good.
    if (options.huge_pages == HugePages::off) {
        static_cast<void>(::madvise(arena->mapping_, arena->mapping_bytes_, MADV_NOHUGEPAGE));
    }
    return arena;
}

Arena::~Arena() {
    if (mapping_ == nullptr) return;
    // The next mapping at these addresses must not find our marks.
    unpoison(base_, fresh_offset_);
    ::munmap(mapping_, mapping_bytes_);
}

std::byte* Arena::try_take_chunk() {
    if (!fits(chunk_bytes)) return nullptr;
    std::byte* chunk = free_;
    if (chunk != nullptr) {
        free_ = link(chunk);
        unpoison(chunk, chunk_bytes);
    } else {
        // With charges a chunk that fits the budget also fits the range.
        if (fresh_offset_ == committed_offset_ && !commit_step()) return nullptr;
        chunk = base_ + fresh_offset_;
        fresh_offset_ += chunk_bytes;
    }
    link(chunk) = nullptr;
    taken_bytes_ += chunk_bytes;
    return chunk;
}

void Arena::give_back_chunk(std::byte* chunk) {
    MR_ASSERT(chunk >= base_ && chunk < base_ + fresh_offset_);
    MR_ASSERT(static_cast<uint64_t>(chunk - base_) % chunk_bytes == 0);
    MR_ASSERT(taken_bytes_ >= chunk_bytes);
    poison(chunk, chunk_bytes);
    link(chunk) = free_;
    free_ = chunk;
    taken_bytes_ -= chunk_bytes;
}

bool Arena::try_charge(uint64_t bytes) {
    if (!fits(bytes)) return false;
    charged_bytes_ += bytes;
    return true;
}

void Arena::refund(uint64_t bytes) {
    MR_ASSERT(bytes <= charged_bytes_);
    charged_bytes_ -= bytes;
}

bool Arena::commit_step() {
    if (committed_offset_ == reserved_bytes_) return false;
    std::byte* place = base_ + committed_offset_;
    if (huge_pages_ == HugePages::when_any && try_commit_huge_page(place)) {
        huge_page_bytes_ += step_bytes;
    } else {
        huge_pages_ = HugePages::off;  // the pool is empty, or there is none: stop asking
        if (::mprotect(place, step_bytes, PROT_READ | PROT_WRITE) != 0) return false;
    }
    committed_offset_ += step_bytes;
    return true;
}

// A huge page that is mapped straight over the reserved range leaves a hole when the pool turns
// out to be empty, and another shard's mapping may land in it. So the page is taken elsewhere
// first, faulted in so that it's ours for good, and then moved into place.
bool Arena::try_commit_huge_page(std::byte* place) {
    void* page = ::mmap(nullptr, step_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
    if (page == MAP_FAILED) return false;
    void* moved = ::mremap(page, step_bytes, step_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    if (moved == place) return true;
    ::munmap(page, step_bytes);
    // The failed move may have unmapped the place: reserve it again. When that is refused, the
    // reservation is still there, or somebody else's mapping is, which the next line finds out.
    void* again = ::mmap(place, step_bytes, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (again == MAP_FAILED) MR_ASSERT(errno == EEXIST);
    return false;
}

}  // namespace millrace
