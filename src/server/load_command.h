// The options of `millrace load`: each flag once, with its range, and how texts become a
// LoadRequest.
// Owned by: nobody; constant data and a pure function. Thread: any.
// Holds:    make_load_options gives options that a generator can run as they are.
// Not here: cutting the command line into flags and values (cli.cc).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/options.h"
#include "millrace/config.h"

namespace millrace {

// A run, and what carries it.
struct LoadRequest : LoadOptions {
    std::string net = "uring";  // or "dpdk"
    DpdkOptions dpdk;           // complete and valid with "dpdk"
};

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
    void (*set)(LoadRequest&, uint64_t) = nullptr;
    std::string_view accepted_text = {};
    // False: not accepted.
    bool (*put)(LoadRequest&, std::string_view) = nullptr;
    std::string_view config_key = {};  // instead of both: the key of [dpdk] that it sets
    bool repeats = false;              // may stand several times
};

std::span<const LoadFlag> load_flags();

struct LoadModeName {
    LoadMode mode;
    std::string_view name;
    std::string_view help;
};
std::span<const LoadModeName> load_modes();

// `given`: flag name to its text, for the flags on the command line; `lists`: of those that repeat.
Outcome<LoadRequest> make_load_options(
    LoadMode mode, const std::map<std::string, std::string>& given,
    const std::map<std::string, std::vector<std::string>>& lists = {});

}  // namespace millrace
