#include "admin/token.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace millrace {
namespace {

// Regular files alone: anything else may block, or never end.
Outcome<std::string> read_small_file(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) return fail(Errc::system, std::strerror(errno));
    struct stat facts{};
    std::string text(token_bytes_max + 2, '\0');
    ssize_t bytes = -1;
    const bool is_regular = ::fstat(file, &facts) == 0 && S_ISREG(facts.st_mode);
    if (is_regular) bytes = ::read(file, text.data(), text.size());
    const int error = errno;
    ::close(file);
    if (!is_regular) return fail(Errc::invalid_argument, "it isn't a regular file");
    if (bytes < 0) return fail(Errc::system, std::strerror(error));
    text.resize(static_cast<size_t>(bytes));
    return text;
}

bool is_white(char letter) {
    return letter == '\n' || letter == '\r' || letter == ' ' || letter == '\t';
}

}  // namespace

Outcome<std::string> read_token(const std::string& path) {
    Outcome<std::string> token = read_small_file(path);
    if (!token) return token;
    while (!token->empty() && is_white(token->back())) token->pop_back();
    if (token->size() < token_bytes_min || token->size() > token_bytes_max) {
        return fail(Errc::invalid_argument,
                    fmt::format("its token has {} bytes{}", std::min(token->size(), token_bytes_max),
                                token->size() > token_bytes_max ? " or more" : ""));
    }
    // What a header can carry as one word.
    const bool is_word = std::all_of(token->begin(), token->end(),
                                     [](char letter) { return letter > 0x20 && letter < 0x7f; });
    if (!is_word) {
        return fail(Errc::invalid_argument,
                    "its token has bytes that aren't visible ASCII, or more than one line");
    }
    return token;
}

bool carries_token(std::string_view authorization, std::string_view token) {
    // Schemes are compared without regard to case (RFC 9110, 11.1).
    constexpr std::string_view scheme = "bearer ";
    if (authorization.size() < scheme.size()) return false;
    for (size_t index = 0; index < scheme.size(); ++index) {
        const char letter = authorization[index];
        const char lower =
            letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
        if (lower != scheme[index]) return false;
    }
    const std::string_view given = authorization.substr(scheme.size());
    // No way out in the middle; volatile keeps the compiler from making one.
    volatile uint8_t difference = given.size() == token.size() ? 0 : 1;
    for (size_t index = 0; index < token.size(); ++index) {
        const char letter = index < given.size() ? given[index] : '\0';
        difference = static_cast<uint8_t>(difference | (letter ^ token[index]));
    }
    return difference == 0;
}

}  // namespace millrace
