#include "admin/loop_json.h"

#include <chrono>
#include <iterator>

#include <fmt/format.h>

#include "base/json_line.h"
#include "broker/mail.h"
#include "broker/mqtt_connection.h"
#include "net/transport.h"
#include "runtime/clock.h"

namespace millrace {
namespace {

std::string_view phase_name(LoopPhase phase) {
    switch (phase) {
    case LoopPhase::events: return "events";
    case LoopPhase::mail:   return "mail";
    case LoopPhase::timers: return "timers";
    case LoopPhase::admin:  return "admin";
    case LoopPhase::flush:  return "flush";
    }
    return "unknown";
}

std::string_view event_name(uint8_t kind) {
    switch (static_cast<Event::Kind>(kind)) {
    case Event::Kind::accepted:  return "accepted";
    case Event::Kind::connected: return "connected";
    case Event::Kind::received:  return "received";
    case Event::Kind::drained:   return "drained";
    case Event::Kind::closed:    return "closed";
    }
    return "unknown";
}

std::string_view mail_name(uint8_t kind) {
    switch (static_cast<MailKind>(kind)) {
    case MailKind::publish:       return "publish";
    case MailKind::deliver:       return "deliver";
    case MailKind::interest:      return "interest";
    case MailKind::replicate:     return "replicate";
    case MailKind::members:       return "members";
    case MailKind::retained:      return "retained";
    case MailKind::acknowledged:  return "acknowledged";
    case MailKind::claim:         return "claim";
    case MailKind::claim_granted: return "claim_granted";
    case MailKind::claim_refused: return "claim_refused";
    case MailKind::claim_done:    return "claim_done";
    case MailKind::session_ended: return "session_ended";
    case MailKind::yield:         return "yield";
    case MailKind::yield_done:    return "yield_done";
    case MailKind::move_state:    return "move_state";
    case MailKind::move_interest: return "move_interest";
    case MailKind::move_marker:   return "move_marker";
    case MailKind::move_rest:     return "move_rest";
    case MailKind::drain_mark:    return "drain_mark";
    }
    return "unknown";
}

std::string_view timer_name(uint8_t kind) {
    switch (static_cast<TimerKind>(kind)) {
    case TimerKind::connection:    return "connection";
    case TimerKind::session:       return "session";
    case TimerKind::system_topics: return "system_topics";
    case TimerKind::drain:         return "drain";
    case TimerKind::traces:        return "traces";
    }
    return kind == 0 ? "shard" : "unknown";
}

void append(std::string& text, uint32_t count, std::string_view one, std::string_view last) {
    if (count == 0) return;
    fmt::format_to(std::back_inserter(text), "{}{} {}{}, the last: {}", text.empty() ? "" : "; ",
                   count, one, count == 1 ? "" : "s", last);
}

std::string stall_json(const std::optional<Stall>& stall, const WallTime& now) {
    if (!stall) return "null";
    JsonLine line;
    line.add("us", stall->length.to_us());
    line.add_decimal("time", now.of(stall->ended));
    line.add_text("phase", phase_name(stall->phase));
    line.add_text("what", stall_text(*stall));
    return line.object();
}

}  // namespace

// A part of a unit counts as a whole one, as in the histogram itself: so the largest value is never
// past its counter's bound.
std::string histogram_json(const HistogramView& view, uint64_t unit_values) {
    const uint64_t max = (view.max + unit_values - 1) / unit_values;
    std::string buckets;
    for (const HistogramView::Bucket& bucket : view.buckets) {
        if (bucket.count == 0) continue;
        const bool is_last = &bucket == &view.buckets.back();  // which takes whatever is past it
        fmt::format_to(std::back_inserter(buckets), "{}[{},{}]", buckets.empty() ? "" : ",",
                       is_last ? std::max(bucket.bound, max) : bucket.bound, bucket.count);
    }
    JsonLine line;
    line.add("count", view.count());
    line.add("sum", view.sum / unit_values);
    line.add("max", max);
    line.add("buckets", "[" + buckets + "]");
    return line.object();
}

std::string loop_json(const LoopFigures& loop, const WallTime& now) {
    const HistogramView turn = loop.turn.view();
    JsonLine line;
    line.add("turns", loop.turns.read());
    line.add("busy_turns", turn.count());
    line.add("sleeps", loop.sleeps.read());
    line.add_decimal("busy_seconds", static_cast<double>(turn.sum) / 1e9, 6);
    line.add("turn_us", histogram_json(turn, 1'000));
    line.add("events_per_turn", histogram_json(loop.events.view(), 1));
    line.add("mails_per_turn", histogram_json(loop.mails.view(), 1));
    line.add("longest_stall", stall_json(loop.longest.read(), now));
    line.add("longest_stall_recent", stall_json(recent_stall(loop), now));
    return line.object();
}

std::string delivery_json(const DurationHistogram& delivery) {
    return histogram_json(delivery.view(), 1'000);
}

std::optional<Stall> recent_stall(const LoopFigures& loop) {
    const std::optional<Stall> current = loop.longest_current.read();
    const std::optional<Stall> previous = loop.longest_previous.read();
    if (!current || (previous && previous->length > current->length)) return previous;
    return current;
}

std::string stall_text(const Stall& stall) {
    std::string text;
    append(text, stall.events, "event", event_name(stall.event_kind));
    append(text, stall.mails, "mail", mail_name(stall.mail_kind));
    append(text, stall.timers, "timer", timer_name(stall.timer_kind));
    return text.empty() ? "no event, mail or timer" : text;
}

}  // namespace millrace
