// The packet identifiers that a publisher has in flight, and what each waits for.
// Owned by: one publishing client, on its shard.
// Holds:    an identifier is handed out again only after its flow has ended (MQTT 5.0, 2.2.1).
//           They are handed out in turn, so one that is never answered ends the sending: late
//           acknowledgements are to be seen, not worked around.
#pragma once

#include <cstdint>
#include <vector>

namespace millrace {

class PacketWindow {
public:
    enum class Step : uint8_t { idle, puback, pubrec, pubcomp };

    // At most that many in flight; forgets what was.
    void reset(uint32_t flight_max) {
        steps_.assign(flight_max, Step::idle);
        next_ = 0;
    }
    bool can_take() const { return !steps_.empty() && steps_[next_] == Step::idle; }
    // The next identifier, waiting for `step` from now on. Only when can_take().
    uint16_t take(Step step) {
        steps_[next_] = step;
        const uint32_t taken = next_;
        next_ = next_ + 1 == steps_.size() ? 0 : next_ + 1;
        return static_cast<uint16_t>(taken + 1);
    }
    // Undoes the latest take(): its packet wasn't sent.
    void put_back() {
        next_ = (next_ == 0 ? static_cast<uint32_t>(steps_.size()) : next_) - 1;
        steps_[next_] = Step::idle;
    }
    // Moves `id` on when it waits for `from`; false when it doesn't.
    bool move(uint16_t id, Step from, Step to) {
        if (id == 0 || id > steps_.size() || steps_[id - 1u] != from) return false;
        steps_[id - 1u] = to;
        return true;
    }

private:
    std::vector<Step> steps_;  // of identifier index + 1
    uint32_t next_ = 0;
};

}  // namespace millrace
