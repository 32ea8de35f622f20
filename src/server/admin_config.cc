#include "server/admin_config.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "admin/token.h"

namespace millrace {
namespace {

constexpr size_t admin_listen_count_max = 8;

// Both may be asked for any free port.
bool are_same(const ListenAddress& left, const ListenAddress& right) {
    return left.port != 0 && left.port == right.port && left.host == right.host;
}

std::optional<ConfigFault> address_fault(const Config& config, const ListenAddress& address) {
    for (const ListenAddress& other : config.listen) {
        if (!are_same(address, other)) continue;
        return ConfigFault{"admin.listen", quoted(to_text(address)),
                           "another address or port than those of listen"};
    }
    if (config.admin.token_file.empty() && !is_loopback(address.host)) {
        return ConfigFault{"admin.listen", quoted(to_text(address)),
                           "a loopback address, or any with a token: set admin.token_file"};
    }
    return std::nullopt;
}

}  // namespace

bool put_admin_listen(Config& config, std::string_view text) {
    std::optional<ListenAddress> address = parse_listen_address(text);
    if (!address) return false;
    config.admin.listen.push_back(std::move(*address));
    return true;
}

bool put_admin_token_file(Config& config, std::string_view text) {
    config.admin.token_file = text;
    return text.size() < PATH_MAX && text.find('\0') == text.npos;
}

bool put_history_dir(Config& config, std::string_view text) {
    config.admin.history_dir = text;
    constexpr size_t name_bytes_max = 64;  // of the files in it
    return text.size() + name_bytes_max < PATH_MAX && text.find('\0') == text.npos;
}

std::vector<std::string> admin_listen_texts(const Config& config) {
    std::vector<std::string> texts;
    for (const ListenAddress& address : config.admin.listen) texts.push_back(to_text(address));
    return texts;
}

bool is_loopback(const std::string& host) {
    in_addr v4{};
    if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    in6_addr v6{};
    if (::inet_pton(AF_INET6, host.c_str(), &v6) != 1) return false;
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

std::optional<ConfigFault> find_admin_fault(const Config& config) {
    const AdminOptions& admin = config.admin;
    if (admin.listen.size() > admin_listen_count_max) {
        return ConfigFault{"admin.listen", fmt::format("({} addresses)", admin.listen.size()),
                           fmt::format("at most {} addresses", admin_listen_count_max)};
    }
    if (Config scratch; !put_admin_token_file(scratch, admin.token_file)) {
        return fault_of("admin.token_file", quoted(admin.token_file));
    }
    if (admin.profile_interval.count() != 0 && admin.history_dir.empty()) {
        return ConfigFault{"admin.profile_interval_s", std::to_string(admin.profile_interval.count()),
                           "0, or a directory to keep the profiles in: set admin.history_dir"};
    }
    if (Config scratch; !put_history_dir(scratch, admin.history_dir)) {
        return fault_of("admin.history_dir", quoted(admin.history_dir));
    }
    for (const ListenAddress& address : admin.listen) {
        if (auto fault = address_fault(config, address)) return fault;
    }
    if (admin.listen.empty() || admin.token_file.empty()) return std::nullopt;
    const Outcome<std::string> token = read_token(admin.token_file);
    if (token) return std::nullopt;
    ConfigFault fault = fault_of("admin.token_file", quoted(admin.token_file));
    fault.accepted += " (" + token.error().message + ")";
    return fault;
}

}  // namespace millrace
