// The listener over libmicrohttpd. It parses HTTP and writes it; the sockets, their number and their
// time are kept here, since its own time-out counts silence alone: a peer that sends a byte now and
// then would stay for ever.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include <microhttpd.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/api/memory_routes.h"
#include "admin/api/profile_routes.h"
#include "admin/listen_socket.h"
#include "admin/listener.h"
#include "admin/profiles/profile_history.h"
#include "admin/requests.h"
#include "admin/token.h"
#include "admin/workers.h"
#include "runtime/clock.h"
#include "runtime/placement.h"
#include "runtime/thread_signals.h"
#include "runtime/waker.h"

namespace millrace {
namespace {

constexpr size_t connection_memory_bytes = 16 * 1'024;  // headers that don't fit are refused
// After accept() had no descriptor or memory.
constexpr Duration accept_pause = Duration::ms(100);

// One request on its way: its head, its body, its answer.
// Owned by: its connection, on the listener's thread; a worker has it from `at_work` until it's in
//           `done_`, and the connection is suspended as long.
struct Exchange {
    enum class Stage : uint8_t { head, body, at_work, answered };

    MHD_Connection* connection = nullptr;
    Stage stage = Stage::head;
    AdminRequest request;
    AdminRequests::Outlook outlook;
    AdminResponse response;   // valid once `answered`
};

class HttpListener final : public AdminListener {
public:
    HttpListener(const AdminOptions& options, AdminSubject& subject, std::string token, Waker waker)
        : connections_max_(options.connections_max), timeout_(Duration::ms(options.timeout.count())),
          waker_(std::move(waker)), requests_(subject, std::move(token)) {}
    ~HttpListener() override;

    std::optional<Error> open(const std::vector<ListenAddress>& addresses);
    // Before the thread starts.
    void add(std::unique_ptr<MemoryHistory> history) {
        requests_.add(memory_routes(*history));
        memory_history_ = std::move(history);
    }
    std::optional<Error> open_profiles(const AdminOptions& options);
    void start_thread() {
        thread_ = std::thread([this] { run(); });
    }
    const std::vector<uint16_t>& ports() const override { return ports_; }

private:
    // A connection. Its request goes with it: libmicrohttpd doesn't tell the end of one that it
    // refuses itself.
    struct Open {
        int descriptor;
        Instant deadline;
        std::unique_ptr<Exchange> exchange;   // from the request's first line to its end
    };

    void run();
    void wait();
    int wait_ms(Instant now) const;
    void accept_all(int listener);
    void end_overdue(Instant now);
    void begin(Exchange& exchange, const char* method);
    void give_to_worker(Exchange& exchange);
    void take_back_done();
    Open* find_open(MHD_Connection* connection);
    void extend_deadline(MHD_Connection* connection, Duration by);
    static void answer_that_it_stops(Exchange& exchange);
    static MHD_Result send(Exchange& exchange);

    static void* on_target(void* self, const char* target, MHD_Connection* connection);
    static MHD_Result on_request(void* self, MHD_Connection* connection, const char* path,
                                 const char* method, const char* version, const char* upload,
                                 size_t* upload_bytes, void** exchange);
    static void on_completed(void* self, MHD_Connection* connection, void** exchange,
                             MHD_RequestTerminationCode how);
    static void on_connection(void* self, MHD_Connection* connection, void** context,
                              MHD_ConnectionNotificationCode what);

    const uint32_t connections_max_;
    const Duration timeout_;
    const Waker waker_;               // of the thread: `is_ending_` was set, or `done_` has some
    std::atomic<bool> is_ending_{false};  // release and acquire
    std::unique_ptr<MemoryHistory> memory_history_;
    std::unique_ptr<ProfileHistory> profiles_;
    AdminRequests requests_;          // after what its routes ask
    std::vector<int> listeners_;
    std::vector<uint16_t> ports_;
    MHD_Daemon* daemon_ = nullptr;
    int daemon_descriptor_ = -1;
    std::vector<Open> open_;          // few
    Instant accept_again_{};
    Workers workers_;
    std::mutex done_mutex_;
    std::vector<Exchange*> done_;     // under the mutex: answered, still suspended
    std::vector<Exchange*> at_work_;  // given to workers and not taken back; few
    std::thread thread_;
};

HttpListener::~HttpListener() {
    if (thread_.joinable()) {
        is_ending_.store(true, std::memory_order_release);
        waker_.wake();
        thread_.join();
    }
    if (daemon_ != nullptr) MHD_stop_daemon(daemon_);  // with its connections
    for (const int listener : listeners_) ::close(listener);
}

std::optional<Error> HttpListener::open(const std::vector<ListenAddress>& addresses) {
    for (const ListenAddress& address : addresses) {
        const auto socket = open_listen_socket(address);
        if (!socket) {
            return Error{Errc::system, "admin.listen: " + socket.error().message};
        }
        listeners_.push_back(socket->descriptor);
        ports_.push_back(socket->port);
    }
    // Its own time-out is for nothing but the case that it doesn't notice the end of a socket.
    daemon_ = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, nullptr, nullptr, &on_request, this,
        MHD_OPTION_CONNECTION_LIMIT, connections_max_, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        connection_memory_bytes, MHD_OPTION_CONNECTION_TIMEOUT,
        static_cast<unsigned>(timeout_.to_s() + 2), MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_NOTIFY_CONNECTION, &on_connection, this, MHD_OPTION_URI_LOG_CALLBACK, &on_target,
        this, MHD_OPTION_NOTIFY_COMPLETED, &on_completed, this, MHD_OPTION_END);
    const MHD_DaemonInfo* info =
        daemon_ == nullptr ? nullptr : MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == nullptr) return Error{Errc::system, "admin.listen: libmicrohttpd doesn't start"};
    daemon_descriptor_ = info->epoll_fd;
    return std::nullopt;
}

// What is kept on disk for those who ask later.
std::optional<Error> HttpListener::open_profiles(const AdminOptions& options) {
    auto profiles = ProfileHistory::open({.directory = options.history_dir,
                                          .interval = Duration::s(options.profile_interval.count()),
                                          .duration = Duration::s(options.profile_time.count())});
    if (!profiles) return profiles.error();
    profiles_ = std::move(*profiles);
    requests_.add(profile_routes(*profiles_));
    return std::nullopt;
}

void HttpListener::run() {
    name_this_thread("millrace-admin");
    leave_signals_to_others();
    workers_.start();
    while (!is_ending_.load(std::memory_order_acquire)) {
        wait();
        take_back_done();
        MHD_run(daemon_);
        end_overdue(monotonic_now());
    }
    // Whoever has been asked something is told that it won't be answered: the daemon may have no
    // connection suspended at its end.
    requests_.stop();
    workers_.stop();
    take_back_done();
    for (Exchange* exchange : at_work_) {
        answer_that_it_stops(*exchange);
        MHD_resume_connection(exchange->connection);
    }
    at_work_.clear();
    MHD_run(daemon_);
}

void HttpListener::wait() {
    const Instant now = monotonic_now();
    std::vector<pollfd> watched{{waker_.descriptor(), POLLIN, 0}, {daemon_descriptor_, POLLIN, 0}};
    const size_t fixed_count = watched.size();
    if (open_.size() < connections_max_ && now >= accept_again_) {
        for (const int listener : listeners_) watched.push_back({listener, POLLIN, 0});
    }
    if (::poll(watched.data(), watched.size(), wait_ms(now)) <= 0) return;
    if (watched[0].revents != 0) waker_.clear();
    for (size_t index = fixed_count; index < watched.size(); ++index) {
        if (watched[index].revents != 0) accept_all(watched[index].fd);
    }
}

int HttpListener::wait_ms(Instant now) const {
    Instant until = Instant::never();
    for (const Open& open : open_) until = std::min(until, open.deadline);
    if (now < accept_again_) until = std::min(until, accept_again_);
    MHD_UNSIGNED_LONG_LONG daemon_ms = 0;
    if (MHD_get_timeout(daemon_, &daemon_ms) == MHD_YES) {
        const auto bounded = static_cast<int64_t>(std::min<uint64_t>(daemon_ms, 60'000));
        until = std::min(until, now + Duration::ms(bounded));
    }
    if (until == Instant::never()) return -1;
    return static_cast<int>(std::clamp<int64_t>((until - now).to_ms() + 1, 0, 60'000));
}

void HttpListener::accept_all(int listener) {
    while (open_.size() < connections_max_) {
        sockaddr_storage peer{};
        socklen_t peer_bytes = sizeof(peer);
        const int descriptor = ::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &peer_bytes,
                                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0) {
            const bool is_ordinary = errno == EAGAIN || errno == ECONNABORTED || errno == EINTR;
            if (!is_ordinary) accept_again_ = monotonic_now() + accept_pause;
            return;
        }
        // Closes the socket itself when it doesn't take it.
        MHD_add_connection(daemon_, descriptor, reinterpret_cast<sockaddr*>(&peer), peer_bytes);
    }
}

// The daemon sees the end of the socket, and closes it.
void HttpListener::end_overdue(Instant now) {
    constexpr Duration again = Duration::ms(100);
    for (Open& open : open_) {
        if (open.deadline > now) continue;
        ::shutdown(open.descriptor, SHUT_RDWR);
        open.deadline = now + again;
    }
}

void HttpListener::on_connection(void* self, MHD_Connection* connection, void**,
                                 MHD_ConnectionNotificationCode what) {
    auto& listener = *static_cast<HttpListener*>(self);
    const MHD_ConnectionInfo* info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const int descriptor = info->connect_fd;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        listener.open_.push_back({descriptor, monotonic_now() + listener.timeout_, nullptr});
    } else {
        std::erase_if(listener.open_,
                      [&](const Open& open) { return open.descriptor == descriptor; });
    }
}

// The first that is heard of a request. What it returns is on_request()'s last argument.
void* HttpListener::on_target(void* self, const char* target, MHD_Connection* connection) {
    Open* open = static_cast<HttpListener*>(self)->find_open(connection);
    if (open == nullptr) return nullptr;
    open->exchange = std::make_unique<Exchange>();
    open->exchange->connection = connection;
    open->exchange->request.target = target == nullptr ? "" : target;
    return open->exchange.get();
}

void HttpListener::on_completed(void* self, MHD_Connection* connection, void** exchange,
                                MHD_RequestTerminationCode) {
    *exchange = nullptr;
    Open* open = static_cast<HttpListener*>(self)->find_open(connection);
    if (open != nullptr) open->exchange.reset();
}

MHD_Result HttpListener::on_request(void* self, MHD_Connection*, const char*, const char* method,
                                    const char*, const char* upload, size_t* upload_bytes,
                                    void** context) {
    auto& listener = *static_cast<HttpListener*>(self);
    if (*context == nullptr) return MHD_NO;
    auto& exchange = *static_cast<Exchange*>(*context);
    switch (exchange.stage) {
    case Exchange::Stage::head:
        listener.begin(exchange, method);
        return exchange.stage == Exchange::Stage::answered ? send(exchange) : MHD_YES;
    case Exchange::Stage::body: {
        if (*upload_bytes == 0) {
            // The daemon aborts the process when it's stopped with a connection suspended.
            if (listener.is_ending_.load(std::memory_order_acquire)) {
                answer_that_it_stops(exchange);
                return send(exchange);
            }
            listener.give_to_worker(exchange);
            return MHD_YES;
        }
        std::string& body = exchange.request.body;
        // What is too long is read to its end, so that its sender comes to read the answer; its
        // connection's time is bounded.
        if (body.size() <= exchange.outlook.body_bytes_max) body.append(upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES;
    }
    case Exchange::Stage::at_work: return MHD_YES;
    case Exchange::Stage::answered: return send(exchange);
    }
    MR_UNREACHABLE();
}

void HttpListener::begin(Exchange& exchange, const char* method) {
    const auto header = [&](const char* name) {
        const char* value = MHD_lookup_connection_value(exchange.connection, MHD_HEADER_KIND, name);
        return std::string(value == nullptr ? "" : value);
    };
    AdminRequest& request = exchange.request;
    request.method = method;
    request.authorization = header("Authorization");
    request.accept = header("Accept");
    request.host = header("Host");
    request.origin = header("Origin");
    request.content_type = header("Content-Type");
    request.if_none_match = header("If-None-Match");
    const std::string length = header("Content-Length");
    std::from_chars(length.data(), length.data() + length.size(), request.body_bytes);
    request.has_body = (!length.empty() && length != "0") || !header("Transfer-Encoding").empty();
    exchange.outlook = requests_.look(request);
    if (exchange.outlook.response) {
        exchange.response = std::move(*exchange.outlook.response);
        exchange.stage = Exchange::Stage::answered;
    } else {
        exchange.stage = Exchange::Stage::body;
    }
}

void HttpListener::give_to_worker(Exchange& exchange) {
    exchange.stage = Exchange::Stage::at_work;
    extend_deadline(exchange.connection, exchange.outlook.time_max);
    MHD_suspend_connection(exchange.connection);
    at_work_.push_back(&exchange);
    workers_.post([this, &exchange] {
        const AdminRequests::Outlook& outlook = exchange.outlook;
        exchange.response =
            exchange.request.body.size() > outlook.body_bytes_max
                ? error_response({ApiFault::too_large, "body",
                                  "the longest body has " +
                                      std::to_string(outlook.body_bytes_max) + " bytes", {}})
                : requests_.answer(*outlook.route, exchange.request);
        {
            const std::lock_guard<std::mutex> lock(done_mutex_);
            done_.push_back(&exchange);
        }
        waker_.wake();
    });
}

void HttpListener::take_back_done() {
    std::vector<Exchange*> done;
    {
        const std::lock_guard<std::mutex> lock(done_mutex_);
        done.swap(done_);
    }
    for (Exchange* exchange : done) {
        std::erase(at_work_, exchange);
        exchange->stage = Exchange::Stage::answered;
        MHD_resume_connection(exchange->connection);
    }
}

HttpListener::Open* HttpListener::find_open(MHD_Connection* connection) {
    const int descriptor =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const auto place = std::find_if(open_.begin(), open_.end(), [&](const Open& open) {
        return open.descriptor == descriptor;
    });
    return place == open_.end() ? nullptr : &*place;
}

void HttpListener::extend_deadline(MHD_Connection* connection, Duration by) {
    if (Open* open = find_open(connection)) open->deadline = open->deadline + by;
}

void HttpListener::answer_that_it_stops(Exchange& exchange) {
    exchange.response = error_response({ApiFault::unavailable, "server", "it stops", {}});
    exchange.stage = Exchange::Stage::answered;
}

MHD_Result HttpListener::send(Exchange& exchange) {
    const AdminResponse& response = exchange.response;
    // Not changed, since it's copied.
    MHD_Response* out = MHD_create_response_from_buffer(
        response.body.size(), const_cast<char*>(response.body.data()), MHD_RESPMEM_MUST_COPY);
    if (out == nullptr) return MHD_NO;
    if (!response.content_type.empty()) {
        MHD_add_response_header(out, "Content-Type", std::string(response.content_type).c_str());
    }
    bool has_cache_control = false;
    for (const auto& [name, value] : response.headers) {
        has_cache_control = has_cache_control || name == "Cache-Control";
        MHD_add_response_header(out, std::string(name).c_str(), value.c_str());
    }
    if (!has_cache_control) MHD_add_response_header(out, "Cache-Control", "no-store");
    MHD_add_response_header(out, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(out, "Connection", "close");
    const MHD_Result queued = MHD_queue_response(exchange.connection, response.status, out);
    MHD_destroy_response(out);
    return queued;
}

}  // namespace

Outcome<std::unique_ptr<AdminListener>> AdminListener::start(const AdminOptions& options,
                                                             AdminSubject& subject) {
    std::string token;
    if (!options.token_file.empty()) {
        auto read = read_token(options.token_file);
        if (!read) {
            return fail(read.error().code,
                        "admin.token_file: " + options.token_file + ": " + read.error().message);
        }
        token = std::move(*read);
    }
    auto waker = Waker::create();
    if (!waker) return tl::unexpected<Error>(waker.error());
    auto listener =
        std::make_unique<HttpListener>(options, subject, std::move(token), std::move(*waker));
    if (auto error = listener->open_profiles(options)) return tl::unexpected<Error>(*error);
    if (auto error = listener->open(options.listen)) return tl::unexpected<Error>(*error);
    auto history = MemoryHistory::open(options, subject);
    if (!history) return tl::unexpected<Error>(std::move(history.error()));
    listener->add(std::move(*history));
    listener->start_thread();
    return listener;
}

}  // namespace millrace
