// What the coordinator tells shards, and shards tell one another, through the mailboxes.
// Owned by: values, copied into mails byte by byte.
// Holds:    a mail begins with its kind. The coordinator is the mail mesh's host.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace millrace {

enum class LoadMailKind : uint8_t { command, progress };

enum class LoadCommandKind : uint8_t {
    open,     // open every client; `instant_ns` is when the first may start
    publish,  // phase `phase`: `messages` of all publishers together (0: until stop)
    stop,     // publish no more
    measure,  // deliveries are measured from now on
    cut,      // close all connections without a word
    leave,    // DISCONNECT
    finish,   // leave the loop
};

struct LoadCommand {
    LoadMailKind mail = LoadMailKind::command;
    LoadCommandKind kind = LoadCommandKind::open;
    uint32_t phase = 0;  // of publish; of open: the round
    uint64_t messages = 0;
    int64_t instant_ns = 0;
};

// Closed loop: all receivers of the sending shard have `publisher`'s messages below `complete`.
struct LoadProgress {
    LoadMailKind mail = LoadMailKind::progress;
    uint32_t publisher = 0;
    uint64_t complete = 0;
};

template <class Mail>
void write_mail(std::span<uint8_t> room, const Mail& mail) {
    std::memcpy(room.data(), &mail, sizeof(Mail));
}
template <class Mail>
Mail read_mail(Bytes bytes) {
    Mail mail;
    std::memcpy(&mail, bytes.data(), sizeof(Mail));
    return mail;
}

}  // namespace millrace
