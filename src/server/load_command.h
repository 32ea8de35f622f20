// The options of `millrace load`: each flag once, with its range, and how texts become LoadOptions.
// Owned by: nobody; constant data and a pure function. Thread: any.
// Holds:    make_load_options gives options that a generator can run as they are.
// Not here: cutting the command line into flags and values (cli.cc).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "load/options.h"

namespace millrace {

// Bits of the modes in which a flag has a meaning.
constexpr uint32_t mode_bit(LoadMode mode) {
    return 1u << static_cast<uint32_t>(mode);
}

struct LoadFlag {
    std::string_view name;      // "--payload"
    std::string_view argument;  // "BYTES"; empty: the flag takes none
    std::string_view help;
    uint32_t modes;
    // Of numbers; other flags say in words what they accept.
    uint64_t smallest = 0;
    uint64_t largest = 0;
    void (*set)(LoadOptions&, uint64_t) = nullptr;
    std::string_view accepted_text = {};
    bool (*put)(LoadOptions&, std::string_view) = nullptr;  // false: not accepted
};

std::span<const LoadFlag> load_flags();

struct LoadModeName {
    LoadMode mode;
    std::string_view name;
    std::string_view help;
};
std::span<const LoadModeName> load_modes();

// `given`: flag name to its text, for the flags on the command line.
Outcome<LoadOptions> make_load_options(LoadMode mode,
                                       const std::map<std::string, std::string>& given);

}  // namespace millrace
