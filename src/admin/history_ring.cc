#include "admin/history_ring.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace millrace {
namespace {

constexpr uint32_t number_max = 99;
constexpr size_t time_text_bytes = 16;  // 20261130T120000Z
constexpr std::string_view temporary_suffix = ".tmp";

// Of "00" to "9999"; nullopt for anything but digits.
std::optional<int> digits(std::string_view text) {
    int value = 0;
    for (const char letter : text) {
        if (letter < '0' || letter > '9') return std::nullopt;
        value = value * 10 + (letter - '0');
    }
    return value;
}

std::string time_text(int64_t time_s) {
    const auto time = static_cast<time_t>(time_s);
    tm parts{};
    ::gmtime_r(&time, &parts);
    return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::optional<int64_t> parse_time(std::string_view text) {
    if (text.size() != time_text_bytes || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
    const auto year = digits(text.substr(0, 4));
    const auto month = digits(text.substr(4, 2));
    const auto day = digits(text.substr(6, 2));
    const auto hour = digits(text.substr(9, 2));
    const auto minute = digits(text.substr(11, 2));
    const auto second = digits(text.substr(13, 2));
    if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
    tm parts{};
    parts.tm_year = *year - 1900;
    parts.tm_mon = *month - 1;
    parts.tm_mday = *day;
    parts.tm_hour = *hour;
    parts.tm_min = *minute;
    parts.tm_sec = *second;
    const int64_t time_s = ::timegm(&parts);
    // The 31st of February would come out as another day.
    if (time_s < 0 || time_text(time_s) != text) return std::nullopt;
    return time_s;
}

std::string error_text(std::string_view what, const std::string& path) {
    return fmt::format("admin.history_dir: {} {}: {}", what, path, std::strerror(errno));
}

// Everything, to the disk.
bool write_whole(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes.remove_prefix(static_cast<size_t>(written));
    }
    return ::fsync(file) == 0;
}

std::optional<Error> write_file(const std::string& path, std::string_view bytes) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (file < 0) return Error{Errc::system, error_text("can't make", path)};
    const bool is_written = write_whole(file, bytes);
    const std::string message = is_written ? "" : error_text("can't write", path);
    ::close(file);
    if (is_written) return std::nullopt;
    ::unlink(path.c_str());
    return Error{Errc::system, message};
}

// That the new name outlives a power failure. A file system that can't has done what it can.
void make_names_durable(const std::string& directory) {
    const int folder = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    static_cast<void>(::fsync(folder));
    ::close(folder);
}

// Calls visit(name) for each entry.
template <class Visit>
void for_each_name(const std::string& directory, Visit&& visit) {
    DIR* folder = ::opendir(directory.c_str());
    if (folder == nullptr) return;
    while (const dirent* entry = ::readdir(folder)) visit(std::string_view(entry->d_name));
    ::closedir(folder);
}

// The id of a name "ID" + `end`.
std::optional<HistoryId> id_of(std::string_view name, std::string_view end) {
    if (!name.ends_with(end)) return std::nullopt;
    return HistoryId::parse(name.substr(0, name.size() - end.size()));
}

}  // namespace

std::string HistoryId::text() const {
    return number == 1 ? time_text(time_s) : fmt::format("{}-{}", time_text(time_s), number);
}

std::optional<HistoryId> HistoryId::parse(std::string_view text) {
    HistoryId id;
    const std::optional<int64_t> time_s = parse_time(text.substr(0, time_text_bytes));
    if (!time_s) return std::nullopt;
    id.time_s = *time_s;
    const std::string_view rest = text.substr(time_text_bytes);
    if (rest.empty()) return id;
    if (rest.size() > 3 || rest[0] != '-') return std::nullopt;
    const std::optional<int> number = digits(rest.substr(1));
    if (!number || *number < 2) return std::nullopt;
    id.number = static_cast<uint32_t>(*number);
    if (id.text() != text) return std::nullopt;  // "-02"
    return id;
}

Outcome<std::unique_ptr<HistoryRing>> HistoryRing::open(HistoryOptions options) {
    constexpr std::string_view advice =
        "; make it a directory that this user may write, or set it to \"\"";
    const std::string& directory = options.directory;
    if (::mkdir(directory.c_str(), 0750) != 0 && errno != EEXIST) {
        return fail(Errc::system, error_text("can't make the directory", directory) +
                                      std::string(advice));
    }
    // Better now than in an hour. The name can be no record's.
    const std::string trial =
        fmt::format("{}/.trial.{}{}", directory, options.kind, temporary_suffix);
    ::unlink(trial.c_str());
    if (auto error = write_file(trial, "")) {
        error->message += advice;
        return tl::unexpected<Error>(std::move(*error));
    }
    ::unlink(trial.c_str());
    std::unique_ptr<HistoryRing> ring(new HistoryRing(std::move(options)));
    ring->remove_leftovers();
    return ring;
}

std::string HistoryRing::path_of(const HistoryId& id) const {
    return fmt::format("{}/{}.{}", options_.directory, id.text(), options_.kind);
}

std::string HistoryRing::temporary_path_of(const HistoryId& id) const {
    return path_of(id) + std::string(temporary_suffix);
}

Outcome<HistoryRecord> HistoryRing::add(int64_t now_s, std::string_view bytes) {
    if (bytes.size() > options_.record_bytes_max) {
        return fail(Errc::too_large, fmt::format("a record of {} bytes: the longest has {}",
                                                 bytes.size(), options_.record_bytes_max));
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    HistoryId id{.time_s = now_s};
    for (; ::access(path_of(id).c_str(), F_OK) == 0; ++id.number) {
        if (id.number == number_max) {
            return fail(Errc::exhausted, fmt::format("{} records were taken in this second: take "
                                                     "the next one later", number_max));
        }
    }
    const std::string temporary = temporary_path_of(id);
    ::unlink(temporary.c_str());  // of a write that failed and couldn't remove it either
    if (auto error = write_file(temporary, bytes)) return tl::unexpected<Error>(std::move(*error));
    if (::rename(temporary.c_str(), path_of(id).c_str()) != 0) {
        Error error{Errc::system, error_text("can't rename", temporary)};
        ::unlink(temporary.c_str());
        return tl::unexpected<Error>(std::move(error));
    }
    remove_old(now_s, id);
    make_names_durable(options_.directory);
    return HistoryRecord{id, bytes.size()};
}

void HistoryRing::remove_old(int64_t now_s, const HistoryId& newest) const {
    const std::vector<HistoryRecord> records = look();
    size_t left = records.size();
    for (const HistoryRecord& record : records) {
        if (record.id == newest) continue;
        // From the future: the clock was wrong by so much, then or now.
        const int64_t age_s =
            std::max(now_s - record.id.time_s, record.id.time_s - now_s);
        if (left <= options_.kept_max && age_s <= options_.age_max.to_s()) continue;
        if (::unlink(path_of(record.id).c_str()) == 0) --left;
    }
}

std::vector<HistoryRecord> HistoryRing::list() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return look();
}

std::vector<HistoryRecord> HistoryRing::look() const {
    std::vector<HistoryRecord> records;
    for_each_name(options_.directory, [&](std::string_view name) {
        const std::optional<HistoryId> id = id_of(name, "." + options_.kind);
        if (!id) return;
        struct stat facts{};
        if (::lstat(path_of(*id).c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return;
        const auto bytes = static_cast<uint64_t>(facts.st_size);
        if (bytes <= options_.record_bytes_max) records.push_back({*id, bytes});
    });
    std::sort(records.begin(), records.end(),
              [](const HistoryRecord& left, const HistoryRecord& right) {
                  return left.id < right.id;
              });
    return records;
}

void HistoryRing::remove_leftovers() const {
    const std::string end = "." + options_.kind + std::string(temporary_suffix);
    for_each_name(options_.directory, [&](std::string_view name) {
        if (const auto id = id_of(name, end)) ::unlink(temporary_path_of(*id).c_str());
    });
}

Outcome<std::string> HistoryRing::read(std::string_view id_text) const {
    const std::optional<HistoryId> id = HistoryId::parse(id_text);
    const std::lock_guard<std::mutex> lock(mutex_);
    const int file = !id ? -1
                         : ::open(path_of(*id).c_str(),
                                  O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (file < 0) {
        return fail(Errc::not_found,
                    fmt::format("no record has the id {}: the list has those that there are",
                                id ? id->text() : std::string("that was given")));
    }
    struct stat facts{};
    const bool is_record = ::fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) &&
                           static_cast<uint64_t>(facts.st_size) <= options_.record_bytes_max;
    std::string bytes(is_record ? static_cast<size_t>(facts.st_size) : 0, '\0');
    size_t filled = 0;
    while (filled < bytes.size()) {
        const ssize_t got = ::read(file, bytes.data() + filled, bytes.size() - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        filled += static_cast<size_t>(got);
    }
    ::close(file);
    bytes.resize(filled);  // it may have been cut meanwhile
    if (!is_record) return fail(Errc::malformed, "the file of " + id->text() + " is no record");
    return bytes;
}

}  // namespace millrace
