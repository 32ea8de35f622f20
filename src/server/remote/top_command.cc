#include "server/remote/top_command.h"

#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "server/remote/terminal.h"
#include "server/remote/top_sample.h"
#include "server/remote/top_view.h"

namespace millrace::remote {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds interval{1};

// An empty text where the server hasn't got that: it may be older, or have it switched off.
std::string text_or_none(HttpClient& client, std::string_view path) {
    return client.ask_json(Method::get, path).value_or("");
}

Outcome<TopSample> ask_sample(HttpClient& client) {
    Outcome<std::string> server = client.ask_json(Method::get, "/api/v1/server");
    if (!server) return tl::unexpected<Error>(std::move(server.error()));
    Outcome<std::string> shards = client.ask_json(Method::get, "/api/v1/shards");
    if (!shards) return tl::unexpected<Error>(std::move(shards.error()));
    std::optional<TopSample> sample =
        read_top_sample({std::move(*server), std::move(*shards),
                         text_or_none(client, "/api/v1/topics/hot?limit=50"),
                         text_or_none(client, "/api/v1/receivers/slow?limit=50"),
                         text_or_none(client, "/api/v1/memory")});
    if (!sample) {
        return fail(Errc::malformed, client.url() + ": the answer isn't understood: is the server "
                                                    "of another version?");
    }
    return std::move(*sample);
}

ExitCode print_once(HttpClient& client) {
    const Outcome<TopSample> before = ask_sample(client);
    if (!before) return complain(ExitCode::failed, before.error().message);
    std::this_thread::sleep_for(interval);
    const Outcome<TopSample> now = ask_sample(client);
    if (!now) return complain(ExitCode::failed, now.error().message);
    const ScreenExtent extent = screen_extent();
    // A file may be as long as it likes.
    TopView view;
    view.columns = std::max(extent.columns, view.columns);
    view.rows = 200;
    for (const ScreenLine& line : top_lines(&*before, *now, view)) fmt::print("{}\n", line.text);
    return ExitCode::success;
}

class Top {
public:
    Top(HttpClient& client, Terminal& terminal) : client_(client), terminal_(terminal) {}

    ExitCode run() {
        while (true) {
            const Clock::time_point next = Clock::now() + interval;
            look();
            if (!show_until(next)) return ExitCode::success;
        }
    }

private:
    void look() {
        Outcome<TopSample> sample = ask_sample(client_);
        if (!sample) {
            trouble_ = sample.error().message + " (trying again)";
            return;
        }
        trouble_.clear();
        before_ = std::move(now_);
        now_ = std::move(*sample);
    }

    bool draw() {
        const ScreenExtent extent = screen_extent();
        const TopView view{extent.columns, extent.rows, order_, true, trouble_};
        return terminal_.draw(now_ ? top_lines(before_ ? &*before_ : nullptr, *now_, view)
                                   : trouble_lines(view));
    }

    // False when it's the end.
    bool show_until(Clock::time_point next) {
        while (draw()) {
            const Terminal::Event event = terminal_.wait(next);
            switch (event.what) {
            case Terminal::What::time:   return true;
            case Terminal::What::end:    return false;
            case Terminal::What::extent: break;
            case Terminal::What::key:
                if (event.key == 'q' || event.key == 'Q') return false;
                follow(event.key);
                break;
            }
        }
        return false;  // nobody reads the screen any more
    }

    void follow(char key) {
        switch (key) {
        case 's':
            order_ = static_cast<TopOrder>((static_cast<uint32_t>(order_) + 1) % top_order_count);
            break;
        case 'n': order_ = TopOrder::shard; break;
        case 'c': order_ = TopOrder::connected; break;
        case 'i': order_ = TopOrder::received; break;
        case 'o': order_ = TopOrder::sent; break;
        case 'd': order_ = TopOrder::dropped; break;
        case 'p': order_ = TopOrder::cpu; break;
        default: break;
        }
    }

    HttpClient& client_;
    Terminal& terminal_;
    std::optional<TopSample> before_;
    std::optional<TopSample> now_;
    TopOrder order_ = TopOrder::shard;
    std::string trouble_;   // why now_ isn't of now
};

}  // namespace

ExitCode run_top(const TopCommand& command) {
    Target target = command.target;
    target.answer_time_max = std::chrono::seconds(2);  // the keys wait for it
    const auto client = HttpClient::open(target);
    if (!client) return complain(ExitCode::usage, client.error().message);
    if (command.once || !has_terminal()) return print_once(**client);
    const auto terminal = Terminal::open();
    if (terminal == nullptr) return print_once(**client);
    return Top(**client, *terminal).run();
}

}  // namespace millrace::remote
