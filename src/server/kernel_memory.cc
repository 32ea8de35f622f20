#include "server/kernel_memory.h"

#include <charconv>

#include <unistd.h>

#include "runtime/process_memory.h"

namespace millrace {

// "TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 1": the last one is in pages.
std::optional<uint64_t> tcp_buffer_bytes_of(std::string_view sockstat, uint64_t page_bytes) {
    constexpr std::string_view field = " mem ";
    const size_t begin = sockstat.find("TCP: ");
    if (begin == std::string_view::npos) return std::nullopt;
    const std::string_view line = sockstat.substr(begin, sockstat.find('\n', begin) - begin);
    const size_t place = line.find(field);
    if (place == std::string_view::npos) return std::nullopt;
    const std::string_view text = line.substr(place + field.size());
    uint64_t pages = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), pages);
    if (fault != std::errc{} || pages > UINT64_MAX / page_bytes) return std::nullopt;
    return pages * page_bytes;
}

std::optional<uint64_t> read_tcp_buffer_bytes() {
    const std::optional<std::string> text = read_proc_file("/proc/self/net/sockstat");
    if (!text) return std::nullopt;
    return tcp_buffer_bytes_of(*text, static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
}

}  // namespace millrace
