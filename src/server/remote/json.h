// What a server answered, as a tree to look into.
// Owned by: Json owns the tree, a JsonValue borrows from it. Thread: any.
// Holds:    every question has an answer, whatever is in the text: what is missing or of another
//           kind is nullopt, an empty list or a value that has nothing either.
// Not here: writing JSON (base/json_line.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::remote {

struct JsonNode {
    enum class Kind : uint8_t { nothing, truth, number, text, list, object };

    Kind kind = Kind::nothing;
    bool truth = false;
    double number = 0;
    std::optional<int64_t> integer;   // of a number that is one
    std::string text;
    std::string name;                 // as a member of an object
    std::vector<JsonNode> members;    // of an object or a list
};

class JsonValue {
public:
    JsonValue() = default;
    explicit JsonValue(const JsonNode* node) : node_(node) {}

    JsonValue operator[](std::string_view member) const;
    std::optional<std::string> text() const;
    std::optional<double> number() const;
    std::optional<int64_t> integer() const;
    std::optional<bool> truth() const;
    bool is_object() const { return is(JsonNode::Kind::object); }
    bool is_list() const { return is(JsonNode::Kind::list); }
    // Of a list.
    std::vector<JsonValue> all() const;

    // What most want: 0 and "" where there's none, and where it's negative.
    uint64_t count() const;
    std::string text_or_empty() const { return text().value_or(""); }

private:
    bool is(JsonNode::Kind kind) const { return node_ != nullptr && node_->kind == kind; }

    const JsonNode* node_ = nullptr;  // null: there's nothing here
};

class Json {
public:
    // Nullopt when it's no JSON object.
    static std::optional<Json> parse(std::string_view text);
    JsonValue root() const { return JsonValue(root_.get()); }

private:
    std::unique_ptr<JsonNode> root_;
};

// For a terminal: what would steer it comes out as a question mark.
std::string printable(std::string_view text);

}  // namespace millrace::remote
