#include "runtime/meminfo.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string>

namespace millrace {
namespace {

// The number behind `name`, which begins a line: "HugePages_Free:".
uint64_t number_behind(std::string_view name, std::string_view text) {
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        if (line.starts_with(name)) {
            const size_t begin = std::min(line.find_first_not_of(" \t", name.size()), line.size());
            uint64_t value = 0;
            const auto [end, fault] =
                std::from_chars(line.data() + begin, line.data() + line.size(), value);
            const bool ends = end == line.data() + line.size() || *end == ' ' || *end == '\t';
            return fault == std::errc{} && ends ? value : 0;
        }
        text.remove_prefix(std::min(line.size() + 1, text.size()));
    }
    return 0;
}

uint64_t bytes_of_kib(uint64_t kib) { return kib <= UINT64_MAX / 1'024 ? kib * 1'024 : 0; }

}  // namespace

Meminfo parse_meminfo(std::string_view text) {
    return {.total_bytes = bytes_of_kib(number_behind("MemTotal:", text)),
            .swap_bytes = bytes_of_kib(number_behind("SwapTotal:", text)),
            .huge_pages = number_behind("HugePages_Total:", text),
            .huge_pages_free = number_behind("HugePages_Free:", text),
            .huge_page_bytes = bytes_of_kib(number_behind("Hugepagesize:", text))};
}

Meminfo read_meminfo() {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/meminfo", "re"),
                                                     std::fclose);
    if (file == nullptr) return {};
    std::string text(16'384, '\0');  // it has fewer than 2,000
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
    return parse_meminfo(text);
}

}  // namespace millrace
