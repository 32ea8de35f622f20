// From facts and a configuration to findings.
#include "server/doctor/judge.h"

#include <doctest/doctest.h>

#include "doctor_host.h"
#include "server/backends.h"

using namespace millrace;
using namespace millrace::doctor;
using millrace::test::GoodHost;

namespace {

// The finding of that id, which has to be there.
Finding finding_of(const GoodHost& host, std::string_view id) {
    const std::vector<Finding> findings = host.findings();
    const Finding* finding = GoodHost::find(findings, id);
    if (finding == nullptr) FAIL("no finding " << id);
    return *finding;
}

bool finds(const GoodHost& host, std::string_view id) {
    const std::vector<Finding> findings = host.findings();
    return GoodHost::find(findings, id) != nullptr;
}

bool says(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

void make_cores(GoodHost& host, uint32_t count) {
    host.facts.cores.clear();
    host.facts.cores_usable.clear();
    host.facts.cores_allowed.clear();
    for (uint32_t index = 0; index < count; ++index) {
        host.facts.cores.push_back({.index = index, .node = 0, .siblings = {index}});
        host.facts.cores_usable.push_back(index);
        host.facts.cores_allowed.push_back(index);
    }
}

// As GoodHost, with a server that takes a card through vfio.
GoodHost dpdk_host() {
    GoodHost host;
    host.config.net = "dpdk";
    host.config.dpdk.device = "03:00.0";
    host.config.dpdk.memory_bytes = uint64_t{256} << 20;
    host.facts.dpdk.functions = {{"0000:03:00.0", "vfio-pci", 0}};
    host.facts.dpdk.has_iommu = true;
    return host;
}

}  // namespace

TEST_CASE("doctor: a host that wants for nothing has no findings") {
    const std::vector<Finding> findings = GoodHost().findings();
    for (const Finding& finding : findings) MESSAGE(finding.id);
    CHECK(findings.empty());
}

TEST_CASE("doctor: facts that aren't known are no findings but a ring's") {
    GoodHost host;
    host.facts = Facts{};
    host.facts.uring = GoodHost().facts.uring;
    for (const Finding& finding : host.findings()) {
        INFO(finding.id);
        CHECK(finding.severity == Severity::note);
    }
}

TEST_CASE("doctor: every finding says all there is to say") {
    GoodHost host;
    host.facts.limits.open_files_hard = 10;
    host.facts.limits.accept_queue = 1;
    host.facts.network.congestion = "bbr";
    host.facts.memory.huge_pages_free = 0;
    host.facts.nodes[0].huge_pages_free = 0;
    const std::vector<Finding> findings = host.findings();
    CHECK(findings.size() >= 4);
    for (const Finding& finding : findings) {
        INFO(finding.id);
        CHECK(finding.what != "");
        CHECK(finding.found != "");
        CHECK(finding.wanted != "");
        CHECK(finding.cost != "");
        CHECK(finding.mend != "");
    }
}

TEST_CASE("doctor: what blocks comes before what limits, and the lowest limit first") {
    GoodHost host;
    host.facts.limits.accept_queue = 1;
    host.facts.limits.open_files_hard = 900;
    host.facts.limits.open_files_ceiling = 800;
    host.facts.uring.refusal = "no";
    const std::vector<Finding> findings = host.findings();
    REQUIRE(findings.size() == 4);
    CHECK(findings[0].id == "io_uring");
    CHECK(findings[1].id == "nr_open");
    CHECK(findings[2].id == "open_files");
    CHECK(findings[3].id == "accept_queue");
}

TEST_CASE("doctor: io_uring that is switched off blocks, and is switched on by sysctl") {
    GoodHost host;
    host.facts.uring.refusal = "io_uring is switched off";
    host.facts.uring.disabled = 2;
    const Finding finding = finding_of(host, "io_uring");
    CHECK(finding.severity == Severity::blocks);
    CHECK(finding.mend == "sysctl -w kernel.io_uring_disabled=0");
}

TEST_CASE("doctor: a kernel feature is missed only by who uses it") {
    GoodHost host;
    host.facts.uring.send_zero_copy = false;
    host.facts.uring.napi = false;
    CHECK(host.findings().empty());
    host.config.uring.zero_copy_bytes_min = 4'096;
    CHECK(finds(host, "uring_zero_copy"));
    CHECK_FALSE(finds(host, "uring_napi"));
    host.config.uring.napi_busy_poll_us = 50;
    CHECK(finds(host, "uring_napi"));
}

TEST_CASE("doctor: features that every server uses are missed on an older kernel") {
    GoodHost host;
    host.facts.uring.registered_ring = false;
    host.facts.uring.incremental_buffers = false;
    host.facts.uring.zero_copy_report = false;
    CHECK(finds(host, "uring_registered_ring"));
    CHECK(finding_of(host, "uring_incremental_buffers").severity == Severity::performance);
    CHECK_FALSE(finds(host, "uring_zero_copy_report"));
    host.config.uring.zero_copy_bytes_min = 4'096;
    CHECK(says(finding_of(host, "uring_zero_copy_report").cost, "measured"));
}

TEST_CASE("doctor: io_uring for one group alone is a note") {
    GoodHost host;
    host.facts.uring.disabled = 1;
    CHECK(finding_of(host, "io_uring_group").severity == Severity::note);
    host.facts.uring.disabled = 0;
    CHECK_FALSE(finds(host, "io_uring_group"));
}

TEST_CASE("doctor: why there's no ring decides how it's mended") {
    GoodHost host;
    host.facts.uring.refusal = "Operation not permitted";
    host.facts.uring.filtered = true;
    CHECK(says(finding_of(host, "io_uring").mend, "seccomp"));
    host.facts.release = "5.10.0";
    CHECK(says(finding_of(host, "io_uring").mend, "newer kernel"));
    host.facts.release = "6.12.1";
    host.facts.uring.filtered = false;
    CHECK_FALSE(says(finding_of(host, "io_uring").mend, "seccomp"));
    CHECK_FALSE(says(finding_of(host, "io_uring").mend, "newer kernel"));
}

TEST_CASE("doctor: the open-file limit bounds each shard, and the bill says what is left") {
    GoodHost host;
    host.facts.limits.open_files_hard = 400;
    const Finding finding = finding_of(host, "open_files");
    CHECK(finding.severity == Severity::capacity);
    CHECK(finding.cost == "800 connections instead of 2000");
    CHECK(finding.connections_left == 800);
    CHECK(says(finding.mend, "LimitNOFILE=1000 "));
    host.facts.limits.open_files_hard = 1'000;
    CHECK_FALSE(finds(host, "open_files"));
}

TEST_CASE("doctor: the files of the whole host have to do for all shards") {
    GoodHost host;
    host.facts.limits.files_of_host = 11'500;  // 10,000 are for everything else
    CHECK(finding_of(host, "file_max").connections_left == 1'500);
    host.facts.limits.files_of_host = 12'000;
    CHECK_FALSE(finds(host, "file_max"));
}

TEST_CASE("doctor: tracked connections limit only where they are tracked") {
    GoodHost host;
    host.facts.limits.tracked_max = 1'500;
    host.facts.limits.tracked_now = 3;
    CHECK(finding_of(host, "conntrack").severity == Severity::capacity);
    host.facts.limits.tracked_now = 0;
    CHECK(finding_of(host, "conntrack").severity == Severity::note);
    host.facts.limits.tracked_max = 100'000;
    CHECK_FALSE(finds(host, "conntrack"));
    host.facts.limits.tracked_now = 3;
    CHECK(finding_of(host, "conntrack").severity == Severity::performance);
}

TEST_CASE("doctor: a table of tracked connections that is nearly full limits now") {
    GoodHost host;
    host.facts.limits.tracked_max = 100'000;
    host.facts.limits.tracked_now = 99'500;
    const Finding finding = finding_of(host, "conntrack");
    CHECK(finding.severity == Severity::capacity);
    CHECK(finding.connections_left == 500);
    CHECK(says(finding.what, "full"));
    host.facts.limits.tracked_now = 200'000;  // more than there may be: read at different moments
    CHECK(finding_of(host, "conntrack").connections_left == 0);
}

TEST_CASE("doctor: sockets may buffer a page for each connection, within a quarter of memory") {
    GoodHost host;
    host.facts.limits.tcp_memory_pages = 1'999;
    CHECK(says(finding_of(host, "tcp_memory").wanted, "2000 pages, one a connection"));
    host.facts.limits.tcp_memory_pages = 2'000;
    CHECK_FALSE(finds(host, "tcp_memory"));
    host.facts.limits.tcp_memory_pages = 1'000;
    host.facts.memory.bytes = uint64_t{1'500} * 4 * 4'096;
    CHECK(says(finding_of(host, "tcp_memory").wanted, "1500 pages, a quarter of the memory"));
    host.facts.limits.tcp_memory_pages = 1'500;  // what tune.sh sets: nothing more is asked
    CHECK_FALSE(finds(host, "tcp_memory"));
}

TEST_CASE("doctor: a send buffer that the kernel cuts is named") {
    GoodHost host;
    host.config.uring.socket_send_bytes = 8'388'608;
    CHECK(says(finding_of(host, "send_buffer").mend, "wmem_max=8388608"));
    host.facts.limits.send_buffer_bytes = 8'388'608;
    CHECK_FALSE(finds(host, "send_buffer"));
}

TEST_CASE("doctor: few ports are a note where the load generator is on the same host") {
    GoodHost host;
    host.facts.limits.local_ports = {32'768, 60'999};
    CHECK_FALSE(finds(host, "port_range"));
    host.config.listen = {{.host = "127.0.0.1", .port = 1883}};
    CHECK(finding_of(host, "port_range").found == "28232 ports");
    CHECK(finding_of(host, "port_range").severity == Severity::note);
    host.facts.limits.local_ports = {1'024, 65'535};
    CHECK_FALSE(finds(host, "port_range"));
}

TEST_CASE("doctor: swap that the server's memory may go to costs") {
    GoodHost host;
    host.facts.memory.swap_bytes = uint64_t{2} << 30;
    CHECK(finding_of(host, "swap").found == "2.0 GiB of swap");
    host.facts.memory.group_swap_bytes = 0;
    CHECK_FALSE(finds(host, "swap"));
}

TEST_CASE("doctor: queues of newcomers shorter than the backlog are named") {
    GoodHost host;
    host.facts.limits.accept_queue = 128;
    host.facts.limits.handshake_queue = 256;
    host.facts.limits.syn_cookies = 0;
    CHECK(finding_of(host, "accept_queue").found == "128");
    CHECK(finding_of(host, "handshake_queue").found == "256");
    host.config.uring.listen_backlog = 128;
    CHECK(host.findings().empty());
}

TEST_CASE("doctor: a short queue of handshakes is no finding where SYN cookies help out") {
    GoodHost host;
    host.facts.limits.handshake_queue = 256;
    host.facts.limits.syn_cookies = 1;
    CHECK_FALSE(finds(host, "handshake_queue"));
}

TEST_CASE("doctor: locked memory counts with zero-copy sends, without the capability") {
    GoodHost host;
    host.facts.limits.locked_bytes_hard = 8'388'608;
    CHECK(host.findings().empty());
    host.config.uring.zero_copy_bytes_min = 4'096;
    CHECK(finds(host, "locked_memory"));
    host.facts.limits.may_lock_memory = true;
    CHECK_FALSE(finds(host, "locked_memory"));
}

TEST_CASE("doctor: a port of ours that outgoing connections may take is a note") {
    GoodHost host;
    host.facts.limits.local_ports = {1'024, 65'535};
    const Finding finding = finding_of(host, "listen_port");
    CHECK(finding.severity == Severity::note);
    CHECK(says(finding.mend, "reserved_ports=1883"));
    host.facts.limits.reserved_ports = "8080,1880-1890";
    CHECK_FALSE(finds(host, "listen_port"));
    host.facts.limits.reserved_ports = "8080";
    CHECK(says(finding_of(host, "listen_port").mend, "reserved_ports=8080,1883"));
}

TEST_CASE("doctor: connections that memory can't pay for are counted, the kernel's part too") {
    GoodHost host;
    host.config.shards.connections_max = 1'000'000;
    host.config.shards.memory_bytes_max = uint64_t{1} << 30;
    const Finding finding = finding_of(host, "memory");  // 8 GiB, and about what sockets alone need
    CHECK(finding.severity == Severity::capacity);
    CHECK(finding.connections_left < 2'000'000);
    CHECK(finding.connections_left > 1'000'000);
    const Subject subject = make_subject(host.facts, host.config, test::object_sizes);
    const uint64_t kernel = 2 * subject.budget.total(BudgetTerm::Kind::kernel);
    CHECK(says(finding.wanted, readable_bytes(kernel) + " in the kernel"));
    host.facts.memory.bytes = uint64_t{16} << 30;
    CHECK_FALSE(finds(host, "memory"));
}

TEST_CASE("doctor: what a control group allows counts when it's less") {
    GoodHost host;
    host.facts.memory.group_bytes = uint64_t{12} << 20;
    CHECK(says(finding_of(host, "memory").found, "control group"));
    host.facts.memory.group_bytes = uint64_t{16} << 30;
    CHECK_FALSE(finds(host, "memory"));
}

TEST_CASE("doctor: a shard's memory that ends early limits the connections") {
    GoodHost host;
    host.config.shards.connections_max = 100'000;
    host.config.shards.memory_bytes_max = uint64_t{16} << 20;
    const Finding finding = finding_of(host, "shard_memory");
    CHECK(finding.severity == Severity::capacity);
    CHECK(finding.connections_left < 200'000);
    host.config.shards.memory_bytes_max = uint64_t{64} << 20;
    CHECK_FALSE(finds(host, "shard_memory"));
}

TEST_CASE("doctor: more memory promised to shards than there is costs no connections at first") {
    GoodHost host;
    host.config.shards.memory_bytes_max = uint64_t{6} << 30;
    CHECK(finding_of(host, "memory_promised").severity == Severity::performance);
}

TEST_CASE("doctor: huge pages that leave too little for sockets limit the connections") {
    GoodHost host;
    host.config.shards.connections_max = 500'000;
    host.config.shards.memory_bytes_max = uint64_t{1} << 30;
    host.facts.memory.huge_pages = 3'072;  // 6 of 8 GiB; the sockets need about 4
    const Finding finding = finding_of(host, "huge_page_pool");
    CHECK(finding.connections_left < 1'000'000);
    CHECK(finding.connections_left > 400'000);
}

TEST_CASE("doctor: huge pages are wanted on the nodes of the shards") {
    GoodHost host;
    host.facts.nodes = {{.index = 0, .cores = {0}, .huge_pages = 512, .huge_pages_free = 512},
                        {.index = 1, .cores = {1}, .huge_pages = 0, .huge_pages_free = 0}};
    host.facts.cores[1].node = 1;
    host.facts.network.cards[0].node.reset();
    const Finding finding = finding_of(host, "huge_pages");
    CHECK(says(finding.found, "512 on node 0, 0 on node 1"));
    host.config.shards.huge_pages = HugePagesMode::off;
    CHECK_FALSE(finds(host, "huge_pages"));
}

TEST_CASE("doctor: huge pages of another length don't serve") {
    GoodHost host;
    host.facts.memory.huge_page_bytes = uint64_t{1} << 30;
    host.facts.memory.huge_pages = 1;
    CHECK(finds(host, "huge_page_bytes"));
    CHECK_FALSE(finds(host, "huge_pages"));
}

TEST_CASE("doctor: one queue for several shards costs, unless software spreads its packets") {
    GoodHost host;
    CardFacts& card = host.facts.network.cards[0];
    card.receive_queues = 1;
    card.interrupts = {{100, "eth0-TxRx-0", {0}}};
    const Finding finding = finding_of(host, "card_queues");
    CHECK(finding.severity == Severity::performance);
    CHECK(finding.cost == "not measured");
    CHECK(says(finding.mend,
               "tune.sh apply --only queues,interrupts --profile io_uring --nic eth0 "
               "--cpus 0-1"));
    card.spread_cores = {0, 1};
    CHECK(finding_of(host, "card_queues").severity == Severity::note);
}

TEST_CASE("doctor: packets that the card spreads need no software that does it again") {
    GoodHost host;
    CardFacts& card = host.facts.network.cards[0];
    card.spread_cores = {0, 1};
    CHECK(says(finding_of(host, "software_spread").mend, "--only steering"));
    card.receive_queues = 1;
    CHECK_FALSE(finds(host, "software_spread"));
}

TEST_CASE("doctor: what a host's files say is one word of a command, whatever it is") {
    CHECK(shell_word("eth0.5") == "eth0.5");
    CHECK(shell_word("a b") == "'a b'");
    CHECK(shell_word("$(reboot)") == "'$(reboot)'");
    CHECK(shell_word("a'; b") == "'a'\\''; b'");
    CHECK(shell_word("") == "''");
    GoodHost host;
    host.facts.network.cards[0].name = "e;reboot";
    host.facts.network.cards[0].receive_queues = 1;
    CHECK(says(finding_of(host, "card_queues").mend, " --nic 'e;reboot' "));
}

TEST_CASE("doctor: a command names tune.sh where the host has it") {
    GoodHost host;
    host.facts.tune = "millrace-tune";
    host.facts.limits.accept_queue = 1;
    CHECK(
        finding_of(host, "accept_queue").mend.starts_with("millrace-tune apply --only backlogs "));
}

TEST_CASE("doctor: more queues than cores are a note, and their interrupts aren't blamed") {
    GoodHost host;
    CardFacts& card = host.facts.network.cards[0];
    card.receive_queues = 4;
    card.interrupts.push_back({102, "eth0-TxRx-2", {0}});
    card.interrupts.push_back({103, "eth0-TxRx-3", {1}});
    CHECK(finding_of(host, "card_queues").severity == Severity::note);
    CHECK_FALSE(finds(host, "interrupts"));
}

TEST_CASE("doctor: two interrupts on one core while a shard's core has none are misplaced") {
    GoodHost host;
    host.facts.network.cards[0].interrupts[1].cores = {0};
    const Finding finding = finding_of(host, "interrupts");
    CHECK(says(finding.found, "eth0-TxRx-1 (irq 101) on 0"));
    CHECK(says(finding.what, "1 of 2"));
}

TEST_CASE("doctor: an interrupt on a core without a shard is misplaced") {
    GoodHost host;
    make_cores(host, 4);
    host.config.shards.cpus = {2, 3};
    const Finding finding = finding_of(host, "interrupts");
    CHECK(says(finding.what, "2 of 2"));
    CHECK(finding.wanted == "one on each of 2-3");
}

TEST_CASE("doctor: irqbalance is a finding where there is something to move") {
    GoodHost host;
    host.facts.network.irqbalance = true;
    CHECK(finds(host, "irqbalance"));
    host.facts.network.cards[0].interrupts.clear();
    CHECK_FALSE(finds(host, "irqbalance"));
}

TEST_CASE("doctor: shards away from the card's node are named, with the cores near it") {
    GoodHost host;
    host.facts.nodes = {{.index = 0, .cores = {0}, .huge_pages_free = 512},
                        {.index = 1, .cores = {1}, .huge_pages_free = 512}};
    host.facts.cores[1].node = 1;
    const Finding finding = finding_of(host, "card_node");
    CHECK(says(finding.found, "eth0 on node 0, shards on 1 elsewhere"));
    CHECK(finding.mend == "shards.cpus = \"0\"");
}

TEST_CASE("doctor: bbr is fine with fq") {
    GoodHost host;
    host.facts.network.congestion = "bbr";
    CHECK(finds(host, "pacing"));
    host.facts.network.queue_discipline = "fq";
    CHECK_FALSE(finds(host, "pacing"));
}

TEST_CASE("doctor: on loopback no card is looked at") {
    GoodHost host;
    host.config.listen = {{.host = "127.0.0.1", .port = 1883}, {.host = "::1", .port = 1883}};
    host.facts.network.cards[0].receive_queues = 1;
    CHECK(finds(host, "loopback_only"));
    CHECK_FALSE(finds(host, "card_queues"));
}

TEST_CASE("doctor: a host without a card says so, and nothing else about cards") {
    GoodHost host;
    host.facts.network.cards.clear();
    const std::vector<Finding> findings = host.findings();
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].id == "no_card");
    CHECK(findings[0].severity == Severity::note);
}

TEST_CASE("doctor: the cards are those with the addresses that the server listens on") {
    GoodHost host;
    CardFacts other = host.facts.network.cards[0];
    other.name = "eth1";
    host.facts.network.cards.push_back(other);
    host.facts.network.addresses = {{"eth0", *IpPrefix::parse("10.0.0.0/24")},
                                    {"eth1", *IpPrefix::parse("10.0.1.0/24")}};
    const auto names = [&](const char* listen) {
        host.config.listen = {{.host = listen, .port = 1883}};
        std::string all;
        for (const CardFacts* card : cards_of(host.facts, host.config)) all += card->name + " ";
        return all;
    };
    CHECK(names("10.0.1.7") == "eth1 ");
    CHECK(names("0.0.0.0") == "eth0 eth1 ");
    CHECK(names("192.0.2.1") == "eth0 eth1 ");
    CHECK(names("127.0.0.1") == "");
}

TEST_CASE("doctor: below a bond are its cards") {
    GoodHost host;
    host.facts.network.cards.push_back({.name = "bond0", .is_up = true, .below = {"eth0"}});
    host.facts.network.cards.push_back({.name = "bond0.5", .is_up = true, .below = {"bond0"}});
    host.facts.network.addresses = {{"bond0.5", *IpPrefix::parse("10.0.0.0/24")}};
    host.config.listen = {{.host = "10.0.0.1", .port = 1883}};
    const auto cards = cards_of(host.facts, host.config);
    REQUIRE(cards.size() == 1);
    CHECK(cards[0]->name == "eth0");
}

TEST_CASE("doctor: cores that may not be used, and shards that share one, are named") {
    GoodHost host;
    host.config.shards.cpus = {1, 5};
    CHECK(says(finding_of(host, "shard_cores_missing").wanted, "core 5"));
    host.config.shards.cpus.clear();
    host.config.shards.count = 3;
    const Finding finding = finding_of(host, "shards_share_cores");
    CHECK(finding.mend == "shards.count = 2");
}

TEST_CASE("doctor: a shard may be pinned to an isolated core, which nothing runs on by itself") {
    GoodHost host;
    make_cores(host, 3);
    host.facts.cores_usable = {0};
    host.facts.cores_isolated = {1, 2};
    host.config.shards.cpus = {1, 2};
    CHECK_FALSE(finds(host, "shard_cores_missing"));
}

TEST_CASE("doctor: hardware threads of one core are a note") {
    GoodHost host;
    host.facts.cores[0].siblings = {0, 1};
    host.facts.cores[1].siblings = {0, 1};
    CHECK(finding_of(host, "hardware_threads").severity == Severity::note);
}

TEST_CASE("doctor: the governor and deep sleep count on the shards' cores alone") {
    GoodHost host;
    make_cores(host, 3);
    host.config.shards.cpus = {0, 1};
    host.facts.cores[2].governor = "powersave";
    host.facts.cores[2].wake_up_us = 600;
    CHECK(host.findings().empty());
    host.facts.cores[1].governor = "powersave";
    host.facts.cores[1].wake_up_us = 600;
    CHECK(finding_of(host, "governor").found == "powersave on core 1");
    CHECK(says(finding_of(host, "idle_states").cost, "up to 600 us"));
    host.config.shards.always_spin = true;
    CHECK_FALSE(finds(host, "idle_states"));
}

TEST_CASE("doctor: shards that never sleep want cores of their own") {
    GoodHost host;
    host.config.shards.always_spin = true;
    CHECK(says(finding_of(host, "isolation").found, "cores 0-1"));
    CHECK(says(finding_of(host, "isolation").mend, "without one core"));
    host.facts.cores_isolated = {0, 1};
    CHECK_FALSE(finds(host, "isolation"));
}

TEST_CASE("doctor: isolated cores without a shard are a note") {
    GoodHost host;
    make_cores(host, 4);
    host.facts.cores_usable = {0, 1};
    host.facts.cores_isolated = {2, 3};
    CHECK(finding_of(host, "isolation_unused").mend == "shards.cpus = \"2-3\"");
    host.config.shards.cpus = {2, 3};
    CHECK_FALSE(finds(host, "isolation_unused"));
}

TEST_CASE("doctor: a slow clock is told by its name, or better by its time") {
    GoodHost host;
    host.facts.clock = {.source = "hpet", .available = "tsc hpet"};
    CHECK(finding_of(host, "clock_source").cost == "not measured");
    host.facts.clock.read_ns = 900;
    CHECK(says(finding_of(host, "clock_source").cost, "900 ns"));
    CHECK(says(finding_of(host, "clock_source").mend, "echo tsc"));
    host.facts.clock = {.source = "kvm-clock", .available = "kvm-clock", .read_ns = 30};
    CHECK_FALSE(finds(host, "clock_source"));
}

TEST_CASE("doctor: gaps are listed, the first ones by name") {
    GoodHost host;
    for (int file = 0; file < 7; ++file) {
        host.facts.unreadable.push_back("proc/" + std::to_string(file) + ": Permission denied");
    }
    const Finding finding = finding_of(host, "unreadable");
    CHECK(says(finding.found, "proc/4: Permission denied; and 2 more"));
    CHECK_FALSE(says(finding.found, "proc/5"));
}

TEST_CASE("doctor: over dpdk the kernel's limits and cards are of no concern") {
    if (!has_dpdk()) return;
    GoodHost host = dpdk_host();
    host.facts.limits.open_files_hard = 10;
    host.facts.limits.accept_queue = 1;
    host.facts.network.cards[0].receive_queues = 1;
    host.facts.uring.refusal = "no";
    const std::vector<Finding> findings = host.findings();
    for (const Finding& finding : findings) MESSAGE(finding.id);
    CHECK(findings.empty());
}

TEST_CASE("doctor: a card of dpdk's has to be there, with a driver and an IOMMU") {
    GoodHost host = dpdk_host();
    host.facts.dpdk.functions[0].driver = "ixgbe";
    CHECK(finding_of(host, "dpdk_driver").severity == Severity::blocks);
    host.facts.dpdk.functions[0].driver = "mlx5_core";
    host.facts.dpdk.has_iommu = false;
    CHECK_FALSE(finds(host, "dpdk_driver"));
    CHECK_FALSE(finds(host, "dpdk_iommu"));
    host.facts.dpdk.functions[0].driver = "vfio-pci";
    CHECK(finds(host, "dpdk_iommu"));
    host.facts.dpdk.unsafe_vfio = true;
    CHECK_FALSE(finds(host, "dpdk_iommu"));
    host.config.dpdk.device = "0000:04:00.0";
    CHECK(says(finding_of(host, "dpdk_device").found, "0000:03:00.0"));
}

TEST_CASE("doctor: dpdk's memory has to be free in huge pages, unless it does without") {
    GoodHost host = dpdk_host();
    host.facts.memory.huge_pages_free = 127;  // 128 are 256 MiB
    const Finding finding = finding_of(host, "dpdk_memory");
    CHECK(finding.severity == Severity::blocks);
    CHECK(finding.wanted == "128 of them, for 256.0 MiB");
    CHECK(says(finding.mend, "vm.nr_hugepages=513;"));  // 385 of 512 are in use
    host.facts.memory.huge_pages_free = 128;
    CHECK_FALSE(finds(host, "dpdk_memory"));
    host.facts.memory.huge_pages_free = 127;
    host.config.dpdk.huge_pages = false;
    CHECK_FALSE(finds(host, "dpdk_memory"));
}

TEST_CASE("doctor: a build without dpdk can't serve over it") {
    CHECK(finds(dpdk_host(), "dpdk_build") == !has_dpdk());
}

TEST_CASE("doctor: dpdk's memory is at least its buffers when nothing else is configured") {
    GoodHost host = dpdk_host();
    host.config.dpdk.memory_bytes = 0;
    host.config.dpdk.buffers = 1'000;
    const uint64_t some =
        dpdk_memory_bytes(make_subject(host.facts, host.config, test::object_sizes));
    host.config.dpdk.buffers = 2'000;
    const uint64_t more =
        dpdk_memory_bytes(make_subject(host.facts, host.config, test::object_sizes));
    CHECK(more - some >= 2 * 1'000 * uint64_t{host.config.dpdk.mtu});  // two shards
}

TEST_CASE("doctor: what vfio maps is locked memory") {
    GoodHost host = dpdk_host();
    host.facts.limits.locked_bytes_hard = 8'388'608;
    CHECK(finding_of(host, "locked_memory").severity == Severity::blocks);
    host.facts.limits.may_lock_memory = true;
    CHECK_FALSE(finds(host, "locked_memory"));
}

TEST_CASE("doctor: a virtual device of dpdk's needs the kernel's device below it") {
    GoodHost host = dpdk_host();
    host.config.dpdk.device = "net_af_packet0,iface=v9,qpairs=1";
    CHECK(finding_of(host, "dpdk_device").found == "no v9");
    host.config.dpdk.device = "net_af_packet0,iface=eth0";
    CHECK_FALSE(finds(host, "dpdk_device"));
    host.config.dpdk.device = "net_memif0,role=server";
    CHECK_FALSE(finds(host, "dpdk_device"));
}

TEST_CASE("doctor: PCI addresses are told from virtual devices, short ones made long") {
    Config config;
    const auto address = [&](const char* device) {
        config.dpdk.device = device;
        return pci_address_of(config);
    };
    CHECK(address("03:00.0") == "0000:03:00.0");
    CHECK(address("0000:3B:00.1,arg=1") == "0000:3b:00.1");
    CHECK(address("net_tap0,iface=x") == "");
    CHECK(address("") == "");
}

TEST_CASE("doctor: fewer queues of dpdk's than shards cost") {
    GoodHost host = dpdk_host();
    host.config.dpdk.queues = 1;
    CHECK(finding_of(host, "dpdk_queues").severity == Severity::performance);
}

TEST_CASE("doctor: lists of cores are as short as can be") {
    CHECK(cpu_list({3, 0, 1, 2, 8}) == "0-3,8");
    CHECK(cpu_list({1, 1, 2}) == "1-2");
    CHECK(cpu_list({5}) == "5");
    CHECK(cpu_list({}) == "");
}
