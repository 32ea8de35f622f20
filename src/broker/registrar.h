// Which shard holds the session of a client id: the home shard of the id's hash decides alone, so
// that two clients with one id can't both win (takeover, MQTT 5.0, 3.1.4).
// Owned by: the shard's Broker; used with more than one shard.
// Holds:    claims of one hash are handled one after the other: the next starts when the claimant
//           has said `claim_done`, and the holder, if one was asked, `yield_done`. While a claim is
//           at work only `claim_done` tells whether the claimant holds a session: it may say
//           `session_ended` of an older one that ended after the claim was sent.
//
//   claimant ── claim ──► home ── granted ─────────────────────► claimant ── done ──► home
//                           └──── yield ──► holder ── move_state ──► claimant ...
//                                              └─── yield_done ──► home
// Not here: the sessions themselves (broker_connect.cc, broker_move.cc).
#pragma once

#include <deque>
#include <string>
#include <unordered_map>

#include "broker/post_office.h"
#include "broker/shards_by_hash.h"

namespace millrace {

class Registrar {
public:
    Registrar(PostOffice& post, Ledger& ledger)
        : post_(post), holders_(ledger, "session holders"), line_(ledger.line("session claims")) {}

    void on_claim(Bytes mail);
    void on_claim_done(Bytes mail);
    void on_session_ended(uint32_t from, Bytes mail);
    void on_yield_done(uint32_t from, Bytes mail);

private:
    struct Claim {
        ClaimMail mail;
        std::string client_id;
    };
    // A claim that has started, and those that wait behind it.
    struct AtWork {
        uint32_t claimant;
        bool awaits_claimant;
        bool awaits_holder;
        std::deque<Claim> waiting;

        bool is_done() const { return !awaits_claimant && !awaits_holder; }
    };
    void start(AtWork& work, const Claim& claim);
    void finish(uint64_t hash);
    void start_next(uint64_t hash);
    void count_waiting(const Claim& claim, bool is_new);

    PostOffice& post_;
    ShardsByHash holders_;
    LedgerLine& line_;            // of claims that wait, in general memory: it reserves nothing
    std::unordered_map<uint64_t, AtWork> at_work_;   // by hash
    std::deque<uint64_t> done_;   // hashes whose next claim may start; the first is being started
};

}  // namespace millrace
