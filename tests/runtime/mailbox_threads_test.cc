// Mailboxes between real threads: run these under ThreadSanitizer too.
#include <poll.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "base/prng.h"
#include "runtime/clock.h"
#include "runtime/mailbox.h"

using namespace millrace;

namespace {

// One shard of the test: sleeps whenever it may, as the loop does.
class Peer {
public:
    Peer(MailMesh& mesh, uint32_t self, uint64_t mails_to_send)
        : mesh_(mesh), mailbox_(mesh, self), prng_(self + 1), left_(mails_to_send) {}

    void run(uint64_t mails_to_receive) {
        while (received_ < mails_to_receive || left_ > 0 || mailbox_.overflow_bytes_total() > 0) {
            turn();
            if (left_ == 0 || prng_.below(4) == 0) sleep();
        }
    }

    uint64_t received() const { return received_; }
    uint64_t wrong() const { return wrong_; }
    uint64_t lost_wakes() const { return lost_wakes_; }

private:
    void turn() {
        mailbox_.drain(monotonic_now(), 64 * 1024,
                       [&](uint32_t from, Bytes mail) { check(from, mail); });
        const uint32_t burst = prng_.below(64);
        for (uint32_t count = 0; count < burst && left_ > 0; ++count) send();
        mailbox_.flush(monotonic_now());
    }

    void send() {
        const uint32_t to = mailbox_.self() == 0 ? 1 : 0;
        const bool is_large = prng_.below(100) == 0;
        const uint32_t bytes = 8 + prng_.below(is_large ? 20'000 : 300);
        const auto room = mailbox_.reserve(to, bytes);
        const uint64_t sequence = sent_++;
        std::memcpy(room.data(), &sequence, sizeof(sequence));
        std::memset(room.data() + 8, static_cast<int>(sequence & 0xff), bytes - 8);
        mailbox_.post();
        --left_;
    }

    void check(uint32_t from, Bytes mail) {
        uint64_t sequence = 0;
        std::memcpy(&sequence, mail.data(), sizeof(sequence));
        if (from == mailbox_.self() || sequence != received_) ++wrong_;
        for (const uint8_t byte : mail.subspan(8)) {
            if (byte != static_cast<uint8_t>(sequence & 0xff)) ++wrong_;
        }
        ++received_;
    }

    void sleep() {
        if (!mailbox_.begin_sleep()) return;
        Waker& waker = mesh_.waker(mailbox_.self());
        pollfd watched{.fd = waker.descriptor(), .events = POLLIN, .revents = 0};
        // Nothing else wakes a peer: running into the time-out is a wake-up lost, unless the
        // other side simply had nothing to say for that long.
        const bool woken = ::poll(&watched, 1, 2000) == 1;
        mailbox_.end_sleep();
        if (woken)
            waker.clear();
        else if (!mailbox_.begin_sleep())
            ++lost_wakes_;
        else
            mailbox_.end_sleep();
    }

    MailMesh& mesh_;
    Mailbox mailbox_;
    Prng prng_;
    uint64_t left_;
    uint64_t sent_ = 0;
    uint64_t received_ = 0;
    uint64_t wrong_ = 0;
    uint64_t lost_wakes_ = 0;
};

}  // namespace

TEST_CASE("mailbox: two threads exchange mails, sleeping and overflowing, and lose nothing") {
    constexpr uint64_t mails = 100'000;
    auto mesh = MailMesh::create(2, 16 * 1024);
    REQUIRE(mesh.has_value());
    Peer first(**mesh, 0, mails);
    Peer second(**mesh, 1, mails);
    std::thread thread([&] { second.run(mails); });
    first.run(mails);
    thread.join();
    CHECK(first.received() == mails);
    CHECK(second.received() == mails);
    CHECK(first.wrong() == 0);
    CHECK(second.wrong() == 0);
    CHECK(first.lost_wakes() == 0);
    CHECK(second.lost_wakes() == 0);
}

TEST_CASE("mailbox: a host thread reaches a sleeping shard with every single mail") {
    constexpr uint64_t mails = 20'000;
    auto mesh = MailMesh::create(1, 4096);
    REQUIRE(mesh.has_value());
    std::atomic<uint64_t> taken{0};
    uint64_t lost_wakes = 0;
    std::thread shard([&] {
        Mailbox mailbox(**mesh, 0);
        Waker& waker = (*mesh)->waker(0);
        while (taken.load() < mails) {
            if (mailbox.begin_sleep()) {
                pollfd watched{.fd = waker.descriptor(), .events = POLLIN, .revents = 0};
                if (::poll(&watched, 1, 5000) == 1)
                    waker.clear();
                else
                    ++lost_wakes;
                mailbox.end_sleep();
            }
            mailbox.drain(monotonic_now(), 1 << 20, [&](uint32_t, Bytes) { taken.fetch_add(1); });
        }
    });
    Mailbox host(**mesh, (*mesh)->host_index());
    for (uint64_t sent = 1; sent <= mails; ++sent) {
        host.reserve(0, 16);
        host.post();
        host.flush(monotonic_now());
        // In lock step, so that the shard goes to sleep again and again at this very moment.
        while (taken.load() < sent && sent % 2 == 0) std::this_thread::yield();
    }
    while (host.overflow_bytes_total() > 0) host.flush(monotonic_now());
    shard.join();
    CHECK(taken.load() == mails);
    CHECK(lost_wakes == 0);
}

TEST_CASE("mailbox: a mail that follows from another shard's arrives after it") {
    constexpr uint64_t mails = 20'000;
    auto mesh = MailMesh::create(3, 1024 * 1024);
    REQUIRE(mesh.has_value());
    const auto send = [](Mailbox& mailbox, uint64_t number) {
        std::memcpy(mailbox.reserve(2, sizeof(number)).data(), &number, sizeof(number));
        mailbox.post();
        mailbox.flush(monotonic_now());
    };
    // As clients do it: one's publish is acknowledged once its mail is flushed, and then another
    // client, on a shard that the receiver looks at earlier, acts on that.
    std::atomic<uint64_t> acknowledged{0};
    std::thread cause([&] {
        Mailbox mailbox(**mesh, 1);
        for (uint64_t number = 1; number <= mails; ++number) {
            send(mailbox, number);
            acknowledged.store(number);
            if (number % 16 == 0) std::this_thread::yield();
        }
    });
    std::thread effect([&] {
        Mailbox mailbox(**mesh, 0);
        for (uint64_t seen = 0; seen < mails;) {
            const uint64_t newest = acknowledged.load();
            if (newest != seen) send(mailbox, newest);
            seen = newest;
        }
    });
    Mailbox receiver(**mesh, 2);
    uint64_t caused = 0;
    uint64_t followed = 0;
    uint64_t too_early = 0;
    while (followed < mails) {
        receiver.drain(monotonic_now(), 1 << 20, [&](uint32_t from, Bytes mail) {
            uint64_t& newest = from == 1 ? caused : followed;
            std::memcpy(&newest, mail.data(), sizeof(newest));
            if (followed > caused) ++too_early;
        });
    }
    cause.join();
    effect.join();
    CHECK(caused == mails);
    CHECK(too_early == 0);
}
