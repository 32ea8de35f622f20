// What a token's file may hold, and who is let in.
#include "admin/token.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

using namespace millrace;

namespace {

// What reading a file with that text gives: the token, or the fault after "error: ".
std::string token_of(std::string_view text) {
    char path[] = "/tmp/token_test_XXXXXX";
    const int file = ::mkstemp(path);
    REQUIRE(file >= 0);
    REQUIRE(::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(file);
    const Outcome<std::string> token = read_token(path);
    ::unlink(path);
    return token ? *token : "error: " + token.error().message;
}

constexpr std::string_view good_token = "0123456789abcdef";

}  // namespace

TEST_CASE("token: the file's text without white space at its end") {
    CHECK(token_of(good_token) == good_token);
    CHECK(token_of("0123456789abcdef\n") == good_token);
    CHECK(token_of("0123456789abcdef \t\r\n\n") == good_token);
    const std::string longest(token_bytes_max, 'x');
    CHECK(token_of(longest) == longest);
}

TEST_CASE("token: a short, long, or unprintable one is refused and not shown") {
    CHECK(token_of("") == "error: its token has 0 bytes");
    CHECK(token_of("0123456789abcde\n") == "error: its token has 15 bytes");
    CHECK(token_of(std::string(token_bytes_max + 1, 'x')) == "error: its token has 1024 bytes or more");
    CHECK(token_of(std::string(100'000, 'x')) == "error: its token has 1024 bytes or more");
    for (const std::string& bad :
         {std::string("0123456789abcdef g"), std::string("0123456789abcdef\n0123456789abcdef"),
          std::string("0123456789abcdef\xff"), std::string("0123456789abcdef\0x", 18)}) {
        CHECK(token_of(bad).starts_with("error: its token has bytes that aren't visible ASCII"));
    }
}

TEST_CASE("token: what isn't a regular file is refused without waiting for it") {
    CHECK(read_token("/no/such/token").error().message == "No such file or directory");
    CHECK(read_token("/tmp").error().message == "it isn't a regular file");
    CHECK(read_token("/dev/zero").error().message == "it isn't a regular file");
    char folder[] = "/tmp/token_test_XXXXXX";
    REQUIRE(::mkdtemp(folder) != nullptr);
    const std::string pipe = std::string(folder) + "/pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(read_token(pipe).error().message == "it isn't a regular file");
    ::unlink(pipe.c_str());
    ::rmdir(folder);
}

TEST_CASE("token: a request carries it whole, as a bearer, or not at all") {
    CHECK(carries_token("Bearer 0123456789abcdef", good_token));
    CHECK(carries_token("bEARER 0123456789abcdef", good_token));
    for (const std::string_view wrong :
         {"", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdefg",
          "Bearer 1123456789abcdef", "Bearer 0123456789abcdeg", "Bearer  0123456789abcdef",
          "Basic 0123456789abcdef", "0123456789abcdef", "Bearer0123456789abcdef"}) {
        CAPTURE(wrong);
        CHECK_FALSE(carries_token(wrong, good_token));
    }
}
