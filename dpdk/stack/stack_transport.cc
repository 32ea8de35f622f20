#include "stack/stack_transport.h"

#include <algorithm>
#include <cerrno>

#include <poll.h>

#include "base/prng.h"

namespace millrace {

namespace {

constexpr uint32_t tcp_header_bytes_plain = 20;
constexpr uint16_t ephemeral_port_min = 49'152;  // RFC 6335, 6
constexpr uint32_t ephemeral_port_count = 16'384;
// A look at the waker is a system call; while spinning there's one in so many looks at the link.
constexpr uint32_t looks_per_waker_check = 64;
constexpr uint32_t pauses_per_look = 32;

void rest_a_little() {
    for (uint32_t index = 0; index < pauses_per_look; ++index) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
}

std::string own_addresses(const Interface& interface) {
    std::string text;
    for (const IpPrefix& own : interface.addresses) {
        text += (text.empty() ? "" : ", ") + own.text();
    }
    for (const IpPrefix& range : interface.own_ranges) text += ", " + range.text();
    return text;
}

}  // namespace

StackTransport::Secrets::Secrets(uint64_t seed) {
    Prng random(seed);
    flows = {random.next()};
    sources = {random.next()};
    ports = {random.next()};
    sequence_numbers = {random.next(), random.next()};
    cookies = {random.next(), random.next()};
}

Outcome<std::unique_ptr<StackTransport>> StackTransport::create(
    const StackOptions& options, std::unique_ptr<Link> link, Arena& arena, Ledger& ledger,
    Heap& heap, BlockPool& blocks, Waker& waker) {
    Interface interface = options.interface;
    if (interface.mac.is_zero()) interface.mac = link->facts().mac;
    interface.mtu = std::min(interface.mtu, link->facts().mtu);
    if (std::optional<Error> fault = interface.fault()) {
        return tl::unexpected<Error>(std::move(*fault));
    }
    if (options.shard >= options.shard_count) {
        return fail(Errc::invalid_argument, "shard " + std::to_string(options.shard) +
                                                " of " + std::to_string(options.shard_count));
    }
    return std::unique_ptr<StackTransport>(
        new StackTransport(options, interface, Secrets(options.seed), std::move(link), arena,
                           ledger, heap, blocks, waker));
}

StackTransport::StackTransport(const StackOptions& options, const Interface& interface,
                               const Secrets& secrets, std::unique_ptr<Link> link, Arena& arena,
                               Ledger& ledger, Heap& heap, BlockPool& blocks, Waker& waker)
    : options_(options), interface_(interface), heap_(heap), blocks_(blocks), waker_(waker),
      link_(std::move(link)), now_(options.clock.now()), wheel_(now_),
      tcp_(options.tcp, heap, blocks, wheel_, tcp_counters_),
      connections_(arena, ledger.line("tcp connections")),
      flows_(arena, ledger.line("flow table"), secrets.flows),
      half_opens_(arena, ledger.line("tcp handshakes"), options.half_open, secrets.sources),
      time_waits_(arena, ledger.line("tcp time-wait"), options.time_wait_count_max,
                  options.time_wait, this,
                  [](void* context, TimeWait& gone) {
                      auto& stack = *static_cast<StackTransport*>(context);
                      stack.flows_.erase(stack.flows_.hash(gone.key), gone);
                      ++stack.flow_changes_;
                  }),
      isn_(secrets.sequence_numbers), cookies_(secrets.cookies),
      neighbors_({.count_max = options.neighbor_count_max, .secret = secrets.sources}),
      source_ports_(secrets.ports), sender_(*link_, interface_, blocks, stack_counters_),
      resets_(options.resets_per_second_max), echoes_(options.echoes_per_second_max),
      outbox_(heap, blocks) {
    events_.reserve(events_capacity);
    arrivals_.reserve(burst_max);
}

// What connections still refer to goes with the arena.
StackTransport::~StackTransport() { release_lent(); }

uint16_t StackTransport::path_mss(const IpAddress& remote) const {
    const uint32_t headers = (remote.is_ipv4() ? 20u : 40u) + tcp_header_bytes_plain;
    return static_cast<uint16_t>(interface_.mtu - headers);
}

Outcome<uint16_t> StackTransport::listen(const Endpoint& local) {
    const std::optional<IpAddress> address = IpAddress::parse(local.host);
    if (!address) {
        return fail(Errc::invalid_argument,
                    "listen: '" + local.host + "' is not an IPv4 or IPv6 address");
    }
    if (!address->is_unspecified() && !interface_.is_own(*address)) {
        return fail(Errc::invalid_argument, "listen: " + local.host +
                                                " is not an address of this interface, which has " +
                                                own_addresses(interface_));
    }
    Listeners::Place place{*address, local.port};
    for (uint32_t tries = 0; local.port == 0; ++tries) {
        if (tries == ephemeral_port_count) {
            return fail(Errc::exhausted, "listen: " + local.host + " has no free port");
        }
        place.port = static_cast<uint16_t>(ephemeral_port_min + tries);
        if (!listeners_.has(place)) break;
    }
    if (listeners_.has(place)) {
        return fail(Errc::invalid_argument, "listen: " + local.host + " port " +
                                                std::to_string(place.port) + " is in use already");
    }
    listeners_.add(place);
    return place.port;
}

// Handshakes that haven't ended are refused when they do.
void StackTransport::stop_listening() { listeners_.clear(); }

void StackTransport::start() {
    if (started_) return;
    started_ = true;
    announce();
}

// Gives back what the events of the last turn referred to.
void StackTransport::release_lent() {
    if (frames_lent_) link_->release_received();
    frames_lent_ = false;
    while (lent_chunks_ != nullptr) {
        ReassemblyChunk* chunk = lent_chunks_;
        lent_chunks_ = chunk->next;
        Reassembly::free_chunk(heap_, chunk);
    }
}

// A turn is due, whatever arrives.
bool StackTransport::has_work() const {
    return !output_.empty() || !attention_.empty() || sender_.has_staged() ||
           (!waiting_.empty() && waiting_look_at_ <= now_);
}

Instant StackTransport::next_deadline() const {
    if (has_work()) return now_;
    Instant next = std::min(wheel_.next_deadline(), time_waits_.next_deadline());
    if (!waiting_.empty()) next = std::min(next, waiting_look_at_);
    return next;
}

// Takes what has arrived and what has expired, and answers at once what needs no connection.
// How much there was.
uint32_t StackTransport::look() {
    now_ = options_.clock.now();
    const uint32_t frame_count = receive_bursts();
    const bool timers_due = wheel_.next_deadline() <= now_;
    expire();
    sender_.transmit();
    return frame_count + (timers_due ? 1 : 0);
}

std::span<const Event> StackTransport::poll(Instant wait_until) {
    release_lent();
    events_.clear();
    start();
    waited_since_ = Instant::never();
    const bool had_work = has_work();
    attend();
    const uint32_t done = look();
    if (done > 0 || had_work || options_.idle.mode == IdlePolicy::Mode::never_wait) return events_;
    const Instant silent_since = now_;
    if (now_ < wait_until) waited_since_ = now_;
    while (now_ < wait_until && !has_work()) {
        if (wait(wait_until, silent_since)) break;
        if (look() > 0) break;
    }
    return events_;
}

// As long as nothing has to be done, at the most. True when the waker has fired.
bool StackTransport::wait(Instant wait_until, Instant silent_since) {
    const IdlePolicy& idle = options_.idle;
    if (idle.mode == IdlePolicy::Mode::sleep && now_ - silent_since >= idle.spin_before_sleep) {
        const Duration most = std::min(wait_until, next_deadline()) - now_;
        stack_counters_.sleeps.add();
        return waker_fired(std::min(idle.sleep, most));
    }
    if (idle.mode != IdlePolicy::Mode::spin) rest_a_little();
    if (++waker_countdown_ % looks_per_waker_check != 0) return false;
    return waker_fired(Duration{});
}

bool StackTransport::waker_fired(Duration wait) {
    pollfd watched{waker_.descriptor(), POLLIN, 0};
    const int64_t nanoseconds = std::max<int64_t>(wait.nanoseconds, 0);
    const timespec limit{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
    if (::ppoll(&watched, 1, &limit, nullptr) <= 0) return false;
    waker_.clear();
    stack_counters_.wakes.add();
    return true;
}

void StackTransport::verify() const {
    MR_ASSERT(in_table_count_ <= alive_count_);
    MR_ASSERT(connection_count_ <= alive_count_);
    MR_ASSERT(flows_.count() ==
              uint64_t{in_table_count_} + half_opens_.count() + time_waits_.count());
}

}  // namespace millrace
