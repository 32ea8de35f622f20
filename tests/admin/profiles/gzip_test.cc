#include "admin/profiles/gzip.h"

#include <doctest/doctest.h>

using namespace millrace;

TEST_CASE("gzip: what was packed comes out the same") {
    for (const std::string& text : {std::string(), std::string("a"), std::string(500'000, 'x')}) {
        const auto out = ungzip(gzip(text), 1'000'000);
        REQUIRE(out);
        CHECK(*out == text);
    }
    CHECK(gzip(std::string(500'000, 'x')).size() < 5'000);
}

TEST_CASE("gzip: any part of it is refused, and more than it") {
    const std::string packed = gzip("a text that is packed");
    for (size_t bytes = 0; bytes < packed.size(); ++bytes) {
        const auto out = ungzip(packed.substr(0, bytes), 1'000);
        REQUIRE(!out);
        CHECK(out.error().code == Errc::malformed);
    }
    CHECK(!ungzip(packed + "x", 1'000));
    CHECK(!ungzip("no gzip at all", 1'000));
}

TEST_CASE("gzip: a file that grows beyond the bound is refused without having it in memory") {
    const auto out = ungzip(gzip(std::string(3'000'000, 'x')), 100'000);
    REQUIRE(!out);
    CHECK(out.error().code == Errc::too_large);
    CHECK(out.error().message.find("100000") != std::string::npos);
}
