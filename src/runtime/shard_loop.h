// The loop of one shard: what arrived, mail, timers, and everything they produced, out at once.
// Owned by: the shard's thread, from run() until it returns.
// Holds:    a turn is bounded: the transport bounds its events, the mailbox its bytes.
// Not here: what the application does. Net satisfies net/transport.h; App has
//             void on_event(const Event&)            one transport event
//             void on_mail(uint32_t from, Bytes)     one mail of another shard or the host
//             void on_timer(TimerEntry&)             one expired timer
//             void end_turn(Instant now)             before the flush
//             void turn_ended(Instant end)           the network took all of the turn's output
//             bool begin_turn(Instant now)           true: it has worked for the admin side
//             bool finished() const                  true: leave the loop
#pragma once

#include <algorithm>

#include "runtime/clock.h"
#include "runtime/loop_watch.h"
#include "runtime/mailbox.h"
#include "runtime/timer_wheel.h"

namespace millrace {

struct IdleOptions {
    // How long a turn may look for work before it sleeps. Zero never spins.
    Duration spin_max = Duration::us(0);
    bool always_spin = false;
};

template <class Clock = RealClock, class Net, class App, class Watch>
void run_shard(Net& net, App& app, Mailbox& mailbox, TimerWheel& wheel, const IdleOptions& idle,
               Watch&& watch) {
    constexpr uint32_t mail_bytes_per_turn = 256 * 1024;
    Instant now = Clock::now();
    Instant last_work = now;
    bool is_relieved = false;
    while (!app.finished()) {
        const bool spin = idle.always_spin || now - last_work < idle.spin_max;
        Instant wait_until = now;  // look, do not wait
        bool sleeping = false;
        if (!spin && !is_relieved && mailbox.begin_sleep()) {
            sleeping = true;
            wait_until = std::min(wheel.next_deadline(), now + Duration::s(1));
        }
        auto events = net.poll(wait_until);
        if (sleeping) mailbox.end_sleep();

        now = Clock::now();
        const Instant waited_since = net.waited_since();
        const Instant end = std::min(waited_since, now);
        watch.turn_ended(end, waited_since != Instant::never(), now, Clock::ticks());
        app.turn_ended(end);
        if (app.begin_turn(now)) watch.admin_done(Clock::ticks());
        for (const auto& event : events) app.on_event(event);
        if (!events.empty()) {
            watch.events_done(static_cast<uint32_t>(events.size()),
                              static_cast<uint8_t>(events.back().kind), Clock::ticks());
        }
        uint32_t mails = 0;
        if (mailbox.has_mail()) {
            uint8_t kind = 0;
            mails = mailbox.drain(Clock::now(), mail_bytes_per_turn, [&](uint32_t from, Bytes mail) {
                kind = mail[0];
                app.on_mail(from, mail);
            });
            if (mails != 0) watch.mail_done(mails, kind, Clock::ticks());
        }
        uint32_t timers = 0;
        uint8_t timer_kind = 0;
        wheel.advance(now, [&](TimerEntry& entry) {
            ++timers;
            timer_kind = entry.kind;
            app.on_timer(entry);
        });
        if (timers != 0) watch.timers_done(timers, timer_kind, Clock::ticks());
        app.end_turn(now);
        // Mail first: what it says must be on its way before the network tells anyone that it is.
        is_relieved = false;
        if (mailbox.has_posted()) {
            const uint64_t waiting_bytes = mailbox.overflow_bytes_total();
            mailbox.flush(Clock::now());
            // The application has seen more waiting than there is: it looks again before a sleep.
            is_relieved = mailbox.overflow_bytes_total() < waiting_bytes;
        }
        net.flush(now);
        if (!events.empty() || mails != 0) last_work = now;
    }
}

}  // namespace millrace
