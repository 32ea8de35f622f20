// The program and the libraries of this process, and the function at an address.
// Owned by: who makes it; one thread at a time.
// Holds:    what was mapped when it was made. A file that has been replaced since is read through
//           /proc/self/exe when it's the program, and has no names else.
// Not here: debugging information. Symbol tables are enough; they are in the file itself, or below
//           /usr/lib/debug. Nothing is fetched from the network.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "admin/profiles/profile.h"
#include "base/result.h"

namespace millrace {

class Modules {
public:
    static Outcome<std::unique_ptr<Modules>> of_this_process();
    virtual ~Modules() = default;

    virtual std::string function(uint64_t address) = 0;
    // The file that is mapped there, if it is one.
    virtual std::optional<Profile::Mapping> mapping(uint64_t address) = 0;
};

}  // namespace millrace
