#include "server/service_watch.h"

#include "base/log.h"
#include "runtime/clock.h"
#include "server/notify.h"

namespace millrace {

ServiceWatch::ServiceWatch(Server& server) : server_(server) {
    const std::optional<Duration> timeout = watchdog_timeout();
    if (!timeout) return;
    server_.ask_shards();
    watchdog_.emplace(*timeout, monotonic_now());
}

Instant ServiceWatch::next_look() const {
    return watchdog_ ? watchdog_->next_look() : Instant::never();
}

void ServiceWatch::look_if_due() {
    const Instant now = monotonic_now();
    if (now < next_look()) return;
    const Watchdog::Verdict verdict = watchdog_->look(now, server_.silent_shards());
    for (const auto& shard : verdict.silent) {
        log_warning("shard silent", field("shard", shard.index),
                    field("silent_ms", shard.silent.to_ms()));
    }
    for (const auto& shard : verdict.answered) {
        log_info("shard answers again", field("shard", shard.index),
                 field("silent_ms", shard.silent.to_ms()));
    }
    if (!verdict.is_alive) return;
    notify_alive();
    server_.ask_shards();
}

}  // namespace millrace
