// What no client may publish on or subscribe to: `mqtt.denied_filters`, and publishing on `$SYS/`.
// Owned by: the shard's Broker, which replaces it when the configuration changes.
// Holds:    a filter is denied when everything that it could match is: "a/+" is inside "a/#".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codec/mqtt/topic_name.h"

namespace millrace {

class Access {
public:
    explicit Access(const std::vector<std::string>& denied_filters) : denied_(&denied_filters) {}

    bool may_publish(std::string_view topic) const {
        return !topic.starts_with("$SYS/") && !is_denied(topic);
    }
    // `filter` is the inner one of a shared filter.
    bool may_subscribe(std::string_view filter) const { return !is_denied(filter); }

private:
    bool is_denied(std::string_view name) const {
        for (const std::string& denied : *denied_) {
            if (mqtt::matches(denied, name)) return true;
        }
        return false;
    }
    const std::vector<std::string>* denied_;
};

}  // namespace millrace
