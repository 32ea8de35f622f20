#include "tcp/flow_table.h"

#include <bit>

#include "base/assert.h"

namespace millrace {
namespace {

constexpr uint32_t address_bits = 48;
constexpr uint64_t address_mask = (uint64_t{1} << address_bits) - 1;

// A new key goes to its first line while that has this much room, so that most lookups end there;
// then to the emptier one of its two, which is what lets a table be this full.
constexpr int first_line_slots = 6;

// A round of growth begins when more than 85% of all slots are in use. It ends with about half of
// them in use, since it splits a line an insertion.
constexpr uint64_t load_percent_max = 85;

uint64_t tag_of(uint64_t hash) { return hash >> address_bits; }

}  // namespace

FlowTable::FlowTable(Arena& arena, LedgerLine& ledger_line, HashKey secret)
    : arena_(arena), ledger_line_(ledger_line), secret_(secret) {}

FlowTable::~FlowTable() {
    if (segments_ == nullptr) return;
    for (uint32_t index = 0; index < segment_count_; ++index) {
        arena_.give_back_chunk(reinterpret_cast<std::byte*>(segments_[index]));
    }
    arena_.give_back_chunk(reinterpret_cast<std::byte*>(segments_));
    ledger_line_.reserved_bytes.subtract(uint64_t{segment_count_ + 1} * Arena::chunk_bytes);
    ledger_line_.objects.subtract(count_);
    ledger_line_.bytes.subtract(count_ * sizeof(Slot));
}

// The first line comes from the lowest bits, the tag from the highest, and the second line from
// all of them, mixed: keys that share one of the three still differ in the others.
FlowTable::Homes FlowTable::homes_of(uint64_t hash) {
    constexpr uint64_t golden = 0x9e3779b97f4a7c15u;
    return {.first = static_cast<uint32_t>(hash),
            .second = static_cast<uint32_t>((hash * golden) >> 32)};
}

FlowTable::Slot FlowTable::slot_of(uint64_t hash, const FlowNode& node) {
    const auto address = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(&node));
    MR_ASSERT(address <= address_mask);
    return tag_of(hash) << address_bits | address;
}

FlowNode* FlowTable::node_of(Slot slot) {
    return reinterpret_cast<FlowNode*>(static_cast<uintptr_t>(slot & address_mask));
}

uint32_t FlowTable::matches(const Line& line, uint64_t hash) {
    uint32_t found = 0;
    for (uint32_t index = 0; index < slots_per_line; ++index) {
        const bool same = line.slots[index] >> address_bits == tag_of(hash);
        found |= uint32_t{same} << index;
    }
    return found;
}

uint32_t FlowTable::full_slots(const Line& line) {
    uint32_t full = 0;
    for (uint32_t index = 0; index < slots_per_line; ++index) {
        full |= uint32_t{line.slots[index] != 0} << index;
    }
    return full;
}

// Linear hashing (Litwin, 1980): lines that this round has split are told apart by one bit more.
uint32_t FlowTable::line_index(uint32_t home) const {
    const uint32_t index = home & (2 * round_lines_ - 1);
    return index < line_count_ ? index : index - round_lines_;
}

void FlowTable::prefetch(uint64_t hash) const {
    if (line_count_ == 0) return;
    const Homes homes = homes_of(hash);
    __builtin_prefetch(&line_of(homes.first));
    __builtin_prefetch(&line_of(homes.second));
}

void FlowTable::prefetch_node(uint64_t hash) const {
    if (line_count_ == 0) return;
    const Homes homes = homes_of(hash);
    const Line* line = &line_of(homes.first);
    uint32_t found = matches(*line, hash);
    if (found == 0) {
        line = &line_of(homes.second);
        found = matches(*line, hash);
    }
    if (found != 0) __builtin_prefetch(node_of(line->slots[std::countr_zero(found)]));
}

FlowNode* FlowTable::find_in(const Line& line, uint64_t hash, const FlowKey& key) {
    for (uint32_t found = matches(line, hash); found != 0; found &= found - 1) {
        FlowNode* node = node_of(line.slots[std::countr_zero(found)]);
        // An empty slot looks like one of tag 0.
        if (node != nullptr && node->key == key) return node;
    }
    return nullptr;
}

FlowNode* FlowTable::find(uint64_t hash, const FlowKey& key) const {
    if (line_count_ == 0) return nullptr;
    const Homes homes = homes_of(hash);
    if (FlowNode* node = find_in(line_of(homes.first), hash, key)) return node;
    return find_in(line_of(homes.second), hash, key);
}

bool FlowTable::try_insert(uint64_t hash, FlowNode& node) {
    if (line_count_ == 0 && !try_begin()) return false;
    grow_when_due();
    const Homes homes = homes_of(hash);
    const uint32_t first = line_index(homes.first);
    Line* line = &line_at(first);
    const int used = std::popcount(full_slots(*line));
    if (used >= first_line_slots) {
        const uint32_t second = line_index(homes.second);
        const int used_there = std::popcount(full_slots(line_at(second)));
        if (used_there < used) {
            line = &line_at(second);
        } else if (used == slots_per_line) {
            line = try_make_room(first);
            if (line == nullptr) line = try_make_room(second);
            if (line == nullptr) return false;
        }
    }
    const bool put = try_put(*line, slot_of(hash, node));
    MR_ASSERT(put);
    ++count_;
    ledger_line_.objects.add();
    ledger_line_.bytes.add(sizeof(Slot));
    return true;
}

FlowTable::Slot& FlowTable::slot_with(uint64_t hash, const FlowNode& node) {
    MR_ASSERT(line_count_ != 0);
    const Homes homes = homes_of(hash);
    const Slot wanted = slot_of(hash, node);
    for (const uint32_t home : {homes.first, homes.second}) {
        for (Slot& slot : line_of(home).slots) {
            if (slot == wanted) return slot;
        }
    }
    MR_UNREACHABLE();
}

void FlowTable::erase(uint64_t hash, const FlowNode& node) {
    slot_with(hash, node) = 0;
    --count_;
    ledger_line_.objects.subtract();
    ledger_line_.bytes.subtract(sizeof(Slot));
}

void FlowTable::replace(uint64_t hash, const FlowNode& before, FlowNode& now) {
    MR_ASSERT(before.key == now.key);
    slot_with(hash, before) = slot_of(hash, now);
}

// The directory and the first segment. Only this segment is cleared as a whole: later lines are
// written when they come into use.
bool FlowTable::try_begin() {
    if (segments_ == nullptr) {
        std::byte* chunk = arena_.try_take_chunk();
        if (chunk == nullptr) return false;
        ledger_line_.reserved_bytes.add(Arena::chunk_bytes);
        segments_ = reinterpret_cast<Line**>(chunk);
    }
    if (!try_take_segment()) return false;
    for (uint32_t index = 0; index < lines_per_segment; ++index) segments_[0][index] = {};
    round_lines_ = lines_per_segment;
    line_count_ = lines_per_segment;
    return true;
}

bool FlowTable::try_take_segment() {
    if (segment_count_ == segments_max) return false;
    std::byte* chunk = arena_.try_take_chunk();
    if (chunk == nullptr) return false;
    ledger_line_.reserved_bytes.add(Arena::chunk_bytes);
    segments_[segment_count_++] = reinterpret_cast<Line*>(chunk);
    return true;
}

void FlowTable::grow_when_due() {
    const bool in_round = line_count_ != round_lines_;
    const uint64_t slot_count = uint64_t{line_count_} * slots_per_line;
    if (!in_round && count_ * 100 <= slot_count * load_percent_max) return;
    if (line_count_ == segment_count_ * lines_per_segment && !try_take_segment()) return;
    split_next_line();
}

// Half of a line's references, by the next bit of their home, go to a new line at the table's end.
// Both halves fit, so a split never fails.
void FlowTable::split_next_line() {
    const uint32_t index = line_count_ - round_lines_;
    Line& line = line_at(index);
    Line& upper = line_at(line_count_);
    upper = {};
    for (uint32_t place = 0; place < slots_per_line; ++place) {
        const Slot slot = line.slots[place];
        if (slot == 0) continue;
        const Homes homes = homes_of(hash(node_of(slot)->key));
        const uint32_t home = line_index(homes.first) == index ? homes.first : homes.second;
        if ((home & round_lines_) == 0) continue;
        upper.slots[place] = slot;
        line.slots[place] = 0;
        ++moved_count_;
    }
    ++line_count_;
    if (line_count_ == 2 * round_lines_) {
        round_lines_ = line_count_;
    } else {
        ask_for_nodes(line_at(index + 1));
    }
}

// The next insertion will read them.
void FlowTable::ask_for_nodes(const Line& line) const {
    for (const Slot slot : line.slots) __builtin_prefetch(node_of(slot));
}

bool FlowTable::try_put(Line& line, Slot slot) {
    const uint32_t full = full_slots(line);
    if (full == (1u << slots_per_line) - 1) return false;
    line.slots[std::countr_one(full)] = slot;
    return true;
}

// Moves one reference of a full line to its other line (cuckoo hashing; Pagh and Rodler, 2001),
// and no chain of them: with eight to choose from in each of two lines one move is enough up to a
// load that growth doesn't let happen. Null when none can move.
FlowTable::Line* FlowTable::try_make_room(uint32_t index) {
    Line& line = line_at(index);
    ask_for_nodes(line);
    for (Slot& slot : line.slots) {
        const Homes homes = homes_of(hash(node_of(slot)->key));
        const uint32_t first = line_index(homes.first);
        const uint32_t other = first == index ? line_index(homes.second) : first;
        if (other == index || !try_put(line_at(other), slot)) continue;
        slot = 0;
        ++moved_count_;
        return &line;
    }
    return nullptr;
}

}  // namespace millrace
