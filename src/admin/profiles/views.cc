#include "admin/profiles/views.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>

#include "base/json_text.h"

namespace millrace {
namespace {

// Functions of one name are one: two files may have each its own `main`.
struct Names {
    explicit Names(const Profile& profile) {
        std::unordered_map<std::string_view, uint32_t> known;
        for (const std::string& name : profile.functions) {
            const auto [entry, is_new] =
                known.emplace(name, static_cast<uint32_t>(names.size()));
            if (is_new) names.push_back(name);
            of_function.push_back(entry->second);
        }
    }

    uint32_t of(const Profile& profile, uint32_t location) const {
        return of_function[profile.locations[location].function];
    }

    std::vector<std::string_view> names;
    std::vector<uint32_t> of_function;
};

struct TreeNode {
    uint64_t value = 0;
    std::map<uint32_t, uint32_t> children;  // name to node
};

std::vector<TreeNode> tree_of(const Profile& profile, const Names& names) {
    std::vector<TreeNode> nodes(1);
    for (const Profile::Sample& sample : profile.samples) {
        uint32_t at = 0;
        nodes[at].value += sample.count;
        for (size_t index = sample.locations.size(); index-- > 0;) {
            const uint32_t name = names.of(profile, sample.locations[index]);
            const auto [child, is_new] =
                nodes[at].children.emplace(name, static_cast<uint32_t>(nodes.size()));
            at = child->second;
            if (is_new) nodes.emplace_back();
            nodes[at].value += sample.count;
        }
    }
    return nodes;
}

// A node that is being written, and the next of its children.
struct OpenNode {
    std::vector<std::pair<uint32_t, uint32_t>> children;  // name and node
    size_t next = 0;
};

class TreeWriter {
public:
    TreeWriter(const std::vector<TreeNode>& nodes, const Names& names, uint64_t value_min)
        : nodes_(nodes), names_(names), value_min_(value_min) {}

    std::string write() {
        open("all", 0);
        // Without recursion: a stack of calls may be deeper than ours should become.
        while (!path_.empty()) {
            OpenNode& top = path_.back();
            if (top.next == top.children.size()) {
                text_ += "]}";
                path_.pop_back();
                continue;
            }
            if (top.next > 0) text_ += ',';
            const auto [name, node] = top.children[top.next++];
            open(names_.names[name], node);
        }
        return std::move(text_);
    }

private:
    void open(std::string_view name, uint32_t node) {
        text_ += "{\"name\":" + json_text(name) +
                 ",\"value\":" + std::to_string(nodes_[node].value) + ",\"children\":[";
        OpenNode open;
        for (const auto& [child_name, child] : nodes_[node].children) {
            if (nodes_[child].value >= value_min_) open.children.emplace_back(child_name, child);
        }
        std::sort(open.children.begin(), open.children.end(), [&](const auto& a, const auto& b) {
            return nodes_[a.second].value > nodes_[b.second].value;
        });
        path_.push_back(std::move(open));
    }

    const std::vector<TreeNode>& nodes_;
    const Names& names_;
    const uint64_t value_min_;
    std::vector<OpenNode> path_;
    std::string text_;
};

double share(uint64_t part, uint64_t all) {
    return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
}

}  // namespace

std::vector<FunctionTime> functions_of(const Profile& profile) {
    const Names names(profile);
    std::vector<FunctionTime> functions(names.names.size());
    for (size_t index = 0; index < functions.size(); ++index) {
        functions[index].name = names.names[index];
    }
    std::vector<size_t> counted_by(functions.size(), SIZE_MAX);
    for (size_t index = 0; index < profile.samples.size(); ++index) {
        const Profile::Sample& sample = profile.samples[index];
        functions[names.of(profile, sample.locations.front())].self += sample.count;
        for (const uint32_t location : sample.locations) {
            const uint32_t name = names.of(profile, location);
            if (counted_by[name] == index) continue;
            counted_by[name] = index;
            functions[name].total += sample.count;
        }
    }
    std::erase_if(functions, [](const FunctionTime& one) { return one.total == 0; });
    std::sort(functions.begin(), functions.end(), [](const auto& a, const auto& b) {
        if (a.self != b.self) return a.self > b.self;
        if (a.total != b.total) return a.total > b.total;
        return a.name < b.name;
    });
    return functions;
}

std::string flame_json(const Profile& profile) {
    constexpr uint64_t branches_max = 2'000;
    const Names names(profile);
    const std::vector<TreeNode> nodes = tree_of(profile, names);
    const uint64_t value_min = std::max<uint64_t>(nodes[0].value / branches_max, 1);
    return TreeWriter(nodes, names, value_min).write();
}

std::vector<FunctionGrowth> growth_between(const Profile& from, const Profile& to) {
    std::map<std::string, FunctionGrowth> by_name;
    const uint64_t from_count = from.sample_count();
    const uint64_t to_count = to.sample_count();
    for (const FunctionTime& one : functions_of(from)) {
        by_name[one.name].self_share_from = share(one.self, from_count);
    }
    for (const FunctionTime& one : functions_of(to)) {
        by_name[one.name].self_share_to = share(one.self, to_count);
    }
    std::vector<FunctionGrowth> growth;
    for (auto& [name, one] : by_name) {
        if (one.self_share_from == 0 && one.self_share_to == 0) continue;  // it only called others
        one.name = name;
        growth.push_back(std::move(one));
    }
    std::stable_sort(growth.begin(), growth.end(), [](const auto& a, const auto& b) {
        return a.change() > b.change();
    });
    return growth;
}

}  // namespace millrace
