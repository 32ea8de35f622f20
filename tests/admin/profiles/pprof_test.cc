#include "admin/profiles/pprof.h"

#include <doctest/doctest.h>

#include "admin/profiles/gzip.h"
#include "admin/profiles/proto_wire.h"
#include "base/prng.h"
#include "sample_profile.h"

using namespace millrace;

namespace {

// Of a file that is right but for what a test changes.
struct Fields {
    std::string sample = "\x0a\x01\x01\x12\x02\x05\x07";  // location 1; 5 samples, 7 ns
    std::string location = std::string("\x08\x01\x22\x02\x08\x01", 6);  // 1: a line of function 1
    std::string function = std::string("\x08\x01\x10\x01", 4);          // 1: named by text 1
    uint64_t period = 10'000'000;

    std::string text() const {
        ProtoWriter out;
        out.bytes(2, sample);
        out.bytes(4, location);
        out.bytes(5, function);
        out.bytes(6, "");
        out.bytes(6, "name");
        out.number(12, period);
        return out.text();
    }
};

bool is_malformed(const Fields& fields) {
    const auto profile = decode_pprof(fields.text());
    return !profile && profile.error().code == Errc::malformed;
}

}  // namespace

TEST_CASE("pprof: what is written is read back the same") {
    const Profile before = sample_profile();
    const std::string file = write_pprof(before);
    CHECK(file.starts_with("\x1f\x8b"));
    const auto after = read_pprof(file);
    REQUIRE(after);
    CHECK(after->time_ns == before.time_ns);
    CHECK(after->duration == before.duration);
    CHECK(after->period == before.period);
    CHECK(after->functions == before.functions);
    REQUIRE(after->mappings.size() == 1);
    CHECK(after->mappings[0].start == 0x1000);
    CHECK(after->mappings[0].limit == 0x9000);
    CHECK(after->mappings[0].file == "/usr/bin/millrace");
    CHECK(after->mappings[0].build_id == "c0ffee");
    REQUIRE(after->locations.size() == before.locations.size());
    for (size_t index = 0; index < before.locations.size(); ++index) {
        CHECK(after->locations[index].address == before.locations[index].address);
        CHECK(after->locations[index].mapping == before.locations[index].mapping);
        CHECK(after->locations[index].function == before.locations[index].function);
    }
    REQUIRE(after->samples.size() == before.samples.size());
    for (size_t index = 0; index < before.samples.size(); ++index) {
        CHECK(after->samples[index].count == before.samples[index].count);
        CHECK(after->samples[index].locations == before.samples[index].locations);
    }
    CHECK(encode_pprof(*after) == encode_pprof(before));
}

TEST_CASE("pprof: a profile without samples is one, too") {
    Profile empty;
    empty.period = Duration::ms(10);
    const auto after = read_pprof(write_pprof(empty));
    REQUIRE(after);
    CHECK(after->samples.empty());
}

TEST_CASE("pprof: numbers of a list may stand packed or one by one") {
    Fields fields;
    REQUIRE(decode_pprof(fields.text()));
    fields.sample = "\x08\x01\x10\x05\x10\x07";
    const auto profile = decode_pprof(fields.text());
    REQUIRE(profile);
    CHECK(profile->samples.at(0).count == 5);
    CHECK(profile->functions.at(0) == "name");
}

TEST_CASE("pprof: what names something that isn't there is refused") {
    CHECK(!is_malformed({}));
    CHECK(is_malformed({.sample = "\x0a\x01\x02\x12\x02\x05\x07"}));    // location 2
    CHECK(is_malformed({.location = "\x08\x01\x22\x02\x08\x02"}));      // function 2
    CHECK(is_malformed({.location = "\x08\x01\x10\x03\x22\x02\x08\x01"}));  // mapping 3
    CHECK(is_malformed({.location = "\x08\x01"}));                      // no function at all
    CHECK(is_malformed({.location = std::string("\x08\x00\x22\x02\x08\x01", 6)}));  // id 0
    CHECK(is_malformed({.function = "\x08\x01\x10\x02"}));              // text 2
    CHECK(is_malformed({.function = "\x10\x01"}));                      // no id
}

TEST_CASE("pprof: what can't be is refused") {
    CHECK(is_malformed({.sample = "\x0a\x01\x01\x12\x01\x05"}));        // one value
    CHECK(is_malformed({.sample = std::string("\x0a\x01\x01\x12\x02\x00\x07", 7)}));  // no sample
    CHECK(is_malformed({.sample = "\x12\x02\x05\x07"}));                // no stack
    CHECK(is_malformed({.sample = "\x0a\x01\x01\x12\x06\xff\xff\xff\xff\x7f\x07"}));  // too many
    CHECK(is_malformed({.sample = "\x0a\x7f\x01"}));                    // cut
    CHECK(is_malformed({.period = 0}));
    CHECK(is_malformed({.period = UINT64_MAX}));
    Fields deep;
    ProtoWriter sample;
    sample.bytes(1, std::string(2'000, '\x01'));
    sample.bytes(2, "\x05\x07");
    deep.sample = sample.text();
    CHECK(is_malformed(deep));
}

TEST_CASE("pprof: a long text that many functions share is bounded") {
    ProtoWriter out;
    for (int index = 0; index < 200; ++index) {
        ProtoWriter function;
        function.number(1, static_cast<uint64_t>(index) + 1);
        function.number(2, 1);
        out.bytes(5, function.text());
    }
    out.bytes(6, "");
    out.bytes(6, std::string(100'000, 'x'));
    out.number(12, 1);
    CHECK(!decode_pprof(out.text()));
}

TEST_CASE("pprof: a file that is cut or changed anywhere does no harm") {
    const std::string plain = encode_pprof(sample_profile());
    for (size_t bytes = 0; bytes < plain.size(); ++bytes) {
        static_cast<void>(decode_pprof(plain.substr(0, bytes)));
    }
    Prng random(4711);
    int read_anyway = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string changed = plain;
        changed[random.next() % changed.size()] = static_cast<char>(random.next());
        const auto profile = decode_pprof(changed);
        if (!profile) continue;
        ++read_anyway;
        for (const Profile::Sample& sample : profile->samples) {
            REQUIRE(!sample.locations.empty());
            for (const uint32_t location : sample.locations) {
                REQUIRE(profile->locations.at(location).function < profile->functions.size());
            }
        }
    }
    CHECK(read_anyway > 0);
    const std::string packed = write_pprof(sample_profile());
    for (size_t bytes = 0; bytes < packed.size(); ++bytes) {
        CHECK(!read_pprof(packed.substr(0, bytes)));
    }
}
