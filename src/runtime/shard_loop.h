// The loop of one shard: what arrived, mail, timers, and everything they produced, out at once.
// Owned by: the shard's thread, from run() until it returns.
// Holds:    a turn is bounded: the transport bounds its events, the mailbox its bytes.
// Not here: what the application does. Net satisfies net/transport.h; App has
//             void on_event(const Event&)            one transport event
//             void on_mail(uint32_t from, Bytes)     one mail of another shard or the host
//             void on_timer(TimerEntry&)             one expired timer
//             void end_turn(Instant now)             before the flush
//             void begin_turn(Instant now)
//             bool finished() const                  true: leave the loop
#pragma once

#include <algorithm>

#include "runtime/clock.h"
#include "runtime/mailbox.h"
#include "runtime/timer_wheel.h"

namespace millrace {

struct IdleOptions {
    // How long a turn may look for work before it sleeps. Zero never spins.
    Duration spin_max = Duration::us(0);
    bool always_spin = false;
};

template <class Net, class App>
void run_shard(Net& net, App& app, Mailbox& mailbox, TimerWheel& wheel, const IdleOptions& idle) {
    constexpr uint32_t mail_bytes_per_turn = 256 * 1024;
    Instant now = monotonic_now();
    Instant last_work = now;
    while (!app.finished()) {
        const bool spin = idle.always_spin || now - last_work < idle.spin_max;
        Instant wait_until = now;  // look, do not wait
        bool sleeping = false;
        if (!spin && mailbox.begin_sleep()) {
            sleeping = true;
            wait_until = std::min(wheel.next_deadline(), now + Duration::s(1));
        }
        auto events = net.poll(wait_until);
        if (sleeping) mailbox.end_sleep();

        now = monotonic_now();
        app.begin_turn(now);
        for (const auto& event : events) app.on_event(event);
        uint32_t mails = 0;
        if (mailbox.has_mail()) {
            mails = mailbox.drain(monotonic_now(), mail_bytes_per_turn,
                                  [&](uint32_t from, Bytes mail) { app.on_mail(from, mail); });
        }
        wheel.advance(now, [&](TimerEntry& entry) { app.on_timer(entry); });
        app.end_turn(now);
        // Mail first: what it says must be on its way before the network tells anyone that it is.
        if (mailbox.has_posted()) mailbox.flush(monotonic_now());
        net.flush(now);
        if (!events.empty() || mails != 0) last_work = now;
    }
}

}  // namespace millrace
