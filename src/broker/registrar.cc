#include "broker/registrar.h"

#include <bit>

namespace millrace {

void Registrar::on_claim(Bytes bytes) {
    Bytes rest;
    Claim claim{read_mail<ClaimMail>(bytes, rest), std::string(as_text(rest))};
    const auto [place, is_first] = at_work_.try_emplace(claim.mail.hash);
    if (!is_first) {
        count_waiting(claim, true);
        place->second.waiting.push_back(std::move(claim));
        return;
    }
    start(place->second, claim);
}

void Registrar::start(AtWork& work, const Claim& claim) {
    const ClaimMail& mail = claim.mail;
    work.claimant = mail.claimant;
    work.awaits_claimant = true;
    const uint64_t others = holders_.mask(mail.hash) & ~(uint64_t{1} << mail.claimant);
    if (!holders_.insert(mail.hash, mail.claimant)) {
        post_.post(mail.claimant, ClaimAnswerMail{MailKind::claim_refused, mail.ticket});
        return;
    }
    if (others == 0) {
        post_.post(mail.claimant, ClaimAnswerMail{MailKind::claim_granted, mail.ticket});
        return;
    }
    work.awaits_holder = true;
    ClaimMail yield = mail;
    yield.kind = MailKind::yield;
    post_.post_text(static_cast<uint32_t>(std::countr_zero(others)), yield, claim.client_id);
}

void Registrar::on_claim_done(Bytes bytes) {
    Bytes rest;
    const ClaimMail mail = read_mail<ClaimMail>(bytes, rest);
    if (!mail.still_known) holders_.erase(mail.hash, mail.claimant);
    const auto place = at_work_.find(mail.hash);
    if (place == at_work_.end()) return;
    place->second.awaits_claimant = false;
    if (place->second.is_done()) finish(mail.hash);
}

void Registrar::finish(uint64_t hash) {
    // A claimant on this very shard answers `claim_done` from within start(): a queue of any
    // length is worked off here, not by recursion.
    done_.push_back(hash);
    if (done_.size() > 1) return;
    while (!done_.empty()) {
        start_next(done_.front());
        done_.pop_front();
    }
}

void Registrar::start_next(uint64_t hash) {
    const auto place = at_work_.find(hash);
    if (place == at_work_.end()) return;
    AtWork& work = place->second;
    if (work.waiting.empty()) {
        at_work_.erase(place);
        return;
    }
    const Claim next = std::move(work.waiting.front());
    work.waiting.pop_front();
    count_waiting(next, false);
    start(work, next);
}

void Registrar::count_waiting(const Claim& claim, bool is_new) {
    const uint64_t bytes = sizeof(Claim) + claim.client_id.size();
    if (is_new) {
        line_.objects.add();
        line_.bytes.add(bytes);
    } else {
        line_.objects.subtract();
        line_.bytes.subtract(bytes);
    }
}

void Registrar::on_session_ended(uint32_t from, Bytes bytes) {
    Bytes rest;
    const ClaimMail mail = read_mail<ClaimMail>(bytes, rest);
    const auto place = at_work_.find(mail.hash);
    if (place != at_work_.end() && place->second.claimant == from) return;
    if (!mail.still_known) holders_.erase(mail.hash, from);
}

void Registrar::on_yield_done(uint32_t from, Bytes bytes) {
    Bytes rest;
    const ClaimMail mail = read_mail<ClaimMail>(bytes, rest);
    if (!mail.still_known) holders_.erase(mail.hash, from);
    const auto place = at_work_.find(mail.hash);
    if (place == at_work_.end()) return;
    place->second.awaits_holder = false;
    if (place->second.is_done()) finish(mail.hash);
}

}  // namespace millrace
