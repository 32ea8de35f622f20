// An HTTP server on loopback that gives each connection the same bytes and keeps what it was asked.
// Owned by: the test. Thread: its own beside the test's.
#pragma once

#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

namespace millrace::test {

class OneAnswerServer {
public:
    explicit OneAnswerServer(std::string answer) : answer_(std::move(answer)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t bytes = sizeof(address);
        auto* any = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(listener_, any, bytes) == 0);
        REQUIRE(::listen(listener_, 8) == 0);
        REQUIRE(::getsockname(listener_, any, &bytes) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~OneAnswerServer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    OneAnswerServer(const OneAnswerServer&) = delete;
    OneAnswerServer& operator=(const OneAnswerServer&) = delete;

    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    std::vector<std::string> asked() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return asked_;
    }
    static std::string http(const std::string& status, const std::string& type,
                            const std::string& body) {
        return "HTTP/1.1 " + status + "\r\nContent-Type: " + type + "\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
    }
    static std::string json(const std::string& body, const std::string& status = "200 OK") {
        return http(status, "application/json", body);
    }

private:
    // Until the headers are whole and as much of a body as they announce.
    static bool is_whole(const std::string& request) {
        const size_t end = request.find("\r\n\r\n");
        if (end == std::string::npos) return false;
        const size_t field = request.find("Content-Length: ");
        const size_t body = field == std::string::npos || field > end
                                ? 0
                                : std::stoul(request.substr(field + 16));
        return request.size() >= end + 4 + body;
    }
    void run() {
        for (int peer = ::accept(listener_, nullptr, nullptr); peer >= 0;
             peer = ::accept(listener_, nullptr, nullptr)) {
            std::string request;
            char some[1'024];
            while (!is_whole(request)) {
                const ssize_t got = ::recv(peer, some, sizeof(some), 0);
                if (got <= 0) break;
                request.append(some, static_cast<size_t>(got));
            }
            {
                const std::lock_guard<std::mutex> lock(mutex_);
                asked_.push_back(request);
            }
            static_cast<void>(::send(peer, answer_.data(), answer_.size(), MSG_NOSIGNAL));
            ::close(peer);
        }
    }

    const std::string answer_;
    int listener_ = -1;
    int port_ = 0;
    mutable std::mutex mutex_;
    std::vector<std::string> asked_;
    std::thread thread_;
};

}  // namespace millrace::test
