#include "admin/profiles/raw_profile.h"

#include <cstring>
#include <optional>

#include <fmt/format.h>

namespace millrace {
namespace {

constexpr uint64_t raw_depth_max = 1'024;  // libprofiler's is 254

class Words {
public:
    explicit Words(std::string_view bytes) : bytes_(bytes) {}

    uint64_t count() const { return bytes_.size() / sizeof(uint64_t); }
    std::optional<uint64_t> next() {
        if (count() == 0) return std::nullopt;
        uint64_t word = 0;
        std::memcpy(&word, bytes_.data(), sizeof(word));
        bytes_.remove_prefix(sizeof(word));
        return word;
    }

private:
    std::string_view bytes_;
};

tl::unexpected<Error> not_raw(std::string_view what) {
    return fail(Errc::malformed, fmt::format("what libprofiler wrote is no profile: {}", what));
}

// The period; nullopt for what is no header of this machine's.
std::optional<uint64_t> read_header(Words& words) {
    const auto zero = words.next();
    const auto following = words.next();
    const auto version = words.next();
    const auto period_us = words.next();
    if (zero != 0u || version != 0u || !period_us || *following < 3) return std::nullopt;
    if (*period_us == 0 || *period_us > 60'000'000) return std::nullopt;
    for (uint64_t left = *following - 2; left > 0; --left) {
        if (!words.next()) return std::nullopt;
    }
    return period_us;
}

}  // namespace

Outcome<RawProfile> parse_raw_profile(std::string_view bytes) {
    Words words(bytes);
    const std::optional<uint64_t> period_us = read_header(words);
    if (!period_us) return not_raw("its header");
    RawProfile profile{.period_us = *period_us, .samples = {}};
    while (true) {
        const auto count = words.next();
        const auto depth = words.next();
        if (!count || !depth) return not_raw("it ends before its trailer");
        if (*count == 0) return profile;
        if (*count > UINT32_MAX) return not_raw("a count that can't be");
        if (*depth == 0 || *depth > raw_depth_max) return not_raw("a stack of a depth that can't be");
        if (*depth > words.count()) return not_raw("it ends within a stack");
        RawProfile::Sample& sample = profile.samples.emplace_back();
        sample.count = *count;
        for (uint64_t left = *depth; left > 0; --left) sample.addresses.push_back(*words.next());
    }
}

}  // namespace millrace
