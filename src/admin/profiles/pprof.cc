#include "admin/profiles/pprof.h"

#include <unordered_map>

#include <fmt/format.h>

#include "admin/profiles/gzip.h"
#include "admin/profiles/proto_wire.h"

namespace millrace {
namespace {

// The numbers of the fields. An id is an index and 1: 0 is "none".
namespace top {
enum : uint32_t { sample_type = 1, sample, mapping, location, function, string_table,
                  time_nanos = 9, duration_nanos, period_type, period };
}
namespace value_type { enum : uint32_t { type = 1, unit }; }
namespace sample_field { enum : uint32_t { location_id = 1, value }; }
namespace mapping_field {
enum : uint32_t { id = 1, memory_start, memory_limit, file_offset, filename, build_id,
                  has_functions };
}
namespace location_field { enum : uint32_t { id = 1, mapping_id, address, line }; }
namespace line_field { enum : uint32_t { function_id = 1 }; }
namespace function_field { enum : uint32_t { id = 1, name, system_name }; }

constexpr uint64_t packed_bytes_max = 16 * 1'024 * 1'024;
constexpr size_t depth_max = 1'024;  // libprofiler's is 254

// The list of texts, which all else names by index. The first one is empty.
class StringTable {
public:
    StringTable() { index(""); }

    uint64_t index(std::string_view text) {
        const auto [entry, is_new] = known_.emplace(text, texts_.size());
        if (is_new) texts_.emplace_back(text);
        return entry->second;
    }
    const std::vector<std::string>& texts() const { return texts_; }

private:
    std::unordered_map<std::string, uint64_t> known_;
    std::vector<std::string> texts_;
};

std::string encode_value_type(StringTable& strings, std::string_view type, std::string_view unit) {
    ProtoWriter out;
    out.number(value_type::type, strings.index(type));
    out.number(value_type::unit, strings.index(unit));
    return out.text();
}

std::string encode_sample(const Profile::Sample& sample, Duration period) {
    ProtoWriter locations;
    for (const uint32_t location : sample.locations) locations.varint(uint64_t{location} + 1);
    ProtoWriter values;
    values.varint(sample.count);
    values.varint(sample.count * static_cast<uint64_t>(period.nanoseconds));
    ProtoWriter out;
    out.bytes(sample_field::location_id, locations.text());
    out.bytes(sample_field::value, values.text());
    return out.text();
}

std::string encode_mapping(StringTable& strings, uint64_t id, const Profile::Mapping& mapping) {
    ProtoWriter out;
    out.number(mapping_field::id, id);
    out.number(mapping_field::memory_start, mapping.start);
    out.number(mapping_field::memory_limit, mapping.limit);
    out.number(mapping_field::file_offset, mapping.offset);
    out.number(mapping_field::filename, strings.index(mapping.file));
    out.number(mapping_field::build_id, strings.index(mapping.build_id));
    out.number(mapping_field::has_functions, 1);
    return out.text();
}

std::string encode_location(uint64_t id, const Profile::Location& location) {
    ProtoWriter line;
    line.number(line_field::function_id, uint64_t{location.function} + 1);
    ProtoWriter out;
    out.number(location_field::id, id);
    out.number(location_field::mapping_id, location.mapping ? uint64_t{*location.mapping} + 1 : 0);
    out.number(location_field::address, location.address);
    out.bytes(location_field::line, line.text());
    return out.text();
}

std::string encode_function(StringTable& strings, uint64_t id, std::string_view name) {
    ProtoWriter out;
    out.number(function_field::id, id);
    out.number(function_field::name, strings.index(name));
    out.number(function_field::system_name, strings.index(name));
    return out.text();
}

// What the file says, with its ids: they may name what comes later.
struct Raw {
    struct Location {
        uint64_t mapping_id = 0;
        uint64_t address = 0;
        uint64_t function_id = 0;
    };
    struct Mapping {
        Profile::Mapping mapping;
        uint64_t file = 0;
        uint64_t build_id = 0;
    };
    struct Sample {
        std::vector<uint64_t> location_ids;
        std::vector<uint64_t> values;
    };

    std::vector<std::string_view> strings;
    std::vector<uint64_t> function_names;
    std::vector<Mapping> mappings;
    std::vector<Location> locations;
    std::vector<Sample> samples;
    std::unordered_map<uint64_t, uint32_t> functions_by_id;
    std::unordered_map<uint64_t, uint32_t> mappings_by_id;
    std::unordered_map<uint64_t, uint32_t> locations_by_id;
    uint64_t time_ns = 0;
    uint64_t duration_ns = 0;
    uint64_t period_ns = 0;
};

// Numbers of a repeated field: a list in one, or one of them.
void add_numbers(std::vector<uint64_t>& numbers, const ProtoField& field) {
    if (!field.is_bytes) return numbers.push_back(field.value);
    for (ProtoReader list(field.bytes); !list.at_end();) {
        const uint64_t number = list.varint();
        if (!list.is_good()) return;  // the count of them tells
        numbers.push_back(number);
    }
}

// Calls take(field) for each; false when the bytes are no fields.
template <class Take>
bool each_field(std::string_view bytes, Take&& take) {
    ProtoReader reader(bytes);
    ProtoField field;
    while (reader.next(field)) take(field);
    return reader.is_good();
}

bool add_sample(Raw& raw, std::string_view bytes) {
    Raw::Sample& sample = raw.samples.emplace_back();
    return each_field(bytes, [&](const ProtoField& field) {
        if (field.number == sample_field::location_id) add_numbers(sample.location_ids, field);
        if (field.number == sample_field::value) add_numbers(sample.values, field);
    });
}

bool add_mapping(Raw& raw, std::string_view bytes) {
    Raw::Mapping one;
    uint64_t id = 0;
    const bool is_good = each_field(bytes, [&](const ProtoField& field) {
        switch (field.number) {
        case mapping_field::id:           id = field.value; break;
        case mapping_field::memory_start: one.mapping.start = field.value; break;
        case mapping_field::memory_limit: one.mapping.limit = field.value; break;
        case mapping_field::file_offset:  one.mapping.offset = field.value; break;
        case mapping_field::filename:     one.file = field.value; break;
        case mapping_field::build_id:     one.build_id = field.value; break;
        default: break;
        }
    });
    raw.mappings_by_id[id] = static_cast<uint32_t>(raw.mappings.size());
    raw.mappings.push_back(std::move(one));
    return is_good && id != 0;
}

bool add_location(Raw& raw, std::string_view bytes) {
    Raw::Location one;
    uint64_t id = 0;
    const bool is_good = each_field(bytes, [&](const ProtoField& field) {
        switch (field.number) {
        case location_field::id:         id = field.value; break;
        case location_field::mapping_id: one.mapping_id = field.value; break;
        case location_field::address:    one.address = field.value; break;
        case location_field::line:
            each_field(field.bytes, [&](const ProtoField& part) {
                if (part.number == line_field::function_id) one.function_id = part.value;
            });
            break;
        default: break;
        }
    });
    raw.locations_by_id[id] = static_cast<uint32_t>(raw.locations.size());
    raw.locations.push_back(one);
    return is_good && id != 0;
}

bool add_function(Raw& raw, std::string_view bytes) {
    uint64_t id = 0;
    uint64_t name = 0;
    const bool is_good = each_field(bytes, [&](const ProtoField& field) {
        if (field.number == function_field::id) id = field.value;
        if (field.number == function_field::name) name = field.value;
    });
    raw.functions_by_id[id] = static_cast<uint32_t>(raw.function_names.size());
    raw.function_names.push_back(name);
    return is_good && id != 0;
}

bool read_raw(Raw& raw, std::string_view bytes) {
    bool is_good = true;
    const bool is_whole = each_field(bytes, [&](const ProtoField& field) {
        switch (field.number) {
        case top::sample:         is_good &= add_sample(raw, field.bytes); break;
        case top::mapping:        is_good &= add_mapping(raw, field.bytes); break;
        case top::location:       is_good &= add_location(raw, field.bytes); break;
        case top::function:       is_good &= add_function(raw, field.bytes); break;
        case top::string_table:   raw.strings.push_back(field.bytes); break;
        case top::time_nanos:     raw.time_ns = field.value; break;
        case top::duration_nanos: raw.duration_ns = field.value; break;
        case top::period:         raw.period_ns = field.value; break;
        default: break;
        }
    });
    return is_whole && is_good;
}

tl::unexpected<Error> broken(std::string_view what) {
    return fail(Errc::malformed, fmt::format("it's no profile of ours: {}", what));
}

std::optional<uint32_t> find(const std::unordered_map<uint64_t, uint32_t>& by_id, uint64_t id) {
    const auto found = by_id.find(id);
    if (found == by_id.end()) return std::nullopt;
    return found->second;
}

// Copies of texts by their index. Many may name the same long one: all together are bounded.
class Texts {
public:
    explicit Texts(const Raw& raw) : raw_(raw) {}

    std::optional<std::string> copy(uint64_t index) {
        if (index >= raw_.strings.size()) return std::nullopt;
        bytes_ += raw_.strings[index].size();
        if (bytes_ > packed_bytes_max) return std::nullopt;
        return std::string(raw_.strings[index]);
    }

private:
    const Raw& raw_;
    uint64_t bytes_ = 0;
};

// Everything but the samples. False when something names what isn't there.
bool fill_tables(Profile& profile, const Raw& raw) {
    Texts texts(raw);
    for (const uint64_t name : raw.function_names) {
        auto text = texts.copy(name);
        if (!text) return false;
        profile.functions.push_back(std::move(*text));
    }
    for (const Raw::Mapping& one : raw.mappings) {
        auto file = texts.copy(one.file);
        auto build_id = texts.copy(one.build_id);
        if (!file || !build_id) return false;
        Profile::Mapping& mapping = profile.mappings.emplace_back(one.mapping);
        mapping.file = std::move(*file);
        mapping.build_id = std::move(*build_id);
    }
    for (const Raw::Location& one : raw.locations) {
        const auto function = find(raw.functions_by_id, one.function_id);
        const auto mapping = find(raw.mappings_by_id, one.mapping_id);
        if (!function || (one.mapping_id != 0 && !mapping)) return false;
        profile.locations.push_back({one.address, mapping, *function});
    }
    return true;
}

// Likewise.
bool fill_samples(Profile& profile, const Raw& raw) {
    uint64_t sum = 0;
    for (const Raw::Sample& one : raw.samples) {
        if (one.values.size() != 2) return false;
        if (one.values[0] == 0 || one.values[0] > UINT32_MAX) return false;
        if (one.location_ids.empty() || one.location_ids.size() > depth_max) return false;
        sum += one.values[0];
        Profile::Sample& sample = profile.samples.emplace_back();
        sample.count = one.values[0];
        for (const uint64_t id : one.location_ids) {
            const auto location = find(raw.locations_by_id, id);
            if (!location) return false;
            sample.locations.push_back(*location);
        }
    }
    return sum <= UINT32_MAX;
}

}  // namespace

std::string encode_pprof(const Profile& profile) {
    StringTable strings;
    ProtoWriter out;
    out.bytes(top::sample_type, encode_value_type(strings, "samples", "count"));
    out.bytes(top::sample_type, encode_value_type(strings, "cpu", "nanoseconds"));
    for (const Profile::Sample& sample : profile.samples) {
        out.bytes(top::sample, encode_sample(sample, profile.period));
    }
    uint64_t id = 0;
    for (const Profile::Mapping& mapping : profile.mappings) {
        out.bytes(top::mapping, encode_mapping(strings, ++id, mapping));
    }
    id = 0;
    for (const Profile::Location& location : profile.locations) {
        out.bytes(top::location, encode_location(++id, location));
    }
    id = 0;
    for (const std::string& function : profile.functions) {
        out.bytes(top::function, encode_function(strings, ++id, function));
    }
    out.bytes(top::period_type, encode_value_type(strings, "cpu", "nanoseconds"));
    for (const std::string& text : strings.texts()) out.bytes(top::string_table, text);
    out.number(top::time_nanos, static_cast<uint64_t>(profile.time_ns));
    out.number(top::duration_nanos, static_cast<uint64_t>(profile.duration.nanoseconds));
    out.number(top::period, static_cast<uint64_t>(profile.period.nanoseconds));
    return out.text();
}

Outcome<Profile> decode_pprof(std::string_view bytes) {
    constexpr uint64_t day_ns = 86'400'000'000'000;
    Raw raw;
    if (!read_raw(raw, bytes)) return broken("it's cut or has other fields");
    if (raw.time_ns > INT64_MAX || raw.duration_ns > day_ns) return broken("a time that can't be");
    if (raw.period_ns == 0 || raw.period_ns > day_ns) return broken("a period that can't be");
    Profile profile;
    profile.time_ns = static_cast<int64_t>(raw.time_ns);
    profile.duration = Duration::ns(static_cast<int64_t>(raw.duration_ns));
    profile.period = Duration::ns(static_cast<int64_t>(raw.period_ns));
    if (!fill_tables(profile, raw)) return broken("a text, function or file is missing");
    if (!fill_samples(profile, raw)) return broken("a sample that can't be");
    return profile;
}

std::string write_pprof(const Profile& profile) { return gzip(encode_pprof(profile)); }

Outcome<Profile> read_pprof(std::string_view bytes) {
    const Outcome<std::string> packed = ungzip(bytes, packed_bytes_max);
    if (!packed) return tl::unexpected<Error>(packed.error());
    return decode_pprof(*packed);
}

}  // namespace millrace
