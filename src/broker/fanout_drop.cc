// Messages that don't reach their receiver, or not yet: who is told. All of it rare.
#include "base/probes.h"
#include "broker/fanout.h"
#include "broker/tracer.h"

namespace millrace {

namespace {

struct Fate {
    Counter BrokerCounters::*counter;
    const char* name;
    bool is_slow;  // for the list of slow receivers
};

constexpr Fate fates[] = {
    {&BrokerCounters::dropped_slow_receiver, "slow_receiver", true},
    {&BrokerCounters::dropped_queue_full, "queue_full", true},
    {&BrokerCounters::dropped_too_large, "too_large", false},
    {&BrokerCounters::dropped_expired, "expired", false},
    {&BrokerCounters::dropped_exhausted, "exhausted", false},
};

}  // namespace

void Fanout::drop(const Session& session, Drop why, std::string_view topic) {
    const Fate& fate = fates[static_cast<uint8_t>(why)];
    (context_.counters.*fate.counter).add();
    MR_PROBE(drop, fate.name, session.client_id().data(), topic.data(),
             topic.size());
    if (fate.is_slow && context_.top_lists != nullptr) {
        context_.top_lists->on_trouble(context_.now, session.hash, session.client_id(),
                                       TopLists::Trouble::dropped);
    }
    if (session.is_traced) context_.tracer->on_message(session, TraceKind::dropped, topic, fate.name);
}

// It waits for its receiver, which is connected.
void Fanout::note_waits(const Session& session) {
    if (context_.top_lists == nullptr) return;
    context_.top_lists->on_trouble(context_.now, session.hash, session.client_id(),
                                   TopLists::Trouble::waits);
}

}  // namespace millrace
