// Posting mail to any shard, this one included: what a shard says to itself is handled at once, so
// that code for "the home shard" needs no second path.
// Owned by: the shard's Broker, which is the handler.
// Holds:    post() may call back into the handler: call it last, with your own state in order.
#pragma once

#include <functional>
#include <vector>

#include "broker/mail.h"

namespace millrace {

class PostOffice {
public:
    using Handler = std::function<void(uint32_t from, Bytes mail)>;
    PostOffice(Mailbox& mailbox, Handler handler)
        : mailbox_(mailbox), handler_(std::move(handler)) {}

    template <class Mail>
    void post(uint32_t to, const Mail& mail, Bytes rest = {}) {
        if (to != mailbox_.self()) {
            const std::span<uint8_t> room = begin_mail(mailbox_, to, mail, rest.size());
            if (!rest.empty()) std::memcpy(room.data(), rest.data(), rest.size());
            mailbox_.post();
            return;
        }
        std::vector<uint8_t> copy(sizeof(Mail) + rest.size());
        std::memcpy(copy.data(), &mail, sizeof(Mail));
        if (!rest.empty()) std::memcpy(copy.data() + sizeof(Mail), rest.data(), rest.size());
        handler_(to, copy);
    }
    template <class Mail>
    void post_text(uint32_t to, const Mail& mail, std::string_view text) {
        post(to, mail, as_bytes(text));
    }
    uint32_t self() const { return mailbox_.self(); }
    uint32_t shard_count() const { return mailbox_.shard_count(); }

private:
    Mailbox& mailbox_;
    Handler handler_;
};

}  // namespace millrace
