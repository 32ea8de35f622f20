#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "broker/registrar.h"
#include "shard_fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

// Shard 0 is the home of every id here; it and shard 1 claim. What the registrar says is noted.
struct RegistrarFixture {
    RegistrarFixture()
        : home(*mesh, 0),
          other(*mesh, 1),
          post(home.mailbox, [this](uint32_t, Bytes mail) { note(0, mail); }),
          registrar(post, home.ledger) {}

    void note(uint32_t to, Bytes mail) {
        Bytes rest;
        switch (kind_of(mail)) {
        case MailKind::claim_granted:
            said.push_back("granted " + std::to_string(to) + " " +
                           std::to_string(read_mail<ClaimAnswerMail>(mail, rest).ticket));
            if (!is_done_at_once) return;
            depth_max = std::max(depth_max, ++depth);
            done(to);
            --depth;
            return;
        case MailKind::claim_refused:
            said.push_back("refused");
            return;
        case MailKind::yield: {
            const ClaimMail yield = read_mail<ClaimMail>(mail, rest);
            said.push_back("yield " + std::to_string(to) + " for " +
                           std::to_string(yield.claimant) + " " + std::string(as_text(rest)));
            return;
        }
        default:
            said.push_back("unexpected");
        }
    }
    // Everything said since the last call, in order for each receiver.
    std::vector<std::string> take() {
        home.mailbox.flush(home.context.now);
        other.mailbox.drain(home.context.now, UINT32_MAX,
                            [this](uint32_t, Bytes mail) { note(1, mail); });
        return std::exchange(said, {});
    }

    static std::vector<uint8_t> mail_of(const ClaimMail& mail, std::string_view id) {
        std::vector<uint8_t> bytes(sizeof(mail) + id.size());
        std::memcpy(bytes.data(), &mail, sizeof(mail));
        std::memcpy(bytes.data() + sizeof(mail), id.data(), id.size());
        return bytes;
    }
    void claim(uint32_t claimant, uint32_t ticket, uint64_t hash = 10) {
        registrar.on_claim(mail_of({MailKind::claim, false, false, claimant, ticket, hash}, "id"));
    }
    void done(uint32_t claimant, uint64_t hash = 10, bool still_known = true) {
        registrar.on_claim_done(
            mail_of({MailKind::claim_done, false, still_known, claimant, 0, hash}, "id"));
    }
    void ended(uint32_t from, bool still_known = false, uint64_t hash = 10) {
        registrar.on_session_ended(
            from, mail_of({MailKind::session_ended, false, still_known, from, 0, hash}, "id"));
    }

    std::unique_ptr<MailMesh> mesh = make_mesh(2);
    Shard home;
    Shard other;
    std::vector<std::string> said;
    bool is_done_at_once = false;   // a claimant here says `claim_done` within the answer
    uint32_t depth = 0;
    uint32_t depth_max = 0;
    PostOffice post;
    Registrar registrar;
};

using Said = std::vector<std::string>;

}  // namespace

TEST_CASE("registrar: the first claim of an id is granted at once") {
    RegistrarFixture fixture;
    fixture.claim(1, 7);
    CHECK(fixture.take() == Said{"granted 1 7"});
    fixture.done(1);
    CHECK(fixture.take().empty());
}

TEST_CASE("registrar: a second claim waits until the first is done, then asks the holder") {
    RegistrarFixture fixture;
    fixture.claim(1, 7);
    fixture.claim(0, 8);
    CHECK(fixture.take() == Said{"granted 1 7"});
    CHECK(fixture.home.objects("session claims") == 1);
    fixture.done(1);
    CHECK(fixture.home.bytes("session claims") == 0);
    CHECK(fixture.take() == Said{"yield 1 for 0 id"});
    fixture.registrar.on_yield_done(
        1, RegistrarFixture::mail_of({MailKind::yield_done, false, false, 0, 8, 10}, "id"));
    fixture.done(0);
    // Shard 0 holds it alone now: its next claim needs nobody.
    fixture.claim(0, 9);
    CHECK(fixture.take() == Said{"granted 0 9"});
}

TEST_CASE("registrar: claims of different ids don't wait for each other") {
    RegistrarFixture fixture;
    fixture.claim(1, 1, 10);
    fixture.claim(1, 2, 11);
    fixture.claim(0, 3, 12);
    CHECK(fixture.take().size() == 3);
}

TEST_CASE("registrar: a session that has ended is asked for no more") {
    RegistrarFixture fixture;
    fixture.claim(1, 1);
    fixture.done(1);
    fixture.ended(1);
    fixture.take();
    fixture.claim(0, 2);
    CHECK(fixture.take() == Said{"granted 0 2"});
}

TEST_CASE("registrar: a holder that still knows the hash stays registered") {
    RegistrarFixture fixture;
    fixture.claim(1, 1);
    fixture.done(1);
    fixture.ended(1, true);
    fixture.take();
    fixture.claim(0, 2);
    CHECK(fixture.take() == Said{"yield 1 for 0 id"});
}

TEST_CASE("registrar: many claims of one id are served one after the other, in order") {
    RegistrarFixture fixture;
    for (uint32_t ticket = 1; ticket <= 5; ++ticket) fixture.claim(1, ticket);
    for (uint32_t ticket = 1; ticket <= 5; ++ticket) {
        CHECK(fixture.take() == Said{"granted 1 " + std::to_string(ticket)});
        fixture.done(1);
    }
    CHECK(fixture.take().empty());
    fixture.done(1);  // one too many does no harm
}

TEST_CASE("registrar: a claimant whose older session ends meanwhile stays registered") {
    RegistrarFixture fixture;
    fixture.claim(1, 1);
    fixture.ended(1);   // sent before it had the answer
    fixture.done(1);
    fixture.take();
    fixture.claim(0, 2);
    CHECK(fixture.take() == Said{"yield 1 for 0 id"});
}

TEST_CASE("registrar: a claim that led to no session leaves nothing behind") {
    RegistrarFixture fixture;
    fixture.claim(1, 1);
    fixture.done(1, 10, false);
    fixture.take();
    fixture.claim(0, 2);
    CHECK(fixture.take() == Said{"granted 0 2"});
}

TEST_CASE("registrar: the next claim waits for the holder's answer too") {
    RegistrarFixture fixture;
    fixture.claim(1, 1);
    fixture.done(1);
    fixture.claim(0, 2);
    fixture.claim(1, 3);
    fixture.take();
    fixture.done(0);    // it has the session; the old holder's word is still on its way
    CHECK(fixture.take().empty());
    fixture.registrar.on_yield_done(
        1, RegistrarFixture::mail_of({MailKind::yield_done, false, false, 0, 2, 10}, "id"));
    CHECK(fixture.take() == Said{"yield 0 for 1 id"});
}

TEST_CASE("registrar: a long queue of claims by its own shard is no deep recursion") {
    RegistrarFixture fixture;
    fixture.claim(1, 1);
    for (uint32_t ticket = 2; ticket <= 10'001; ++ticket) fixture.claim(0, ticket);
    fixture.take();
    fixture.is_done_at_once = true;
    fixture.done(1, 10, false);
    CHECK(fixture.take().size() == 10'000);
    CHECK(fixture.depth_max <= 2);
    fixture.claim(0, 10'002);
    CHECK(fixture.take() == Said{"granted 0 10002"});
}
