#include "server/assemble_dpdk.h"

#include <cstdio>

#include <fmt/format.h>

#include "load/run_load.h"
#include "server/dpdk_config.h"
#include "server/exit_codes.h"
#include "server/random_word.h"
#include "stack/stack_transport.h"

namespace millrace {
namespace {

Interface interface_of(const DpdkOptions& dpdk, const LinkFacts& link) {
    return {
        .mac = link.mac,
        .addresses = parse_prefixes(dpdk.addresses),
        .own_ranges = parse_prefixes(dpdk.source_ranges),
        .gateway_ipv4 = IpAddress::parse(dpdk.gateway),
        .gateway_ipv6 = IpAddress::parse(dpdk.gateway_ipv6),
        .mtu = link.mtu,
        .vlan = parse_vlan(dpdk.vlan).value_or(VlanSetting{}),
    };
}

IdlePolicy idle_of(const DpdkOptions& dpdk) {
    IdlePolicy idle{.spin_before_sleep = Duration::us(dpdk.idle_spin.count()),
                    .sleep = Duration::us(dpdk.idle_sleep.count())};
    switch (dpdk.idle) {
        case DpdkIdle::spin:
            idle.mode = IdlePolicy::Mode::spin;
            break;
        case DpdkIdle::pause:
            idle.mode = IdlePolicy::Mode::pause;
            break;
        case DpdkIdle::sleep:
            idle.mode = IdlePolicy::Mode::sleep;
            break;
    }
    return idle;
}

StackOptions stack_options(const DpdkOptions& dpdk, const LinkFacts& link) {
    StackOptions options;
    options.interface = interface_of(dpdk, link);
    options.tcp.congestion = dpdk.congestion == DpdkCongestion::reno ? CongestionAlgorithm::reno
                                                                     : CongestionAlgorithm::cubic;
    options.tcp.receive_window_bytes = dpdk.receive_window_bytes;
    options.tcp.keepalive_idle = Duration::s(dpdk.keepalive_idle.count());
    options.half_open = {.count_max = dpdk.half_open_count_max,
                         .cookies_from = dpdk.half_open_cookies_from,
                         .per_source_max = dpdk.half_open_per_source_max};
    options.time_wait_count_max = dpdk.time_wait_count_max;
    options.time_wait = Duration::ms(dpdk.time_wait.count());
    options.neighbor_count_max = dpdk.neighbor_count_max;
    options.idle = idle_of(dpdk);
    return options;
}

}  // namespace

Outcome<std::unique_ptr<Port>> open_dpdk_port(const DpdkOptions& dpdk, uint32_t shard_count) {
    return Port::open(port_options(dpdk, shard_count));
}

Outcome<std::unique_ptr<ShardHost>> make_dpdk_shard(const ShardSeat& seat, Port& port) {
    auto link = port.make_link(seat.index, seat.blocks);
    if (!link) return tl::unexpected<Error>(link.error());
    StackOptions options = stack_options(seat.config.dpdk, (*link)->facts());
    options.tcp.send_timeout = Duration::ms(seat.config.timeouts.send_stall.count());
    options.connections_max = seat.connections_max;
    options.shard = seat.index;
    options.shard_count = seat.mesh.shard_count();
    options.seed = random_word();
    auto net = StackTransport::create(options, std::move(*link), seat.arena, seat.ledger,
                                      seat.heap, seat.blocks, seat.waker);
    if (!net) return tl::unexpected<Error>(net.error());
    return std::make_unique<ShardHostOf<StackTransport>>(seat, std::move(*net));
}

int run_dpdk_load(const LoadRequest& command) {
    auto port = open_dpdk_port(command.dpdk, command.shard_count);
    if (!port) {
        fmt::print(stderr, "load: {}\n", port.error().message);
        return to_int(ExitCode::failed);
    }
    const auto make_net =
        [&](const LoadShardRoom& room) -> Outcome<std::unique_ptr<StackTransport>> {
        auto link = (*port)->make_link(room.index, room.blocks);
        if (!link) return tl::unexpected<Error>(link.error());
        StackOptions options = stack_options(command.dpdk, (*link)->facts());
        options.connections_max = room.connections_max;
        options.shard = room.index;
        options.shard_count = command.shard_count;
        options.seed = random_word();
        return StackTransport::create(options, std::move(*link), room.arena, room.ledger,
                                      room.heap, room.blocks, room.waker);
    };
    // The device may hold frames that refer to the shards' memory until it's closed.
    return run_load<StackTransport>(command, make_net, [&] { port->reset(); });
}

}  // namespace millrace
