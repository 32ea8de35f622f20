// What several sketches (top_sketch.h) know together: of one shard's generations, of all shards.
// Owned by: values; one thread at a time. Off the hot path: it allocates.
// Holds:    what a sketch holds, for the sum of the streams.
#pragma once

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/top_sketch.h"

namespace millrace {

class TopList {
public:
    struct Entry {
        uint64_t hash;
        std::string name;
        bool is_name_cut;
        uint64_t count, error, part;  // as in TopEntry
        uint32_t source;              // that counted most of it
        uint64_t of_source;           // how much that was
    };
    // Whether one name may have been counted on both sides. What it may have where it isn't listed
    // makes its count, and its error, larger; with `apart` that is nothing.
    enum class Names : uint8_t { anywhere, apart };

    TopList() = default;
    template <uint32_t capacity>
    TopList(const TopSketch<capacity>& sketch, uint32_t source)
        : absent_(sketch.count_min()), total_(sketch.total()) {
        for (const TopEntry& from : sketch.entries()) {
            add_entry({from.hash, std::string(from.name()), from.is_name_cut, from.count,
                       from.error, from.part, source, from.count},
                      0, 0);
        }
    }

    void merge(const TopList& other, Names names) {
        const bool apart = names == Names::apart;
        const uint64_t absent_here = apart ? 0 : absent_;
        const uint64_t absent_there = apart ? 0 : other.absent_;
        for (Entry& entry : entries_) {
            entry.count += absent_there;
            entry.error += absent_there;
        }
        for (const Entry& from : other.entries_) add_entry(from, absent_here, absent_there);
        absent_ = apart ? std::max(absent_, other.absent_) : absent_ + other.absent_;
        total_ += other.total_;
    }

    // The heaviest come first; those beyond `limit` are left out.
    std::vector<Entry> heaviest(size_t limit) const {
        std::vector<Entry> sorted = entries_;
        std::sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) {
            return a.count != b.count ? a.count > b.count : a.name < b.name;
        });
        if (sorted.size() > limit) sorted.resize(limit);
        return sorted;
    }
    uint64_t total() const { return total_; }
    // What a name that isn't listed has at most.
    uint64_t count_min() const { return absent_; }

private:
    // `absent_there` has been added to every entry, in case that the other side doesn't list it.
    void add_entry(const Entry& from, uint64_t absent_here, uint64_t absent_there) {
        const auto [place, is_new] = places_.emplace(from.hash, entries_.size());
        if (is_new) {
            entries_.push_back(from);
            entries_.back().count += absent_here;
            entries_.back().error += absent_here;
            return;
        }
        Entry& entry = entries_[place->second];
        entry.count += from.count - absent_there;
        entry.error += from.error;
        entry.error -= absent_there;
        entry.part += from.part;
        if (from.of_source <= entry.of_source) return;
        entry.of_source = from.of_source;
        entry.source = from.source;
    }

    std::vector<Entry> entries_;
    std::unordered_map<uint64_t, size_t> places_;  // by hash
    uint64_t absent_ = 0;
    uint64_t total_ = 0;
};

}  // namespace millrace
