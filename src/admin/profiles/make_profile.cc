#include "admin/profiles/make_profile.h"

#include <map>
#include <unordered_map>

#include "admin/profiles/modules.h"

namespace millrace {
namespace {

// Gives each address, function and file its index.
class Tables {
public:
    Tables(Profile& profile, Modules& modules) : profile_(profile), modules_(modules) {}

    uint32_t location(uint64_t address) {
        const auto [entry, is_new] = locations_.emplace(address, next(profile_.locations));
        if (is_new) {
            profile_.locations.push_back(
                {address, mapping(address), function(modules_.function(address))});
        }
        return entry->second;
    }

private:
    template <class List>
    static uint32_t next(const List& list) {
        return static_cast<uint32_t>(list.size());
    }

    uint32_t function(const std::string& name) {
        const auto [entry, is_new] = functions_.emplace(name, next(profile_.functions));
        if (is_new) profile_.functions.push_back(name);
        return entry->second;
    }

    std::optional<uint32_t> mapping(uint64_t address) {
        const auto file = modules_.mapping(address);
        if (!file) return std::nullopt;
        const auto [entry, is_new] = mappings_.emplace(file->start, next(profile_.mappings));
        if (is_new) profile_.mappings.push_back(*file);
        return entry->second;
    }

    Profile& profile_;
    Modules& modules_;
    std::unordered_map<uint64_t, uint32_t> locations_;
    std::unordered_map<std::string, uint32_t> functions_;
    std::map<uint64_t, uint32_t> mappings_;
};

}  // namespace

Outcome<Profile> make_profile(const RawProfile& raw) {
    auto modules = Modules::of_this_process();
    if (!modules) return tl::unexpected<Error>(modules.error());
    Profile profile;
    profile.period = Duration::us(static_cast<int64_t>(raw.period_us));
    Tables tables(profile, **modules);
    // libprofiler tells a stack again and again when it sees many others in between.
    std::map<std::vector<uint32_t>, size_t> places;
    for (const RawProfile::Sample& one : raw.samples) {
        std::vector<uint32_t> locations;
        for (size_t index = 0; index < one.addresses.size(); ++index) {
            // Where a call returns to may be the next function's: the call itself is before it.
            const uint64_t address = one.addresses[index] - (index == 0 ? 0 : 1);
            // The innermost address may come from the signal and from the walk of the stack.
            if (index == 1 && one.addresses[1] == one.addresses[0]) continue;
            locations.push_back(tables.location(address));
        }
        const auto [place, is_new] = places.emplace(locations, profile.samples.size());
        if (is_new) profile.samples.push_back({0, std::move(locations)});
        profile.samples[place->second].count += one.count;
    }
    return profile;
}

}  // namespace millrace
