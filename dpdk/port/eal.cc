#include "port/eal.h"

#include <fmt/format.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>

#include "runtime/meminfo.h"

namespace millrace {
namespace {

enum class EalState : uint8_t { fresh, running, failed };
EalState eal_state = EalState::fresh;  // the thread that opens ports is the only one

// Never closed: a thread of DPDK may still be writing into it when it has been replaced.
struct LogStream {
    char* text = nullptr;
    size_t bytes = 0;
    std::FILE* file = ::open_memstream(&text, &bytes);
};

LogStream& log_stream() {
    static LogStream stream;
    return stream;
}

// Starting DPDK pins the caller to a core and leaves threads behind that inherit its signal mask.
class CallerAsBefore {
public:
    CallerAsBefore() {
        ::pthread_getaffinity_np(::pthread_self(), sizeof(cores_), &cores_);
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &signals_);
    }
    ~CallerAsBefore() {
        ::pthread_setaffinity_np(::pthread_self(), sizeof(cores_), &cores_);
        ::pthread_sigmask(SIG_SETMASK, &signals_, nullptr);
    }
    CallerAsBefore(const CallerAsBefore&) = delete;
    CallerAsBefore& operator=(const CallerAsBefore&) = delete;

    std::string core_list() const {
        std::string list;
        for (int core = 0; core < CPU_SETSIZE; ++core) {
            if (!CPU_ISSET(static_cast<size_t>(core), &cores_)) continue;
            list += fmt::format("{}{}", list.empty() ? "" : ",", core);
        }
        return list;
    }

private:
    cpu_set_t cores_;
    sigset_t signals_;
};

// DPDK's own words for this name neither the number nor the way out.
std::optional<Error> huge_page_fault(const EalOptions& options) {
    if (!options.huge_pages) return std::nullopt;
    const Meminfo found = read_meminfo();
    const uint64_t free_bytes = found.huge_pages_free * found.huge_page_bytes;
    if (found.huge_page_bytes != 0 && free_bytes >= options.memory_bytes) {
        return std::nullopt;
    }
    const uint64_t page_bytes = found.huge_page_bytes == 0 ? 2'097'152 : found.huge_page_bytes;
    const uint64_t missing =
        (options.memory_bytes + page_bytes - 1) / page_bytes - found.huge_pages_free;
    return Error{Errc::system,
                 fmt::format("DPDK needs {} MiB of huge pages, and {} MiB are free: reserve {} "
                             "more (sysctl vm.nr_hugepages) or do without (dpdk.huge_pages = "
                             "false, --no-huge-pages)",
                             options.memory_bytes >> 20, free_bytes >> 20, missing)};
}

std::vector<std::string> eal_arguments(const EalOptions& options, const std::string& cores) {
    std::vector<std::string> all{"millrace", "--iova-mode=va", "--no-telemetry",
                                 "--log-level=*:warning"};
    // One lcore, DPDK's main one, on no core in particular: the thread that opens the port.
    all.push_back(fmt::format("--lcores=0@({})", cores));
    all.push_back("-m");
    all.push_back(std::to_string(std::max<uint64_t>(options.memory_bytes >> 20, 64)));
    if (options.huge_pages) {
        all.push_back("--in-memory");
    } else {  // the two exclude each other; either way nothing is left behind in files
        all.push_back("--no-huge");
        all.push_back("--no-shconf");
    }
    if (options.pci_device.empty()) {
        all.push_back("--no-pci");
    } else {
        all.push_back("-a");
        all.push_back(options.pci_device);
    }
    all.insert(all.end(), options.arguments.begin(), options.arguments.end());
    return all;
}

bool is_hex(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char character) {
        return std::strchr("0123456789abcdefABCDEF", character) != nullptr && character != '\0';
    });
}

}  // namespace

Outcome<void> start_eal(const EalOptions& options) {
    if (eal_state == EalState::running) return {};
    if (eal_state == EalState::failed) {
        return fail(Errc::system, "DPDK failed to start in this process and can't start again");
    }
    if (auto fault = huge_page_fault(options)) return tl::unexpected<Error>(std::move(*fault));

    const CallerAsBefore caller;
    std::vector<std::string> texts = eal_arguments(options, caller.core_list());
    std::vector<char*> arguments;
    std::string line;
    for (std::string& text : texts) {
        line += (line.empty() ? "" : " ") + text;
        arguments.push_back(text.data());
    }
    arguments.push_back(nullptr);
    const EalLog log;
    const int status = ::rte_eal_init(static_cast<int>(texts.size()), arguments.data());
    if (status >= 0) {
        eal_state = EalState::running;
        return {};
    }
    eal_state = EalState::failed;
    return fail(Errc::system,
                fmt::format("DPDK can't start with \"{}\": {}", line, log.complaint()));
}

bool is_pci_device(std::string_view device) {
    device = device.substr(0, device.find(','));
    const size_t dot = device.rfind('.');
    if (dot == std::string_view::npos || !is_hex(device.substr(dot + 1))) return false;
    device = device.substr(0, dot);
    for (int colons = 0;; ++colons) {
        const size_t colon = device.find(':');
        if (!is_hex(device.substr(0, colon))) return false;
        if (colon == std::string_view::npos) return colons == 1 || colons == 2;
        device.remove_prefix(colon + 1);
    }
}

EalThread::EalThread() : lcore_(LCORE_ID_ANY) {
    if (::rte_lcore_id() != LCORE_ID_ANY) return;
    if (::rte_thread_register() == 0) lcore_ = ::rte_lcore_id();
}

EalThread::~EalThread() {
    if (lcore_ != LCORE_ID_ANY && lcore_ == ::rte_lcore_id()) ::rte_thread_unregister();
}

EalLog::EalLog() {
    LogStream& stream = log_stream();
    std::fflush(stream.file);
    begin_ = stream.bytes;
    ::rte_openlog_stream(stream.file);
}

EalLog::~EalLog() { ::rte_openlog_stream(stderr); }

std::string EalLog::complaint() const {
    constexpr size_t shown_max = 400;
    LogStream& stream = log_stream();
    std::fflush(stream.file);
    std::string text(stream.text + begin_, stream.bytes - begin_);
    std::replace(text.begin(), text.end(), '\n', ' ');
    while (text.ends_with(' ')) text.pop_back();
    if (text.empty()) return ::rte_strerror(rte_errno);
    return text.size() <= shown_max ? text : "..." + text.substr(text.size() - shown_max);
}

}  // namespace millrace
