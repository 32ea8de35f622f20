#include "server/config_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>

#include "base/assert.h"
#include "server/config_keys.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
// A file may break what toml++ asserts ("[" at the end of a line does), and a reload mustn't end a
// running server. Behind each of those asserts that a file can break, the parser has its own error.
#define TOML_ASSERT(condition) static_assert(true)
#include <toml++/toml.h>

namespace millrace {
namespace {

constexpr size_t file_bytes_max = 1'048'576;

std::string place(const std::string& file, const toml::source_region& source) {
    return fmt::format("{}:{}:{}", file, source.begin.line, source.begin.column);
}

// What is read from one file, with the place of every key for faults that show later.
class FileReader {
public:
    explicit FileReader(const std::string& name) : name_(name) {}

    std::optional<Error> read(std::string_view text) {
        const toml::parse_result parsed = toml::parse(text, name_);
        if (!parsed) {
            return Error{Errc::invalid_argument, place(name_, parsed.error().source()) + ": " +
                                                     std::string(parsed.error().description())};
        }
        for (const auto& [key, node] : parsed.table()) {
            if (auto error = read_top(key, node)) return error;
        }
        return std::nullopt;
    }

    std::optional<Error> check() const { return fault_to_error(find_config_fault(config_)); }

    std::optional<Error> fault_to_error(const std::optional<ConfigFault>& fault) const {
        if (!fault) return std::nullopt;
        const auto where = places_.find(fault->key);
        const std::string prefix = where == places_.end() ? name_ : where->second;
        return Error{Errc::invalid_argument, prefix + ": " + fault->text()};
    }

    // A key that a flag has set isn't the file's fault any more.
    void forget_place(const std::string& key) { places_.erase(key); }
    Config& config() { return config_; }

private:
    std::optional<Error> read_top(const toml::key& key, const toml::node& node) {
        const std::string_view name = key.str();
        if (!is_config_table(name)) return read_key(std::string(name), key, node);
        const toml::table* table = node.as_table();
        if (table == nullptr) {
            return fault(node, std::string(name), fmt::format("a table, [{}]", name));
        }
        for (const auto& [inner, value] : *table) {
            const std::string full = fmt::format("{}.{}", name, inner.str());
            if (auto error = read_key(full, inner, value)) return error;
        }
        return std::nullopt;
    }

    std::optional<Error> read_key(const std::string& name, const toml::key& written,
                                  const toml::node& node) {
        const ConfigKey* key = find_config_key(name);
        if (key == nullptr) {
            return Error{
                Errc::invalid_argument,
                fmt::format("{}: {} {}: there is no such {}; known here: {}",
                            place(name_, written.source()), node.is_table() ? "table" : "key",
                            quoted(name), node.is_table() ? "table" : "key", known_beside(name))};
        }
        places_[name] = place(name_, node.source());
        switch (key->kind) {
            case KeyKind::integer:
                return read_integer(*key, node);
            case KeyKind::boolean:
                return read_boolean(*key, node);
            case KeyKind::text:
                return read_text(*key, node);
            case KeyKind::texts:
                return read_texts(*key, node);
        }
        MR_UNREACHABLE();
    }

    std::optional<Error> read_integer(const ConfigKey& key, const toml::node& node) {
        const auto* value = node.as_integer();
        if (value == nullptr || value->get() < 0) return fault(node, key);
        const auto number = static_cast<uint64_t>(value->get());
        if (!accepts(key, number)) return fault(node, key);
        key.set(config_, number);
        return std::nullopt;
    }

    std::optional<Error> read_boolean(const ConfigKey& key, const toml::node& node) {
        const auto* value = node.as_boolean();
        if (value == nullptr) return fault(node, key);
        key.set(config_, value->get() ? 1 : 0);
        return std::nullopt;
    }

    std::optional<Error> read_text(const ConfigKey& key, const toml::node& node) {
        const auto* value = node.as_string();
        if (value == nullptr || !key.put(config_, value->get())) return fault(node, key);
        return std::nullopt;
    }

    std::optional<Error> read_texts(const ConfigKey& key, const toml::node& node) {
        const toml::array* list = node.as_array();
        if (list == nullptr) return fault(node, key);
        key.clear(config_);
        for (const toml::node& element : *list) {
            if (auto error = read_text(key, element)) return error;
        }
        return std::nullopt;
    }

    static std::string known_beside(std::string_view name) {
        const size_t dot = name.rfind('.');
        const std::string_view table =
            dot == std::string_view::npos ? std::string_view{} : name.substr(0, dot + 1);
        std::string known;
        for (const ConfigKey& key : config_keys()) {
            if (!key.name.starts_with(table)) continue;
            const std::string_view rest = key.name.substr(table.size());
            const size_t inner_dot = rest.find('.');
            const std::string item = inner_dot == std::string_view::npos
                                         ? std::string(rest)
                                         : fmt::format("[{}]", rest.substr(0, inner_dot));
            if (known.ends_with(item)) continue;
            if (!known.empty()) known += ", ";
            known += item;
        }
        return known;
    }

    // The value as TOML writes it, which quotes texts.
    static std::string shown(const toml::node& node) {
        if (const auto* text = node.as_string()) return quoted(text->get());
        std::ostringstream out;
        node.visit([&](const auto& value) { out << value; });
        const std::string all = quoted(out.str());
        return all.substr(1, all.size() - 2);
    }

    std::optional<Error> fault(const toml::node& node, const ConfigKey& key) const {
        std::string accepted = accepted_values(key);
        if (key.kind == KeyKind::integer && !node.is_integer())
            accepted = "an integer, " + accepted;
        if (key.kind == KeyKind::texts && !node.is_string())
            accepted = "a list of texts, " + accepted;
        return fault(node, std::string(key.name), accepted);
    }

    std::optional<Error> fault(const toml::node& node, const std::string& key,
                               const std::string& accepted) const {
        return Error{Errc::invalid_argument, place(name_, node.source()) + ": " +
                                                 ConfigFault{key, shown(node), accepted}.text()};
    }

    std::string name_;
    Config config_;
    std::map<std::string, std::string> places_;
};

Outcome<std::string> read_file(const std::string& path) {
    const auto refuse = [&](const std::string& why) {
        return fail(Errc::invalid_argument, fmt::format("{}: {}", path, why));
    };
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                               std::fclose);
    if (file == nullptr) return refuse(std::strerror(errno));
    std::string text(file_bytes_max + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
    if (std::ferror(file.get()) != 0) return refuse(std::strerror(errno));
    if (text.size() > file_bytes_max) {
        return refuse(
            fmt::format("longer than {} bytes, the most that is accepted", file_bytes_max));
    }
    return text;
}

std::optional<Error> apply(Config& config, const ConfigOverride& change) {
    const ConfigKey* key = find_config_key(change.key);
    if (key == nullptr) {
        return Error{Errc::invalid_argument,
                     fmt::format("{}: there is no key {}", change.flag, quoted(change.key))};
    }
    if (key->kind == KeyKind::texts) key->clear(config);
    for (const std::string& value : change.values) {
        if (put_config_value(config, *key, value)) continue;
        return Error{Errc::invalid_argument,
                     fmt::format("{}: {} is not accepted for {}: accepted is {}", change.flag,
                                 quoted(value), key->name, accepted_values(*key))};
    }
    return std::nullopt;
}

}  // namespace

Outcome<Config> parse_config(std::string_view toml, const std::string& name) {
    FileReader reader(name);
    if (auto error = reader.read(toml)) return tl::unexpected<Error>(std::move(*error));
    if (auto error = reader.check()) return tl::unexpected<Error>(std::move(*error));
    return std::move(reader.config());
}

Outcome<Config> read_config_file(const std::string& path) {
    return make_config(path, {});
}

Outcome<Config> make_config(const std::optional<std::string>& path,
                            std::span<const ConfigOverride> overrides) {
    FileReader reader(path ? *path : "configuration");
    if (path) {
        const Outcome<std::string> text = read_file(*path);
        if (!text) return tl::unexpected<Error>(text.error());
        if (auto error = reader.read(*text)) return tl::unexpected<Error>(std::move(*error));
    }
    for (const ConfigOverride& change : overrides) {
        if (auto error = apply(reader.config(), change)) {
            return tl::unexpected<Error>(std::move(*error));
        }
        reader.forget_place(change.key);
    }
    if (auto error = reader.check()) return tl::unexpected<Error>(std::move(*error));
    return std::move(reader.config());
}

}  // namespace millrace
