// What shards say to each other.
// Owned by: the grammar; bytes live in the mailbox. Both ends are this process, so a mail is a
//           plain struct with its variable part behind it.
// Holds:    every struct begins with its kind; texts and messages follow the struct in the order
//           that its comment gives.
// Not here: sending (router.h, registrar.h, broker_move.cc).
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/time.h"
#include "broker/drain_marks.h"
#include "runtime/mailbox.h"

namespace millrace {

enum class MailKind : uint8_t {
    publish,            // to the topic's home: route it
    deliver,            // from the home: subscribers here want it
    interest,           // to an exact filter's home: this shard has subscribers, or none any more
    replicate,          // to all: this shard has plain subscribers of a wildcard filter, or none
    members,            // to all: how many members of a shared group are connected here
    retained,           // to a subscriber's shard: one retained message
    acknowledged,       // to a subscriber's shard: interest or replicate has been done
    claim,              // to a client id's home: this client connects here
    claim_granted,      // from it: no other shard has a session of it
    claim_refused,      // from it: no memory to register the session
    claim_done,         // to it: the next claim of this id may go on
    session_ended,      // to it: the session is gone
    yield,              // from it to the holder: give the session up
    yield_done,         // from the holder to it
    move_state,         // from the holder to the new shard: the session as it is
    move_interest,      // from the new shard to all: deliver here from now on, and tell the holder
    move_marker,        // from all to the holder: nothing will come for it any more
    move_rest,          // from the holder to the new shard: what waits and what is in flight
    drain_mark,         // of a draining shard, through all (drain_marks.h)
};

struct PublishMail {     // then: group_count ids of shared groups (uint64_t), the canonical message
    MailKind kind;       // publish or deliver
    uint8_t groups_only; // deliver: 1: plain subscribers have had it
    uint16_t group_count;
    uint32_t canonical_bytes;
    Instant expires;
    uint64_t topic_hash;
    uint64_t publisher;
    Instant received;
};

struct InterestMail {    // then: the filter's text
    MailKind kind;
    bool present;
    bool wants_retained;
    uint8_t unused;
    uint32_t request;    // 0: no answer wanted
    uint64_t hash;
};

struct ReplicateMail {   // then: the filter's text
    MailKind kind;
    bool present;
    bool wants_retained;
    uint8_t unused;
    uint32_t request;    // 0: no answer wanted
};

struct MembersMail {     // then: the shared filter's text
    MailKind kind;
    bool present;
    uint16_t unused;
    uint32_t connected;
    uint32_t request;    // 0: no answer wanted
};

struct RetainedMail {    // then: the canonical message
    MailKind kind;
    uint32_t request;
    Instant expires;
    uint64_t publisher;
};

struct AcknowledgedMail {
    MailKind kind;
    uint32_t request;
};

struct ClaimMail {       // claim, claim_done, session_ended, yield, yield_done; then: the client id
    MailKind kind;
    bool clean_start;    // claim, yield
    bool still_known;    // yield_done: another session here has that hash
    uint32_t claimant;   // claim, yield: the shard
    uint32_t ticket;     // claim, yield: the claimant's
    uint64_t hash;
};

struct ClaimAnswerMail { // claim_granted, claim_refused
    MailKind kind;
    uint32_t ticket;
};

struct MoveMail {        // move_state, move_interest, move_marker, move_rest; then: see broker_move.cc
    MailKind kind;
    bool found;          // move_state: there was a session to move
    uint16_t unused;
    uint32_t ticket;     // move_state: the claimant's
    uint32_t holder;     // the shard that the session leaves
    uint32_t move;       // the holder's number for this move
};

struct DrainMarkMail {
    MailKind kind;
    DrainMarks::Stage stage;
    uint16_t unused;
    uint32_t origin;     // the shard that drains
};

inline MailKind kind_of(Bytes mail) {
    MR_ASSERT(!mail.empty());
    return static_cast<MailKind>(mail[0]);
}

// The struct at the front, and what stands behind it.
template <class Mail>
Mail read_mail(Bytes bytes, Bytes& rest) {
    static_assert(std::is_trivially_copyable_v<Mail>);
    MR_ASSERT(bytes.size() >= sizeof(Mail));
    Mail mail;
    std::memcpy(&mail, bytes.data(), sizeof(Mail));
    rest = bytes.subspan(sizeof(Mail));
    return mail;
}

// Reserves a mail and writes its struct; returns the room behind it. Call mailbox.post() when
// that is filled.
template <class Mail>
std::span<uint8_t> begin_mail(Mailbox& mailbox, uint32_t to, const Mail& mail, size_t rest_bytes) {
    static_assert(std::is_trivially_copyable_v<Mail>);
    const std::span<uint8_t> room =
        mailbox.reserve(to, static_cast<uint32_t>(sizeof(Mail) + rest_bytes));
    std::memcpy(room.data(), &mail, sizeof(Mail));
    return room.subspan(sizeof(Mail), rest_bytes);
}

template <class Mail>
void post_mail(Mailbox& mailbox, uint32_t to, const Mail& mail, std::string_view text = {}) {
    MR_ASSERT(text.size() <= UINT16_MAX);  // filters and client ids are MQTT strings
    const std::span<uint8_t> rest = begin_mail(mailbox, to, mail, text.size());
    ByteWriter(rest).text(text);
    mailbox.post();
}

}  // namespace millrace
