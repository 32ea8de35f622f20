// What is asked of a profile: which functions took the time, who called them, what grew.
// Owned by: nobody; functions over values. Thread: any.
// Holds:    a function that calls itself counts once a sample. The sum of `self` is the count of
//           samples.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "admin/profiles/profile.h"

namespace millrace {

struct FunctionTime {
    std::string name;
    uint64_t self = 0;   // samples that found it running
    uint64_t total = 0;  // or waiting for what it had called
};

// Most of `self` first, then most of `total`.
std::vector<FunctionTime> functions_of(const Profile& profile);

// The calls as a tree from the outside in, for a flame graph:
//   {"name":"all","value":N,"children":[{"name":"run_shard","value":M,"children":[...]}]}
// A branch with less than a two-thousandth of the samples is left out, so that the answer is
// bounded and what is drawn can be seen; its parents' values contain it.
std::string flame_json(const Profile& profile);

struct FunctionGrowth {
    std::string name;
    double self_share_from = 0;  // of all samples of that profile, 0 to 1
    double self_share_to = 0;

    double change() const { return self_share_to - self_share_from; }
};

// Largest growth first. Shares, since the profiles may have taken different times.
std::vector<FunctionGrowth> growth_between(const Profile& from, const Profile& to);

}  // namespace millrace
