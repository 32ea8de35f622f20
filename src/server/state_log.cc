#include "server/state_log.h"

#include <algorithm>

#include "base/log.h"
#include "server/config_keys.h"

namespace millrace {

void log_network_state(std::string_view text) {
    std::string_view section;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const bool is_heading = !line.starts_with(' ');
        line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
        const size_t space = line.rfind(' ');
        const auto value = space == line.npos ? std::nullopt : parse_number(line.substr(space + 1));
        if (!is_heading && value) {
            log_always(LogLevel::info, 0, "network state", field("section", section),
                       field("name", line.substr(0, space)), field("value", *value));
        } else if (is_heading && space == line.npos) {
            section = line;
        } else {
            log_always(LogLevel::info, 0, "network state", field("text", line));
        }
    }
}

}  // namespace millrace
