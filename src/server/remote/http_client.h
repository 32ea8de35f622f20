// Asks the admin API of a running server, over libcurl.
// Owned by: the command that asks. Thread: one.
// Holds:    an error says in one line what was asked where, what went wrong and what to look at.
//           Answers are bounded in length and time; no proxy is asked and no redirection followed,
//           so that a token goes nowhere else.
// Not here: what an answer means.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::remote {

// Whom a command asks.
struct Target {
    std::string url = "http://127.0.0.1:9883";
    std::optional<std::string> token_file;
    // More than the server takes for its slowest answers: a profile of a minute.
    std::chrono::milliseconds answer_time_max{90'000};
};

struct Answer {
    unsigned status = 0;
    std::string content_type;
    std::string body;
};

enum class Method { get, post, remove };

class HttpClient {
public:
    // Reads the token. Nothing is sent yet.
    static Outcome<std::unique_ptr<HttpClient>> open(const Target& target);
    virtual ~HttpClient() = default;

    // Whatever the status is. `path` begins with a slash; `json` is the body of a post.
    virtual Outcome<Answer> ask(Method method, std::string_view path,
                                std::string_view json = {}) = 0;
    virtual const std::string& url() const = 0;

    // A body of JSON with a status of success; everything else is an error.
    Outcome<std::string> ask_json(Method method, std::string_view path, std::string_view json = {});
};

// What ask_json() makes of an answer: pure.
Outcome<std::string> json_of(const Answer& answer, std::string_view url);
// "http://HOST:PORT": what is given, without a slash at its end; a scheme is added where there's
// none. An error for other schemes and for texts that are none.
Outcome<std::string> normalized_url(std::string_view text);

}  // namespace millrace::remote
