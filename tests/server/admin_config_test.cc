// Who may ask the admin listener: what [admin] accepts.
#include "server/admin_config.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "config_faults.h"

using namespace millrace;
using millrace::test::refusal;

namespace {

Config with_admin(const std::vector<ListenAddress>& listen, std::string token_file = {}) {
    Config config;
    config.admin.listen = listen;
    config.admin.token_file = std::move(token_file);
    return config;
}

}  // namespace

TEST_CASE("admin config: there is no listener by default") {
    CHECK(Config{}.admin.listen.empty());
}

TEST_CASE("admin config: loopback needs no token, and only it") {
    for (const char* host : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"}) {
        CAPTURE(host);
        CHECK(refusal(with_admin({{host, 9'883}})) == "");
    }
    for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "::2", "::ffff:10.0.0.1",
                             "::ffff:0.0.0.0", "fe80::1"}) {
        CAPTURE(host);
        CHECK(refusal(with_admin({{"127.0.0.1", 9'883}, {host, 9'883}})).ends_with(
            ": accepted is a loopback address, or any with a token: set admin.token_file"));
    }
    CHECK(refusal(with_admin({{"localhost", 9'883}}))
              .starts_with("admin.listen = \"localhost:9883\": accepted is \"ADDRESS:PORT\""));
}

TEST_CASE("admin config: regular profiles need a directory to be kept in") {
    Config config;
    config.admin.profile_interval = std::chrono::seconds(3'600);
    CHECK(refusal(config) == "admin.profile_interval_s = 3600: accepted is 0, or a directory to keep "
                             "the profiles in: set admin.history_dir");
    config.admin.history_dir = "/var/lib/millrace/history";
    CHECK(refusal(config) == "");
}

TEST_CASE("admin config: a token's file is read, and refused with what is wrong in it") {
    char path[] = "/tmp/admin_config_XXXXXX";
    const int file = ::mkstemp(path);
    REQUIRE(file >= 0);
    const auto put = [&](std::string_view text) {
        REQUIRE(::pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    };
    put("fifteen_bytes__\n");
    CHECK(refusal(with_admin({{"0.0.0.0", 9'883}}, path)).ends_with("(its token has 15 bytes)"));
    CHECK(refusal(with_admin({{"127.0.0.1", 9'883}}, path)) != "");
    CHECK(refusal(with_admin({}, path)) == "");  // nobody is asked for it
    put("sixteen_bytes___\n");
    CHECK(refusal(with_admin({{"0.0.0.0", 9'883}}, path)) == "");
    ::close(file);
    ::unlink(path);
    CHECK(refusal(with_admin({{"0.0.0.0", 9'883}}, path)).ends_with("(No such file or directory)"));
    CHECK(refusal(with_admin({}, std::string("a\0b", 3))).starts_with("admin.token_file = "));
}

TEST_CASE("admin config: addresses are few, each once, and none of the broker's") {
    CHECK(refusal(with_admin({{"::1", 1}, {"::1", 1}})) ==
          "admin.listen = \"[::1]:1\": accepted is each address once");
    CHECK(refusal(with_admin({{"127.0.0.1", 1'883}})) ==
          "admin.listen = \"127.0.0.1:1883\": accepted is another address or port than those of "
          "listen");
    CHECK(refusal(with_admin(std::vector<ListenAddress>(8, {"127.0.0.1", 0}))) == "");
    CHECK(refusal(with_admin(std::vector<ListenAddress>(9, {"127.0.0.1", 0}))) ==
          "admin.listen = (9 addresses): accepted is at most 8 addresses");
}
