#include "server/remote/json.h"

#include <simdjson.h>

#include "base/json_text.h"

namespace millrace::remote {
namespace {

using simdjson::dom::element_type;
using Kind = JsonNode::Kind;

// simdjson refuses what is nested too deeply, so this ends.
JsonNode node_of(const simdjson::dom::element& element) {
    JsonNode node;
    switch (element.type()) {
    case element_type::OBJECT: {
        node.kind = Kind::object;
        simdjson::dom::object object;
        if (element.get(object) != simdjson::SUCCESS) break;
        for (const auto& [name, value] : object) {
            node.members.push_back(node_of(value));
            node.members.back().name = name;
        }
        break;
    }
    case element_type::ARRAY: {
        node.kind = Kind::list;
        simdjson::dom::array array;
        if (element.get(array) != simdjson::SUCCESS) break;
        for (const simdjson::dom::element value : array) {
            node.members.push_back(node_of(value));
        }
        break;
    }
    case element_type::STRING: {
        node.kind = Kind::text;
        std::string_view text;
        if (element.get(text) == simdjson::SUCCESS) node.text = text;
        break;
    }
    case element_type::INT64:
    case element_type::UINT64:
    case element_type::DOUBLE: {
        node.kind = Kind::number;
        int64_t integer = 0;
        if (element.get(node.number) != simdjson::SUCCESS) node.number = 0;
        if (element.get(integer) == simdjson::SUCCESS) node.integer = integer;
        break;
    }
    case element_type::BOOL:
        node.kind = Kind::truth;
        if (element.get(node.truth) != simdjson::SUCCESS) node.truth = false;
        break;
    case element_type::NULL_VALUE: break;
    }
    return node;
}

}  // namespace

std::optional<Json> Json::parse(std::string_view text) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    if (parser.parse(text.data(), text.size(), true).get(root) != simdjson::SUCCESS) {
        return std::nullopt;
    }
    if (!root.is_object()) return std::nullopt;
    Json json;
    json.root_ = std::make_unique<JsonNode>(node_of(root));
    return json;
}

JsonValue JsonValue::operator[](std::string_view member) const {
    if (!is_object()) return {};
    for (const JsonNode& node : node_->members) {
        if (node.name == member) return JsonValue(&node);
    }
    return {};
}

std::optional<std::string> JsonValue::text() const {
    if (!is(Kind::text)) return std::nullopt;
    return node_->text;
}

std::optional<double> JsonValue::number() const {
    if (!is(Kind::number)) return std::nullopt;
    return node_->number;
}

std::optional<int64_t> JsonValue::integer() const {
    return is(Kind::number) ? node_->integer : std::nullopt;
}

std::optional<bool> JsonValue::truth() const {
    if (!is(Kind::truth)) return std::nullopt;
    return node_->truth;
}

std::vector<JsonValue> JsonValue::all() const {
    std::vector<JsonValue> values;
    if (!is(Kind::list)) return values;
    for (const auto& member : node_->members) values.push_back(JsonValue(&member));
    return values;
}

uint64_t JsonValue::count() const {
    const int64_t value = integer().value_or(0);
    return value < 0 ? 0 : static_cast<uint64_t>(value);
}

// As in JSON, where a control character comes out as \u and its number.
std::string printable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::string_view before = text;
        std::string character;
        write_json_character(std::back_inserter(character), text);
        const size_t bytes = before.size() - text.size();
        const bool is_control = character.size() == json_character_bytes_max;
        out += is_control ? "?" : character == "?" ? "?" : std::string(before.substr(0, bytes));
    }
    return out;
}

}  // namespace millrace::remote
