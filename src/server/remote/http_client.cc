#include "server/remote/http_client.h"

#include <algorithm>
#include <cctype>

#include <curl/curl.h>
#include <fmt/format.h>

#include "admin/token.h"
#include "server/remote/json.h"

namespace millrace::remote {
namespace {

constexpr size_t answer_bytes_max = 64 * 1'024 * 1'024;
constexpr long connect_ms_max = 3'000;
constexpr std::string_view api_name = "the admin API of millrace";

struct CurlEnd {
    void operator()(CURL* curl) const { ::curl_easy_cleanup(curl); }
};
struct ListEnd {
    void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};

class CurlClient final : public HttpClient {
public:
    CurlClient(std::string url, std::string token, std::chrono::milliseconds answer_time_max,
               CURL* curl)
        : url_(std::move(url)), token_(std::move(token)),
          answer_ms_max_(static_cast<long>(answer_time_max.count())), curl_(curl) {}

    Outcome<Answer> ask(Method method, std::string_view path, std::string_view json) override;
    const std::string& url() const override { return url_; }

private:
    // Fewer bytes than came end the transfer.
    static size_t on_bytes(const char* bytes, size_t one, size_t count, void* body) {
        std::string& text = *static_cast<std::string*>(body);
        if (text.size() + one * count > answer_bytes_max) return 0;
        text.append(bytes, one * count);
        return one * count;
    }
    std::unique_ptr<curl_slist, ListEnd> headers(bool has_body) const;
    Error error_of(CURLcode code, const char* detail) const;

    const std::string url_;
    const std::string token_;
    const long answer_ms_max_;
    const std::unique_ptr<CURL, CurlEnd> curl_;  // keeps nothing: a connection is for one request
};

std::unique_ptr<curl_slist, ListEnd> CurlClient::headers(bool has_body) const {
    curl_slist* list = ::curl_slist_append(nullptr, "Accept: application/json");
    if (has_body) list = ::curl_slist_append(list, "Content-Type: application/json");
    if (!token_.empty()) {
        list = ::curl_slist_append(list, ("Authorization: Bearer " + token_).c_str());
    }
    return std::unique_ptr<curl_slist, ListEnd>(list);
}

Outcome<Answer> CurlClient::ask(Method method, std::string_view path, std::string_view json) {
    CURL* curl = curl_.get();
    ::curl_easy_reset(curl);
    Answer answer;
    char detail[CURL_ERROR_SIZE] = "";
    const std::string whole = url_ + std::string(path);
    const auto list = headers(method == Method::post);
    ::curl_easy_setopt(curl, CURLOPT_URL, whole.c_str());
    ::curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    ::curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(curl, CURLOPT_PROXY, "");
    ::curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    ::curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    ::curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_ms_max);
    ::curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, answer_ms_max_);
    ::curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list.get());
    ::curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_bytes);
    ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
    if (method == Method::post) {
        ::curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(json.size()));
        ::curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json.data() == nullptr ? "" : json.data());
    } else if (method == Method::remove) {
        ::curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "DELETE");
    }
    const CURLcode code = ::curl_easy_perform(curl);
    if (code != CURLE_OK) return tl::unexpected<Error>(error_of(code, detail));
    long status = 0;
    const char* type = nullptr;
    ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    ::curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    answer.status = static_cast<unsigned>(status);
    if (type != nullptr) answer.content_type = type;
    return answer;
}

Error CurlClient::error_of(CURLcode code, const char* detail) const {
    std::string what = *detail == '\0' ? ::curl_easy_strerror(code) : detail;
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        what += "; is the server running, and does its admin.listen have this address?";
        break;
    case CURLE_COULDNT_RESOLVE_HOST: what += "; give another --url"; break;
    case CURLE_WRITE_ERROR:          what = "the answer is far too long"; break;
    case CURLE_UNSUPPORTED_PROTOCOL:  // bytes without any header
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_GOT_NOTHING:
        what = fmt::format("no HTTP is spoken there, so it isn't {} ({})", api_name, what);
        break;
    default: break;
    }
    return {Errc::system, fmt::format("{}: {}", url_, what)};
}

}  // namespace

Outcome<std::unique_ptr<HttpClient>> HttpClient::open(const Target& target) {
    Outcome<std::string> url = normalized_url(target.url);
    if (!url) return tl::unexpected<Error>(std::move(url.error()));
    std::string token;
    if (target.token_file) {
        Outcome<std::string> read = read_token(*target.token_file);
        if (!read) {
            return fail(read.error().code,
                        "--token-file " + *target.token_file + ": " + read.error().message);
        }
        token = std::move(*read);
    }
    static const CURLcode started = ::curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL* curl = started == CURLE_OK ? ::curl_easy_init() : nullptr;
    if (curl == nullptr) return fail(Errc::system, "libcurl doesn't start: no memory");
    return std::make_unique<CurlClient>(std::move(*url), std::move(token),
                                        target.answer_time_max, curl);
}

Outcome<std::string> HttpClient::ask_json(Method method, std::string_view path,
                                          std::string_view json) {
    const Outcome<Answer> answer = ask(method, path, json);
    if (!answer) return tl::unexpected<Error>(answer.error());
    return json_of(*answer, url());
}

Outcome<std::string> json_of(const Answer& answer, std::string_view url) {
    const std::optional<Json> body = answer.content_type.starts_with("application/json")
                                         ? Json::parse(answer.body)
                                         : std::nullopt;
    if (answer.status == 401) {
        return fail(Errc::invalid_argument,
                    fmt::format("{}: the server asks for another token: give --token-file with the "
                                "file of its admin.token_file",
                                url));
    }
    if (!body) {
        return fail(Errc::malformed, fmt::format("{}: it isn't {}: it answers with status {} and "
                                                 "no JSON; give another --url",
                                                 url, api_name, answer.status));
    }
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    const JsonValue error = body->root()["error"];
    const std::string message = error["message"].text().value_or("");
    // A path that isn't known at all has no "where" of ours.
    if (message.empty()) {
        return fail(Errc::unsupported,
                    fmt::format("{}: status {}: it isn't {}, or one of another version", url,
                                answer.status, api_name));
    }
    const Errc code = answer.status == 404 ? Errc::not_found : Errc::system;
    return fail(code, fmt::format("{}: {}", url, printable(message)));
}

Outcome<std::string> normalized_url(std::string_view text) {
    std::string url(text);
    const bool is_word = !url.empty() && std::all_of(url.begin(), url.end(), [](char letter) {
        return letter > 0x20 && letter < 0x7f;
    });
    if (url.find("://") == std::string::npos) url = "http://" + url;
    const bool is_http = url.starts_with("http://") || url.starts_with("https://");
    const size_t host = url.find("://") + 3;
    while (url.size() > host && url.ends_with('/')) url.pop_back();
    if (!is_word || !is_http || host >= url.size() ||
        url.find_first_of("?#@", host) != std::string::npos) {
        return fail(Errc::invalid_argument,
                    fmt::format("--url \"{}\": accepted is http://HOST:PORT or https://HOST:PORT",
                                printable(text)));
    }
    return url;
}

}  // namespace millrace::remote
