#include "command_reader.h"

#include <poll.h>
#include <unistd.h>

#include <array>

namespace millrace::test {

std::vector<std::string> CommandReader::take() {
    std::vector<std::string> lines;
    while (!ended_) {
        pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
        if (::poll(&input, 1, 0) <= 0) break;
        std::array<char, 4096> room;
        const ssize_t bytes = ::read(STDIN_FILENO, room.data(), room.size());
        if (bytes > 0) {
            partial_.append(room.data(), static_cast<size_t>(bytes));
            continue;
        }
        ended_ = true;
        partial_ += "quit\n";
    }
    for (size_t end; (end = partial_.find('\n')) != std::string::npos;) {
        lines.push_back(partial_.substr(0, end));
        partial_.erase(0, end + 1);
    }
    return lines;
}

}  // namespace millrace::test
