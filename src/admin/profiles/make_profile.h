// Addresses become functions: what libprofiler wrote, with the names that this process has for it.
// Owned by: nobody; a function. Thread: any but a shard's: it reads files, for milliseconds.
// Holds:    an address of no known function is told by its file and place, "libz.so.1+0x2a40": so
//           it is for files without a symbol table.
// Not here: functions that were compiled into others: their time is that of the function around.
//
// The process asks about itself, right after the profile was taken: the files that it runs may be
// others tomorrow, which is why names are kept with the profile.
#pragma once

#include "admin/profiles/profile.h"
#include "admin/profiles/raw_profile.h"
#include "base/result.h"

namespace millrace {

// Fills `functions`, `mappings`, `locations`, `samples` and `period`.
Outcome<Profile> make_profile(const RawProfile& raw);

}  // namespace millrace
