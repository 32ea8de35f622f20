// How many instructions a thread of another process takes, counted one by one:
//   steps PID THREAD_NAME
// Says "counting" once it has hold of the thread. Then each line of input is answered by the count so
// far, once the thread sleeps; the end of input lets the thread go.
//
// For machines whose processors count no instructions for their guests, and for programs that
// valgrind can't run: a shard over io_uring is both. It steps the thread by ptrace(2), some hundred
// thousand instructions a second, so that the thread is slow and everything else isn't: what depends
// on time happens more often than it would. What the kernel does isn't in it. A repeated string
// instruction counts once for each repetition.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include <dirent.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

namespace millrace::perf {
namespace {

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::optional<pid_t> thread_of(const std::string& process, std::string_view name) {
    const std::string folder = "/proc/" + process + "/task";
    DIR* threads = ::opendir(folder.c_str());
    if (threads == nullptr) return {};
    std::optional<pid_t> found;
    while (const dirent* entry = ::readdir(threads)) {
        const std::string_view id = entry->d_name;
        pid_t number = 0;
        std::from_chars(id.data(), id.data() + id.size(), number);
        if (number != 0 && first_line(folder + "/" + entry->d_name + "/comm") == name) {
            found = number;
        }
    }
    ::closedir(threads);
    return found;
}

struct Range {
    uint64_t begin = 0;
    uint64_t end = 0;
};

// Where the process has the kernel's functions of user space, clock_gettime() among them.
Range vdso_of(const std::string& process) {
    std::ifstream maps("/proc/" + process + "/maps");
    std::string line;
    while (std::getline(maps, line)) {
        if (!line.ends_with("[vdso]")) continue;
        Range range;
        const char* const end = line.data() + line.size();
        const char* const dash = std::from_chars(line.data(), end, range.begin, 16).ptr;
        std::from_chars(dash + 1, end, range.end, 16);
        return range;
    }
    return {};
}

class Stepper {
public:
    Stepper(pid_t thread, Range clock)
        : thread_(thread), clock_(clock), state_path_("/proc/" + std::to_string(thread) + "/stat") {}

    // The thread stands then, before its next instruction.
    bool attach() {
        if (::ptrace(PTRACE_SEIZE, thread_, nullptr, nullptr) != 0) return false;
        return ::ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr) == 0 &&
               ::waitpid(thread_, &status_, __WALL) == thread_;
    }

    // Until the input ends, or the thread. False: it has ended.
    bool run() {
        while (true) {
            if (::ptrace(PTRACE_SINGLESTEP, thread_, nullptr, signal_to_deliver()) != 0) return false;
            while (::waitpid(thread_, &status_, __WALL) != thread_) {
                if (errno != EINTR) return false;
                // A step takes no time: who doesn't come back from it sleeps in the kernel.
                if (is_asleep() && !serve_input()) return let_go();
            }
            if (!WIFSTOPPED(status_)) return false;
            if (is_step()) note_step();
        }
    }

private:
    // The kernel's clock in user space begins anew when the kernel has changed it meanwhile, which a
    // slow thread sees often: each look at the clock counts as the shortest.
    void note_step() {
        const auto address = static_cast<uint64_t>(
            ::ptrace(PTRACE_PEEKUSER, thread_, offsetof(user_regs_struct, rip), nullptr));
        if (address >= clock_.begin && address < clock_.end) {
            ++clock_steps_;
            return;
        }
        if (clock_steps_ != 0) clock_steps_min_ = std::min(clock_steps_min_, clock_steps_);
        if (clock_steps_ != 0) count_ += clock_steps_min_;
        clock_steps_ = 0;
        ++count_;
    }

    bool is_step() const { return WSTOPSIG(status_) == SIGTRAP && (status_ >> 16) == 0; }

    // A stop by a signal that is the process's own goes on with it.
    int signal_to_deliver() const {
        return is_step() || (status_ >> 16) != 0 ? 0 : WSTOPSIG(status_);
    }

    bool is_asleep() const {
        const std::string line = first_line(state_path_);
        const size_t end = line.rfind(')');
        return end != std::string::npos && line.size() > end + 2 && line[end + 2] == 'S';
    }

    // Answers who asked. False: nobody will any more.
    bool serve_input() const {
        pollfd input{STDIN_FILENO, POLLIN, 0};
        if (::poll(&input, 1, 0) <= 0) return true;
        char byte = 0;
        if (::read(STDIN_FILENO, &byte, 1) != 1) return false;
        std::printf("%llu\n", static_cast<unsigned long long>(count_));
        std::fflush(stdout);
        return true;
    }

    // The last step's end may come after the stop, and would kill who isn't traced.
    bool let_go() {
        ::ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr);
        ::waitpid(thread_, &status_, __WALL);
        ::ptrace(PTRACE_CONT, thread_, nullptr, signal_to_deliver());
        ::usleep(20'000);
        ::ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr);
        ::waitpid(thread_, &status_, __WALL);
        ::ptrace(PTRACE_DETACH, thread_, nullptr, signal_to_deliver());
        return true;
    }

    const pid_t thread_;
    const Range clock_;
    const std::string state_path_;
    int status_ = 0;
    uint64_t count_ = 0;
    uint64_t clock_steps_ = 0;  // of the look at the clock that it's in
    uint64_t clock_steps_min_ = UINT64_MAX;
};

// A wait ends now and then, to look whether somebody asks.
void wake_often() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, nullptr);
    const itimerval often{{0, 2'000}, {0, 2'000}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
}

int count_steps(const std::string& process, std::string_view name) {
    const auto thread = thread_of(process, name);
    if (!thread) {
        std::fprintf(stderr, "steps: process %s has no thread %s\n", process.c_str(),
                     std::string(name).c_str());
        return 2;
    }
    Stepper stepper(*thread, vdso_of(process));
    if (!stepper.attach()) {
        std::fprintf(stderr, "steps: ptrace: %s\n", std::strerror(errno));
        return 1;
    }
    wake_often();
    std::puts("counting");
    std::fflush(stdout);
    if (stepper.run()) return 0;
    std::fputs("steps: the thread has ended\n", stderr);
    return 1;
}

}  // namespace
}  // namespace millrace::perf

int main(int count, char** words) {
    if (count != 3) {
        std::fputs("usage: steps PID THREAD_NAME (see the head of its source)\n", stderr);
        return 2;
    }
    return millrace::perf::count_steps(words[1], words[2]);
}
