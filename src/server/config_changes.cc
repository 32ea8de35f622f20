#include "server/config_changes.h"

#include "server/config_keys.h"

namespace millrace {

ConfigChanges compare_configs(const Config& in_force, const Config& wanted) {
    ConfigChanges changes{in_force, {}, {}};
    for (const ConfigKey& key : config_keys()) {
        if (has_same_value(key, in_force, wanted)) continue;
        if (key.live) copy_value(key, wanted, changes.merged);
        std::vector<ConfigChange>& list = key.live ? changes.changed : changes.refused;
        list.push_back(
            {std::string(key.name), value_text(key, in_force), value_text(key, wanted)});
    }
    return changes;
}

}  // namespace millrace
