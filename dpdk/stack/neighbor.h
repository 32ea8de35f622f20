// Which MAC address an IP address on the link has (ARP, RFC 826; neighbor discovery, RFC 4861):
// a bounded cache that says when to ask.
// Owned by: a stack.
// Holds:    at most `count_max` entries; the one used longest ago goes first. Only an entry that
//           we asked for, or that exists, is changed by what arrives, so that nobody fills it from
//           outside. An address that doesn't answer after three questions (1 s apart) fails, and
//           is asked anew when somebody wants it later.
// Not here: sending, which address is on the link (interface.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/hash.h"
#include "base/time.h"
#include "wire/address.h"

namespace millrace {

class NeighborTable {
public:
    struct Options {
        uint32_t count_max = 4'096;
        Duration reachable = Duration::s(60);   // then it's asked again, in use meanwhile
        Duration question_interval = Duration::s(1);
        uint32_t question_count_max = 3;
        HashKey secret;
    };
    enum class State : uint8_t { unknown, asked, known, failed };
    struct Answer {
        State state = State::unknown;
        MacAddress mac;        // with `known`
        bool ask_now = false;  // a question is due: send one (multicast or broadcast)
    };

    explicit NeighborTable(const Options& options);

    // Looks an address up for sending to it; makes an entry when there's none.
    Answer resolve(const IpAddress& address, Instant now);
    // Heard from the link. `is_answer`: it was sent to us (a reply, a solicited advertisement).
    // True when an entry was changed.
    bool learn(const IpAddress& address, const MacAddress& mac, bool is_answer, Instant now);
    // Without a trace in the cache.
    std::optional<MacAddress> peek(const IpAddress& address) const;
    uint32_t count() const { return count_; }

private:
    static constexpr uint32_t none = UINT32_MAX;

    struct Entry {
        IpAddress address;
        MacAddress mac;               // valid with `known`
        State state = State::unknown;
        uint8_t questions = 0;        // since the last answer
        Instant ask_at{};             // the next question's time
        Instant good_until{};         // valid with `known`: then it's asked again
        uint32_t next_in_bucket = none;
        uint32_t newer = none;        // by use
        uint32_t older = none;
    };

    uint32_t bucket_of(const IpAddress& address) const;
    uint32_t find(const IpAddress& address) const;
    uint32_t make(const IpAddress& address);
    void take_from_bucket(uint32_t index);
    void unlink(uint32_t index);
    void put_newest(uint32_t index);
    Answer answer_known(Entry& entry, Instant now) const;
    Answer answer_asked(Entry& entry, Instant now) const;
    static void start_questions(Entry& entry, Instant now);

    const Options options_;
    const uint32_t bucket_mask_;
    std::unique_ptr<Entry[]> entries_;      // the first count_ are in use
    std::unique_ptr<uint32_t[]> buckets_;   // first entry of each
    uint32_t count_ = 0;
    uint32_t newest_ = none;
    uint32_t oldest_ = none;
};

}  // namespace millrace
