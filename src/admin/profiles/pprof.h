// A profile in pprof's form, which `go tool pprof` and others read: profile.proto in gzip.
// Owned by: nobody; functions. Thread: any.
// Holds:    what is written is read back the same. Any bytes may come in: files on disk break.
// Not here: pprof's other uses. What comes in must have been written like what goes out: samples of
//           a count and of nanoseconds, a function for each location.
//
// The form is https://github.com/google/pprof/blob/main/proto/profile.proto.
#pragma once

#include <string>
#include <string_view>

#include "admin/profiles/profile.h"
#include "base/result.h"

namespace millrace {

std::string write_pprof(const Profile& profile);
// Errc::malformed, or Errc::too_large over 16 MB: a profile of ours has a hundredth of it.
Outcome<Profile> read_pprof(std::string_view bytes);

// The same without gzip.
std::string encode_pprof(const Profile& profile);
Outcome<Profile> decode_pprof(std::string_view bytes);

}  // namespace millrace
