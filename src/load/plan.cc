#include "load/plan.h"

#include <algorithm>
#include <string>

#include "base/assert.h"
#include "load/payload.h"

namespace millrace {
namespace {

uint32_t digits_of(uint32_t value) {
    uint32_t count = 1;
    for (; value >= 10; value /= 10) ++count;
    return count;
}

// Opening all connections: at the rate that was asked for, or a generous millisecond each.
Duration opening_duration(const LoadPlan& plan) {
    const LoadOptions& options = plan.options;
    const uint32_t rounds = options.mode == LoadMode::storm ? options.storm_round_count : 1;
    const int64_t connections = int64_t{plan.client_count()} * rounds;
    if (options.connect_rate == 0) return Duration::ms(connections);
    return Duration::s(connections / options.connect_rate + 1);
}

// What comes after, without the minute on top. A closed loop without a time has no pace that
// could be known before; ten minutes catch one that hangs.
Duration expected_duration(const LoadOptions& options) {
    const bool messages = options.mode != LoadMode::connect && options.mode != LoadMode::storm;
    if (!messages || options.message_count == 0) return options.duration + options.duration / 10;
    Duration expected = Duration::s(600);
    if (options.rate != 0) {
        const uint64_t warmup = options.warmup_count.value_or(options.message_count / 10);
        expected = Duration::s(
            static_cast<int64_t>((options.message_count + warmup) / options.rate + 1));
    }
    if (options.duration > Duration::s(0)) expected = std::min(expected, options.duration * 2);
    return expected + options.drain_timeout;
}

}  // namespace

void NameBuffer::append(std::string_view text) {
    MR_ASSERT(used_ + text.size() <= bytes_.size());
    std::copy(text.begin(), text.end(), bytes_.begin() + used_);
    used_ += static_cast<uint32_t>(text.size());
}

void NameBuffer::append_padded(uint32_t number, uint32_t digit_count) {
    digit_count = std::max(digit_count, digits_of(number));
    MR_ASSERT(used_ + digit_count <= bytes_.size());
    for (uint32_t place = digit_count; place-- > 0; number /= 10) {
        bytes_[used_ + place] = static_cast<char>('0' + number % 10);
    }
    used_ += digit_count;
}

LoadPlan LoadPlan::make(const LoadOptions& options, uint32_t run_id) {
    LoadPlan plan;
    plan.options = options;
    plan.options.shard_count = std::max<uint32_t>(1, options.shard_count);
    plan.run_id = run_id;
    if (options.mode == LoadMode::connect || options.mode == LoadMode::storm) {
        plan.subscriber_count = options.connection_count;
    } else {
        plan.subscriber_count = options.subscriber_count;
        plan.publisher_count = options.publisher_count;
        plan.warmup_messages = options.warmup_count.value_or(options.message_count / 10);
        if (options.message_count == 0 && !options.warmup_count) {
            plan.warmup_duration = options.duration / 10;
        }
    }
    plan.run_timeout = options.run_timeout > Duration::s(0)
                           ? options.run_timeout
                           : opening_duration(plan) + expected_duration(options) +
                                 Duration::s(60);
    return plan;
}

std::optional<Error> LoadPlan::fault() const {
    const auto refuse = [](std::string why) {
        return Error{Errc::invalid_argument, std::move(why)};
    };
    if (client_count() == 0) return refuse("no clients: at least one connection is needed");
    if (options.topic.empty() || options.topic.size() > 256) {
        return refuse("topic: 1 to 256 bytes are accepted");
    }
    if (options.client_id_prefix.size() > 64) return refuse("client id prefix: at most 64 bytes");
    const bool messages = options.mode != LoadMode::connect && options.mode != LoadMode::storm;
    if (!messages) return std::nullopt;
    if (subscriber_count == 0 || publisher_count == 0) {
        return refuse("publishers and subscribers: at least one of each is needed");
    }
    if (options.mode == LoadMode::pair && subscriber_count != publisher_count) {
        return refuse("pair: as many publishers as subscribers are needed");
    }
    if (options.message_count == 0 && options.duration <= Duration::s(0)) {
        return refuse("messages or duration: one of them has to end the run");
    }
    if (options.payload_bytes < PayloadStamp::bytes_min) {
        return refuse("payload: at least 16 bytes are needed for its stamp");
    }
    if (options.payload_bytes < PayloadStamp::wide_bytes && publisher_count > 65'536) {
        return refuse("payload: with more than 65536 publishers at least 24 bytes are needed");
    }
    if (options.rate == 0 && (options.window_count == 0 || options.window_count > 65'536)) {
        return refuse("window: 1 to 65536 messages are accepted");
    }
    constexpr uint64_t slots_max = uint64_t{1} << 26;  // 16 bytes each
    if (uint64_t{subscriber_count} * publishers_heard() > slots_max) {
        return refuse("publishers times subscribers: at most 67108864 can be followed");
    }
    constexpr uint64_t counts_max = uint64_t{1} << 28;  // 4 bytes each, on every shard
    if (closed_loop() && uint64_t{publisher_count} * options.window_count > counts_max) {
        return refuse("publishers times window: at most 268435456 can be followed");
    }
    return std::nullopt;
}

void LoadPlan::client_id(NameBuffer& out, uint32_t client) const {
    const uint32_t used = static_cast<uint32_t>(options.client_id_prefix.size()) + 1;
    out.append(options.client_id_prefix);
    out.append("-");
    out.append_padded(client, used + index_digit_count > client_id_bytes ? index_digit_count
                                                                         : client_id_bytes - used);
}

void LoadPlan::publish_topic(NameBuffer& out, uint32_t publisher) const {
    out.append(options.topic);
    if (options.mode == LoadMode::fanout) return;
    out.append("/");
    out.append_padded(publisher, index_digit_count);
}

void LoadPlan::subscribe_filter(NameBuffer& out, uint32_t subscriber) const {
    out.append(options.topic);
    if (options.mode == LoadMode::fanout) return;
    out.append("/");
    if (options.mode == LoadMode::fanin) out.append("+");
    else out.append_padded(subscriber, index_digit_count);
}

}  // namespace millrace
