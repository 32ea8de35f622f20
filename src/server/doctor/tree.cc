#include "server/doctor/tree.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/config_keys.h"

namespace millrace::doctor {
namespace {

constexpr std::string_view blanks = " \t\n\r";
// /proc/interrupts of 512 cores and 5,000 interrupts has 30 MB.
constexpr size_t bytes_max = size_t{64} << 20;

// Drivers answer so for what a device doesn't have (the speed of a link that is down).
bool means_absent(int error) {
    return error == ENOENT || error == ENOTDIR || error == EINVAL || error == ENODEV ||
           error == ENXIO || error == EOPNOTSUPP;
}

std::vector<std::string_view> split_at(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    size_t at = 0;
    while ((at = text.find_first_not_of(separators, at)) != std::string_view::npos) {
        const size_t end = std::min(text.find_first_of(separators, at), text.size());
        parts.push_back(text.substr(at, end - at));
        at = end;
    }
    return parts;
}

}  // namespace

void Tree::note_failure(const std::string& path, int error) {
    if (means_absent(error)) return;
    std::string line = path + ": " + std::strerror(error);
    if (std::find(unreadable_.begin(), unreadable_.end(), line) == unreadable_.end()) {
        unreadable_.push_back(std::move(line));
    }
}

std::optional<std::string> Tree::text(const std::string& path) {
    const int descriptor = ::open(full(path).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const std::unique_ptr<FILE, int (*)(FILE*)> file(
        descriptor < 0 ? nullptr : ::fdopen(descriptor, "r"), std::fclose);
    if (file == nullptr) {
        note_failure(path, errno);
        if (descriptor >= 0) ::close(descriptor);
        return std::nullopt;
    }
    // In a copy of a host anything may stand in a file's place: what never ends isn't read.
    struct stat kind {};
    if (::fstat(descriptor, &kind) == 0 && !S_ISREG(kind.st_mode) && !S_ISDIR(kind.st_mode)) {
        note_failure(path, EBADF);
        return std::nullopt;
    }
    std::string text;
    char piece[4'096];
    size_t bytes = 0;
    while ((bytes = std::fread(piece, 1, sizeof(piece), file.get())) > 0) {
        text.append(piece, bytes);
        if (text.size() > bytes_max) {
            note_failure(path, EFBIG);
            return std::nullopt;
        }
    }
    if (std::ferror(file.get()) != 0) {
        note_failure(path, errno);
        return std::nullopt;
    }
    text.erase(text.find_last_not_of(blanks) + 1);
    return text;
}

std::optional<uint64_t> Tree::number(const std::string& path) {
    const std::optional<std::string> found = text(path);
    return found ? parse_number(*found) : std::nullopt;
}

std::vector<std::string> Tree::names(const std::string& path) {
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(full(path).c_str()), ::closedir);
    if (folder == nullptr) {
        note_failure(path, errno);
        return names;
    }
    while (const dirent* entry = ::readdir(folder.get())) {
        if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::optional<std::string> Tree::link_name(const std::string& path) {
    char target[4'096];
    const ssize_t bytes = ::readlink(full(path).c_str(), target, sizeof(target));
    if (bytes < 0) {
        note_failure(path, errno);
        return std::nullopt;
    }
    const std::string_view whole(target, static_cast<size_t>(bytes));
    return std::string(whole.substr(whole.rfind('/') + 1));
}

bool Tree::exists(const std::string& path) {
    return ::access(full(path).c_str(), F_OK) == 0;
}

std::vector<std::string_view> words_of(std::string_view text) {
    return split_at(text, blanks);
}

std::vector<std::string_view> lines_of(std::string_view text) {
    return split_at(text, "\n");
}

std::vector<std::string_view> words_behind(std::string_view name, std::string_view text) {
    for (const std::string_view line : lines_of(text)) {
        if (line.starts_with(name)) return words_of(line.substr(name.size()));
    }
    return {};
}

}  // namespace millrace::doctor
