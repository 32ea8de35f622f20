// Which shard holds the session of a client id: the home shard of the id's hash decides alone, so
// that two clients with one id can't both win (takeover, MQTT 5.0, 3.1.4).
// Owned by: the shard's Broker; used with more than one shard.
// Holds:    claims of one hash are handled one after the other: the next starts when the claimant
//           has said `claim_done`.
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
    Registrar(PostOffice& post, Ledger& ledger) : post_(post), holders_(ledger, "session holders") {}

    void on_claim(Bytes mail);
    void on_claim_done(Bytes mail);
    void on_session_ended(uint32_t from, Bytes mail);
    void on_yield_done(uint32_t from, Bytes mail);

private:
    struct Claim {
        ClaimMail mail;
        std::string client_id;
    };
    void start(const Claim& claim);
    void start_next(uint64_t hash);

    PostOffice& post_;
    ShardsByHash holders_;
    // Claims at work, by hash, and those that wait behind each.
    std::unordered_map<uint64_t, std::deque<Claim>> at_work_;
    std::deque<uint64_t> done_;   // hashes whose next claim may start; the first is being started
};

}  // namespace millrace
