#include <poll.h>

#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/prng.h"
#include "runtime/mailbox.h"

using namespace millrace;

namespace {

constexpr uint32_t ring_bytes = 4096;

std::unique_ptr<MailMesh> make_mesh(uint32_t shards = 2) {
    auto mesh = MailMesh::create(shards, ring_bytes);
    REQUIRE(mesh.has_value());
    return std::move(*mesh);
}

void post(Mailbox& mailbox, uint32_t to, std::string_view text) {
    const auto room = mailbox.reserve(to, static_cast<uint32_t>(text.size()));
    REQUIRE(room.size() == text.size());
    REQUIRE(reinterpret_cast<uint64_t>(room.data()) % 8 == 0);
    if (!text.empty()) std::memcpy(room.data(), text.data(), text.size());
    mailbox.post();
}

using Mails = std::vector<std::string>;

constexpr Instant start = Instant::at_ms(1);
constexpr Instant later = Instant::at_ms(2);

// What arrives, each with its sender in front: "0:hello".
Mails drain(Mailbox& mailbox, uint32_t bytes_max = 1 << 20, Instant now = start) {
    Mails mails;
    const uint32_t count = mailbox.drain(now, bytes_max, [&](uint32_t from, Bytes mail) {
        mails.push_back(std::to_string(from) + ":" + std::string(as_text(mail)));
    });
    CHECK(count == mails.size());
    return mails;
}

bool is_woken(const Waker& waker) {
    pollfd watched{.fd = waker.descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&watched, 1, 0) == 1;
}

}  // namespace

TEST_CASE("mailbox: mails arrive complete and in order, once flushed") {
    auto mesh = make_mesh();
    Mailbox sender(*mesh, 0);
    Mailbox receiver(*mesh, 1);
    post(sender, 1, "one");
    post(sender, 1, "");
    post(sender, 1, "three");
    CHECK(drain(receiver).empty());
    sender.flush(start);
    CHECK(drain(receiver) == Mails{"0:one", "0:", "0:three"});
    CHECK(drain(receiver).empty());
}

TEST_CASE("mailbox: the host and every other shard have a ring of their own") {
    auto mesh = make_mesh(3);
    Mailbox first(*mesh, 0);
    Mailbox second(*mesh, 1);
    Mailbox third(*mesh, 2);
    Mailbox host(*mesh, mesh->host_index());
    post(first, 2, "a");
    post(first, 1, "b");
    post(first, 2, "c");
    post(second, 2, "d");
    post(host, 2, "e");
    first.flush(start);
    second.flush(start);
    host.flush(start);
    CHECK(drain(third) == Mails{"0:a", "0:c", "1:d", "3:e"});
    CHECK(drain(second) == Mails{"0:b"});
}

TEST_CASE("mailbox: wrong sizes are refused with the accepted range") {
    CHECK(MailMesh::create(0, ring_bytes).error().code == Errc::invalid_argument);
    CHECK(MailMesh::create(2, 5000).error().code == Errc::invalid_argument);
    CHECK(MailMesh::create(2, 1024).error().message.find("4096") != std::string::npos);
}

TEST_CASE("mailbox: records of all lengths survive the wrap of the ring") {
    auto mesh = make_mesh();
    Mailbox sender(*mesh, 0);
    Mailbox receiver(*mesh, 1);
    Prng prng(11);
    for (uint32_t step = 0; step < 20'000; ++step) {
        const std::string text(prng.below(1025), static_cast<char>('a' + step % 26));
        post(sender, 1, text);
        sender.flush(start);
        REQUIRE(drain(receiver) == Mails{"0:" + text});
        REQUIRE(sender.overflow_bytes_total() == 0);
    }
}

TEST_CASE("mailbox: mails longer than a quarter of the ring arrive in order with the others") {
    auto mesh = make_mesh();
    Mailbox sender(*mesh, 0);
    Mailbox receiver(*mesh, 1);
    const std::string large(1'000'000, 'x');
    post(sender, 1, "before");
    post(sender, 1, large);
    post(sender, 1, "after");
    sender.flush(start);
    CHECK(sender.overflow_bytes(1) == 0);
    CHECK(drain(receiver, 1 << 30) == Mails{"0:before", "0:" + large, "0:after"});
}

TEST_CASE("mailbox: long mails under way are bounded; the rest counts as overflow") {
    auto mesh = make_mesh();
    Mailbox sender(*mesh, 0);
    Mailbox receiver(*mesh, 1);
    const std::string large(100'000, 'x');
    for (int count = 0; count < 3; ++count) post(sender, 1, large);
    sender.flush(start);
    CHECK(sender.overflow_bytes(1) == 2 * (large.size() + 8));
    for (int count = 0; count < 3; ++count) {
        CHECK(drain(receiver, 1 << 30).size() == 1);
        sender.flush(start);
    }
    CHECK(sender.overflow_bytes_total() == 0);
}

TEST_CASE("mailbox: what finds the ring full overflows and still arrives in order") {
    auto mesh = make_mesh();
    Mailbox sender(*mesh, 0);
    Mailbox receiver(*mesh, 1);
    Mails expected;
    for (uint32_t index = 0; index < 1000; ++index) {
        // Long ones between short ones: a short one may not overtake.
        const std::string text =
            std::string(index % 7 == 0 ? 2000 : 50, 'x') + std::to_string(index);
        post(sender, 1, text);
        expected.push_back("0:" + text);
    }
    CHECK(sender.overflow_bytes(1) > 0);
    CHECK(sender.overflow_bytes_total() == sender.overflow_bytes(1));
    Mails arrived;
    for (int round = 0; round < 1000 && arrived.size() < expected.size(); ++round) {
        sender.flush(start);
        for (std::string& mail : drain(receiver, 500)) arrived.push_back(std::move(mail));
    }
    CHECK(arrived == expected);
    CHECK(sender.overflow_bytes_total() == 0);
}

TEST_CASE("mailbox: overflow to one receiver doesn't hold up another") {
    auto mesh = make_mesh(3);
    Mailbox sender(*mesh, 0);
    Mailbox third(*mesh, 2);
    for (int count = 0; count < 100; ++count) post(sender, 1, std::string(1000, 'x'));
    post(sender, 2, "through");
    sender.flush(start);
    CHECK(sender.overflow_bytes(1) > 0);
    CHECK(sender.overflow_bytes(2) == 0);
    CHECK(drain(third) == Mails{"0:through"});
}

TEST_CASE("mailbox: a drain is bounded and goes on later") {
    auto mesh = make_mesh();
    Mailbox sender(*mesh, 0);
    Mailbox receiver(*mesh, 1);
    for (int count = 0; count < 10; ++count) post(sender, 1, std::string(92, 'x'));
    sender.flush(start);
    CHECK(drain(receiver, 300).size() == 3);
    CHECK(drain(receiver, 1).size() == 1);
    CHECK(drain(receiver).size() == 6);
}

TEST_CASE("mailbox: mails of several senders are taken in the order of their flushes") {
    auto mesh = make_mesh(3);
    Mailbox first(*mesh, 0);
    Mailbox second(*mesh, 1);
    Mailbox receiver(*mesh, 2);
    post(second, 2, "a");
    post(second, 2, "b");
    second.flush(Instant::at_ms(1));
    post(first, 2, "c");
    first.flush(Instant::at_ms(2));
    post(second, 2, "d");
    second.flush(Instant::at_ms(3));
    post(first, 2, std::string(2000, 'e'));  // a parcel
    first.flush(Instant::at_ms(4));
    const Instant now = Instant::at_ms(5);
    CHECK(drain(receiver, 1, now) == Mails{"1:a"});
    CHECK(drain(receiver, 1 << 20, now) ==
          Mails{"1:b", "0:c", "1:d", "0:" + std::string(2000, 'e')});
}

TEST_CASE("mailbox: what is flushed after a drain began waits for the next, whatever it finds") {
    auto mesh = make_mesh(3);
    Mailbox first(*mesh, 0);
    Mailbox second(*mesh, 1);
    Mailbox receiver(*mesh, 2);
    post(first, 2, "before");
    first.flush(start);
    post(first, 2, "after");
    first.flush(later);
    post(second, 2, "after too");
    second.flush(later);
    CHECK(drain(receiver, 1 << 20, start) == Mails{"0:before"});
    CHECK(!receiver.begin_sleep());
    CHECK(drain(receiver, 1 << 20, later) == Mails{"0:after", "1:after too"});
}

TEST_CASE("mailbox: a shard knows whether there's anything to flush or to drain") {
    auto mesh = make_mesh();
    Mailbox sender(*mesh, 0);
    Mailbox receiver(*mesh, 1);
    CHECK(!sender.has_posted());
    CHECK(!receiver.has_mail());
    for (int count = 0; count < 6; ++count) post(sender, 1, std::string(1000, 'x'));
    CHECK(sender.has_posted());
    CHECK(!receiver.has_mail());  // not flushed yet
    sender.flush(start);
    CHECK(receiver.has_mail());
    CHECK(sender.has_posted());  // some found no room
    CHECK(drain(receiver).size() == 4);
    CHECK(!receiver.has_mail());
    sender.flush(start);
    CHECK(!sender.has_posted());
    CHECK(drain(receiver).size() == 2);
}

TEST_CASE("mailbox: sleep is refused while mail waits, and a sleeper is woken once") {
    auto mesh = make_mesh(3);
    Mailbox sender(*mesh, 0);
    Mailbox second(*mesh, 1);
    Mailbox receiver(*mesh, 2);
    REQUIRE(receiver.begin_sleep());
    CHECK(!is_woken(mesh->waker(2)));
    post(sender, 2, "x");
    CHECK(!is_woken(mesh->waker(2)));
    sender.flush(start);
    CHECK(is_woken(mesh->waker(2)));
    mesh->waker(2).clear();
    post(second, 2, "y");
    second.flush(start);
    CHECK(!is_woken(mesh->waker(2)));  // it has been woken already
    receiver.end_sleep();
    CHECK(!receiver.begin_sleep());
    CHECK(drain(receiver) == Mails{"0:x", "1:y"});
    CHECK(receiver.begin_sleep());
    receiver.end_sleep();
}

TEST_CASE("mailbox: no one is woken who doesn't sleep") {
    auto mesh = make_mesh();
    Mailbox sender(*mesh, 0);
    Mailbox receiver(*mesh, 1);
    post(sender, 1, "x");
    sender.flush(start);
    CHECK(!is_woken(mesh->waker(1)));
    CHECK(drain(receiver).size() == 1);
}

TEST_CASE("mailbox: a sender with overflow sleeps and is woken when there's room") {
    auto mesh = make_mesh();
    Mailbox sender(*mesh, 0);
    Mailbox receiver(*mesh, 1);
    for (int count = 0; count < 6; ++count) post(sender, 1, std::string(1000, 'x'));
    CHECK(!sender.begin_sleep());  // not flushed yet
    sender.flush(start);
    REQUIRE(sender.overflow_bytes(1) > 0);
    REQUIRE(sender.begin_sleep());
    CHECK(drain(receiver).size() == 4);
    CHECK(is_woken(mesh->waker(0)));
    sender.end_sleep();
    CHECK(!sender.begin_sleep());  // there's room to use first
    sender.flush(start);
    CHECK(sender.begin_sleep());
    sender.end_sleep();
    CHECK(drain(receiver).size() == 2);
}

TEST_CASE("mailbox: mails that nobody took are freed with the mesh") {
    auto mesh = make_mesh();
    Mailbox sender(*mesh, 0);
    for (int count = 0; count < 10; ++count) post(sender, 1, std::string(3000, 'x'));
    sender.flush(start);
    post(sender, 1, "not flushed");
    CHECK(sender.reserve(1, 5000).size() == 5000);  // reserved, never posted
}
