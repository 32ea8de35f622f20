// A map keyed by topic levels: subscriptions found by topic, or stored topics found by filter
// (MQTT 5.0, 4.7).
// Owned by: one shard; never touched from another thread.
// Holds:    a node without a value has a child: erasing prunes. Keys have at most `levels_max`
//           levels, so that every walk has a stack of constant size whatever a peer sends; none
//           recurses or allocates while matching. Literal children of all nodes stand in one hash
//           table, so a level is O(1) however many children it has.
// Not here: whether a key is a valid topic or filter (codec/mqtt/topic_name.h).
//
//   root ── "a" ─┬─ "+" ── "c"        a node's children are a list: "+" first, then "#", then
//                ├─ "#"               the literal ones, which the hash table finds by
//                ├─ "b"               (parent, text)
//                └─ "c"
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/hash.h"
#include "base/hash_table.h"
#include "runtime/slab.h"

namespace millrace {

// Deeper keys are refused. Topics may be deeper: the walk ends where the stored keys do.
constexpr uint32_t levels_max = 128;

constexpr uint32_t level_count(std::string_view key) {
    uint32_t count = 1;
    for (const char letter : key) count += letter == '/' ? 1 : 0;
    return count;
}

// Value: a small trivially copyable handle; Value{} means none.
template <class Value>
class LevelTrie {
    static_assert(std::is_trivially_copyable_v<Value> && sizeof(Value) <= 8);

public:
    // The key keeps peers from choosing levels that collide.
    explicit LevelTrie(Heap& heap, HashKey hash_key = {})
        : heap_(heap), hash_key_(hash_key), children_({&heap, allocate_segment, free_segment}) {}
    ~LevelTrie() { clear(); }
    LevelTrie(const LevelTrie&) = delete;
    LevelTrie& operator=(const LevelTrie&) = delete;

    uint64_t count() const { return count_; }           // of values
    uint64_t node_count() const { return node_count_; }

    // Replaces the value of a key that is there. False, and nothing changed, when memory is used
    // up, or the key has more than levels_max levels or 65,535 bytes.
    bool insert(std::string_view key, Value value) {
        MR_ASSERT(value != Value{});
        if (key.size() > UINT16_MAX || level_count(key) > levels_max) return false;
        Node* node = &root_;
        for (Cursor at{key}; !at.done();) {
            const std::string_view level = at.next();
            Node* child = find_child(*node, level);
            if (child == nullptr) child = try_make_child(*node, level);
            if (child == nullptr) {
                prune(node);
                return false;
            }
            node = child;
        }
        if (node->value == Value{}) ++count_;
        node->value = value;
        return true;
    }

    Value find(std::string_view key) const {
        const Node* node = find_node(key);
        return node == nullptr ? Value{} : node->value;
    }

    // The value that was there, Value{} when none.
    Value erase(std::string_view key) {
        Node* node = find_node(key);
        if (node == nullptr || node->value == Value{}) return Value{};
        const Value erased = std::exchange(node->value, Value{});
        --count_;
        prune(node);
        return erased;
    }

    // Drops everything, in one go.
    void clear() {
        Node* node = &root_;
        for (;;) {
            while (node->first_child != nullptr) node = node->first_child;
            if (node == &root_) break;
            Node* parent = node->parent;
            destroy(*node);
            node = parent;
        }
        count_ = 0;
    }

    // The keys are filters: calls visit(Value) for each that matches `topic`. A visit that returns
    // bool ends the walk with false. Visits may not change the trie.
    template <class Visit>
    void match_topic(std::string_view topic, Visit&& visit) const {
        if (count_ == 0) return;
        // 4.7.2: a wildcard at the front doesn't match topics that start with `$`.
        const bool is_hidden = topic.starts_with('$');
        Pending pending[levels_max + 1];
        uint32_t pending_count = 0;
        pending[pending_count++] = {&root_, 0};
        while (pending_count > 0) {
            const Node* node = pending[--pending_count].node;
            Cursor at{topic, pending[pending_count].position};
            // One way down is walked here; each "+" passed by is noted, one a level at most.
            while (node != nullptr) {
                const bool may_match_wildcard = !(is_hidden && node == &root_);
                if (may_match_wildcard && node->has_multi) {
                    if (!go_on(visit, multi_child(*node)->value)) return;
                }
                if (at.done()) {
                    if (!go_on(visit, node->value)) return;
                    break;
                }
                const std::string_view level = at.next();
                if (may_match_wildcard && node->has_plus) {
                    MR_ASSERT(pending_count <= levels_max);
                    pending[pending_count++] = {node->first_child, at.position};
                }
                node = find_literal(*node, level);
            }
        }
    }

    // The keys are topics: calls visit(Value) for each that `filter` matches, in no stated order.
    // A visit that returns bool ends the walk with false. Visits may not change the trie.
    template <class Visit>
    void match_filter(std::string_view filter, Visit&& visit) const {
        if (count_ == 0) return;
        Pending pending[levels_max + 1];
        uint32_t pending_count = 0;
        const Node* node = &root_;
        Cursor at{filter};
        for (;;) {
            if (node == nullptr || at.done()) {
                if (node != nullptr && !go_on(visit, node->value)) return;
                if (pending_count == 0) return;
                // The newest "+" goes on with its next sibling; its last frame goes away.
                Pending& newest = pending[pending_count - 1];
                node = newest.node;
                at.position = newest.position;
                newest.node = next_shown(node->next_sibling);
                if (newest.node == nullptr) --pending_count;
                continue;
            }
            const std::string_view level = at.next();
            if (level == "#") {
                if (!visit_below(*node, visit)) return;
                node = nullptr;
            } else if (level == "+") {
                const Node* first = next_shown(node->first_child);
                if (first != nullptr) {
                    MR_ASSERT(pending_count <= levels_max);
                    pending[pending_count++] = {first, at.position};
                }
                node = nullptr;
            } else {
                node = find_literal(*node, level);
            }
        }
    }

    // Every value, in no stated order. The visit may not change the trie.
    template <class Visit>
    void for_each(Visit&& visit) const {
        const Node* node = &root_;
        for (;;) {
            if (node->value != Value{}) visit(node->value);
            const Node* next = node->first_child;
            while (next == nullptr) {
                if (node == &root_) return;
                next = node->next_sibling;
                if (next == nullptr) node = node->parent;
            }
            node = next;
        }
    }

    // Every value in a walk with pauses (base/hash_table.h, for_each_at()), in groups: those of a key
    // that ends in no wildcard and of its extensions by wildcards alone have one place. Calls
    // visit(place, Value) for some of the next places, in no stated order, which may be before
    // `place`; a group comes whole, always in the same order. The visit may not change the trie.
    template <class Visit>
    uint64_t for_each_at(uint64_t place, Visit&& visit) {
        if (place == 0) visit_wildcards_below(root_, 0, visit);
        return children_.for_each_at(place, [&](const Node& node) {
            const uint64_t own = Table::place_of(node.hash);
            if (node.value != Value{}) visit(own, node.value);
            visit_wildcards_below(node, own, visit);
        });
    }

private:
    struct Node {
        Node* parent = nullptr;  // null for the root only
        Node* next_in_table = nullptr;
        Node* first_child = nullptr;
        Node* next_sibling = nullptr;
        Node* previous_sibling = nullptr;
        Value value{};
        uint32_t hash = 0;  // of all levels down to here
        uint16_t text_bytes = 0;
        uint8_t has_plus : 1 = 0;   // then it's the first child
        uint8_t has_multi : 1 = 0;  // then it's the first child after that
        uint8_t is_wildcard : 1 = 0;
        char text[1] = {};  // goes on behind the struct: text_bytes of them

        std::string_view level() const {
            return {reinterpret_cast<const char*>(this) + offsetof(Node, text), text_bytes};
        }
    };
    static_assert(sizeof(Node) <= 56);
    static constexpr uint32_t text_offset = offsetof(Node, text);

    struct TableTraits {
        static Node*& next(Node& node) { return node.next_in_table; }
        static uint64_t hash(const Node& node) { return node.hash; }
    };
    using Table = IntrusiveHashTable<Node, TableTraits>;

    // Walks the levels of a key.
    struct Cursor {
        std::string_view key;
        size_t position = 0;  // where the next level begins; past the end when there's none

        bool done() const { return position > key.size(); }
        std::string_view next() {
            const size_t end = std::min(key.find('/', position), key.size());
            const std::string_view level = key.substr(position, end - position);
            position = end + 1;
            return level;
        }
    };
    // Has no initial values: a stack of these costs nothing until it is used.
    struct Pending {
        const Node* node;
        size_t position;
    };

    uint32_t child_hash(const Node& parent, std::string_view level) const {
        const uint64_t seed = hash_key_.value ^ (parent.hash * 0x9e3779b97f4a7c15u);
        return static_cast<uint32_t>(hash_text(level, HashKey{seed}));
    }
    static void* allocate_segment(void* heap, uint32_t bytes) {
        return static_cast<Heap*>(heap)->try_allocate(bytes);
    }
    static void free_segment(void* heap, void* memory, uint32_t bytes) {
        static_cast<Heap*>(heap)->free(memory, bytes);
    }

    template <class Visit>
    static bool go_on(Visit& visit, Value value) {
        if (value == Value{}) return true;
        if constexpr (std::is_same_v<decltype(visit(value)), bool>) return visit(value);
        else return visit(value), true;
    }

    static Node* multi_child(const Node& node) {
        return node.has_plus ? node.first_child->next_sibling : node.first_child;
    }
    static Node* first_literal(const Node& node) {
        Node* child = node.first_child;
        if (node.has_plus) child = child->next_sibling;
        if (node.has_multi) child = child->next_sibling;
        return child;
    }
    Node* find_literal(const Node& parent, std::string_view level) const {
        // Most nodes have no literal child or one: then the table would only cost cache misses.
        Node* first = first_literal(parent);
        if (first == nullptr) return nullptr;
        if (first->next_sibling == nullptr) return first->level() == level ? first : nullptr;
        return children_.find(child_hash(parent, level), [&](const Node& node) {
            return node.parent == &parent && node.level() == level;
        });
    }
    Node* find_child(const Node& parent, std::string_view level) const {
        if (level == "+") return parent.has_plus ? parent.first_child : nullptr;
        if (level == "#") return parent.has_multi ? multi_child(parent) : nullptr;
        return find_literal(parent, level);
    }
    Node* find_node(std::string_view key) const {
        Node* node = const_cast<Node*>(&root_);
        for (Cursor at{key}; node != nullptr && !at.done();) node = find_child(*node, at.next());
        return node;
    }

    static uint32_t node_bytes(uint32_t text_bytes) {
        return std::max(static_cast<uint32_t>(sizeof(Node)), text_offset + text_bytes);
    }

    // "+" below "+" below "+", and a "#" at each of them.
    template <class Visit>
    static void visit_wildcards_below(const Node& top, uint64_t place, Visit& visit) {
        for (const Node* node = &top;; node = node->first_child) {
            if (node != &top && node->value != Value{}) visit(place, node->value);
            if (node->has_multi) visit(place, multi_child(*node)->value);
            if (!node->has_plus) return;
        }
    }

    Node* try_make_child(Node& parent, std::string_view level) {
        const uint32_t bytes = static_cast<uint32_t>(level.size());
        void* memory = heap_.try_allocate(node_bytes(bytes));
        if (memory == nullptr) return nullptr;
        Node& child = *new (memory) Node;
        child.parent = &parent;
        child.hash = child_hash(parent, level);
        child.text_bytes = static_cast<uint16_t>(bytes);
        if (bytes > 0) std::memcpy(static_cast<char*>(memory) + text_offset, level.data(), bytes);
        Node* before = nullptr;  // where it goes among its siblings
        if (level == "+") {
            parent.has_plus = child.is_wildcard = 1;
        } else {
            before = parent.has_plus ? parent.first_child : nullptr;
            if (level == "#") {
                parent.has_multi = child.is_wildcard = 1;
            } else {
                if (parent.has_multi) before = multi_child(parent);
                children_.insert(child);
            }
        }
        link_after(parent, before, child);
        ++node_count_;
        return &child;
    }

    static void link_after(Node& parent, Node* before, Node& child) {
        Node*& link = before == nullptr ? parent.first_child : before->next_sibling;
        child.previous_sibling = before;
        child.next_sibling = link;
        if (link != nullptr) link->previous_sibling = &child;
        link = &child;
    }

    // A leaf.
    void destroy(Node& node) {
        MR_ASSERT(node.first_child == nullptr && node.parent != nullptr);
        Node& parent = *node.parent;
        if (!node.is_wildcard) children_.erase(node);
        else if (node.level() == "+") parent.has_plus = 0;
        else parent.has_multi = 0;
        if (node.next_sibling != nullptr) {
            node.next_sibling->previous_sibling = node.previous_sibling;
        }
        if (node.previous_sibling != nullptr) {
            node.previous_sibling->next_sibling = node.next_sibling;
        } else {
            parent.first_child = node.next_sibling;
        }
        heap_.free(&node, node_bytes(node.text_bytes));
        --node_count_;
    }

    // From `node` upwards: whatever carries nothing goes.
    void prune(Node* node) {
        while (node != &root_ && node->first_child == nullptr && node->value == Value{}) {
            Node* parent = node->parent;
            destroy(*node);
            node = parent;
        }
    }

    // `sibling` or the next after it that a wildcard may match: at the root not those with `$`.
    const Node* next_shown(const Node* sibling) const {
        while (sibling != nullptr && sibling->parent == &root_ &&
               sibling->level().starts_with('$')) {
            sibling = sibling->next_sibling;
        }
        return sibling;
    }

    // All values of `top` and below it, by way of the parent links: no stack at all.
    template <class Visit>
    bool visit_below(const Node& top, Visit& visit) const {
        const Node* node = &top;
        for (;;) {
            if (!go_on(visit, node->value)) return false;
            const Node* next = next_shown(node->first_child);
            while (next == nullptr) {
                if (node == &top) return true;
                next = next_shown(node->next_sibling);
                if (next == nullptr) node = node->parent;
            }
            node = next;
        }
    }

    Heap& heap_;
    HashKey hash_key_;
    Node root_;
    Table children_;
    uint64_t count_ = 0;       // of values
    uint64_t node_count_ = 0;  // the root not counted
};

}  // namespace millrace
