// The files of proc and sys below a folder, which is / or a copy of a host's.
// Owned by: who reads facts. Thread: that one.
// Holds:    paths are given without a leading slash ("proc/meminfo"). What isn't there is empty;
//           what is there and can't be read is empty too, and stands in unreadable().
// Not here: what the texts mean (read_*.cc).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::doctor {

class Tree {
public:
    explicit Tree(std::string root) : root_(std::move(root)) {}

    // The whole file without white space at its end.
    std::optional<std::string> text(const std::string& path);
    // A file that holds one decimal number. Anything else in it is as if it weren't there.
    std::optional<uint64_t> number(const std::string& path);
    // What a folder has, sorted; empty when there's none.
    std::vector<std::string> names(const std::string& path);
    // The last part of where a symbolic link points to: "ixgbe" of "../../drivers/ixgbe".
    std::optional<std::string> link_name(const std::string& path);
    bool exists(const std::string& path);

    // One line a file: "proc/self/limits: Permission denied".
    const std::vector<std::string>& unreadable() const { return unreadable_; }

private:
    std::string full(const std::string& path) const { return root_ + "/" + path; }
    void note_failure(const std::string& path, int error);

    const std::string root_;
    std::vector<std::string> unreadable_;
};

// Words between blanks, tabs and line ends.
std::vector<std::string_view> words_of(std::string_view text);
std::vector<std::string_view> lines_of(std::string_view text);
// Those behind `name` in the first line that begins with it: {"1024", "kB"} of "MemTotal: 1024 kB".
// Empty when there's no such line.
std::vector<std::string_view> words_behind(std::string_view name, std::string_view text);

}  // namespace millrace::doctor
