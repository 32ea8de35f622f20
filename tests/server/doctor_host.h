// Hosts to examine: as a tree of files in a folder of its own, and as facts without any files.
// Owned by: a test; the folder goes with the object. Thread: the test's.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "server/doctor/judge.h"

namespace millrace::test {

class FakeHost {
public:
    FakeHost() {
        std::string pattern = std::filesystem::temp_directory_path() / "doctor-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
        root_ = pattern;
    }
    ~FakeHost() { std::filesystem::remove_all(root_); }
    FakeHost(const FakeHost&) = delete;
    FakeHost& operator=(const FakeHost&) = delete;

    const std::string& root() const { return root_; }

    void write(const std::string& path, std::string_view text) {
        const std::filesystem::path file = root_ + "/" + path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text << '\n';
    }
    // A file that even root can't read.
    void write_unreadable(const std::string& path) {
        std::filesystem::create_directories(root_ + "/" + path);
    }
    void link(const std::string& path, const std::string& target) {
        const std::filesystem::path file = root_ + "/" + path;
        std::filesystem::create_directories(file.parent_path());
        std::filesystem::create_symlink(target, file);
    }

    // A card with a receive queue and a transmit queue for each of `cores`, whose interrupts
    // (from 100 on) go to these. To be written last: it writes /proc/interrupts.
    void write_card(const std::string& name, const std::vector<uint32_t>& cores, int node = -1) {
        const std::string folder = "sys/class/net/" + name;
        write(folder + "/operstate", "up");
        write(folder + "/device/numa_node", std::to_string(node));
        link(folder + "/device/driver", "../../../bus/pci/drivers/ixgbe");
        std::string table = "           CPU0       CPU1";
        for (size_t queue = 0; queue < cores.size(); ++queue) {
            const std::string irq = std::to_string(100 + queue);
            const std::string number = std::to_string(queue);
            write(folder + "/queues/rx-" + number + "/rps_cpus", "00000000,00000000");
            write(folder + "/queues/tx-" + number + "/xps_cpus", "0");
            write(folder + "/device/msi_irqs/" + irq, "msix");
            write("proc/irq/" + irq + "/effective_affinity_list", std::to_string(cores[queue]));
            table += "\n " + irq + ":  7  0  PCI-MSI 524288-edge  " + name + "-TxRx-" + number;
        }
        write(folder + "/device/msi_irqs/99", "msix");
        write("proc/irq/99/effective_affinity_list", "0");
        write("proc/interrupts", table + "\n 99:  1  0  PCI-MSI 524300-edge  " + name);
    }

private:
    std::string root_;
};

// What sizeof() says in the program, about.
inline constexpr ObjectSizes object_sizes{.connection_bytes = 104,
                                          .tcp_connection_bytes = 500,
                                          .time_wait_bytes = 40,
                                          .half_open_bytes = 60,
                                          .session_bytes = 80,
                                          .subscription_bytes = 24,
                                          .filter_bytes = 48,
                                          .retained_bytes = 40,
                                          .queued_message_bytes = 16,
                                          .inflight_bytes = 16};

// A host with two cores that wants for nothing, and a server on it with a thousand connections a
// shard, on an address that clients reach. A test worsens one thing.
struct GoodHost {
    doctor::Facts facts;
    Config config;

    GoodHost();
    std::vector<doctor::Finding> findings() const {
        return doctor::judge(doctor::make_subject(facts, config, object_sizes));
    }
    // Null when there's none of that id.
    static const doctor::Finding* find(const std::vector<doctor::Finding>& findings,
                                       std::string_view id) {
        for (const doctor::Finding& finding : findings) {
            if (finding.id == id) return &finding;
        }
        return nullptr;
    }
};

inline GoodHost::GoodHost() {
    using namespace doctor;
    facts.release = "6.12.1";
    facts.uring = {.probed = true,
                   .refusal = {},
                   .send_zero_copy = true,
                   .zero_copy_report = true,
                   .registered_ring = true,
                   .incremental_buffers = true,
                   .napi = true,
                   .disabled = 0};
    facts.cores_usable = {0, 1};
    facts.cores_allowed = {0, 1};
    facts.cores = {{.index = 0, .node = 0, .siblings = {0}, .governor = "performance"},
                   {.index = 1, .node = 0, .siblings = {1}, .governor = "performance"}};
    facts.nodes = {{.index = 0, .cores = {0, 1}, .huge_pages = 512, .huge_pages_free = 512}};
    facts.clock = {.source = "tsc", .available = "tsc hpet", .read_ns = 20};
    facts.memory = {.bytes = uint64_t{8} << 30,
                    .huge_pages = 512,
                    .huge_pages_free = 512,
                    .huge_page_bytes = 2'097'152};
    facts.limits.open_files_hard = 1'048'576;
    facts.limits.locked_bytes_hard = uint64_t{1} << 40;
    facts.limits.open_files_ceiling = 1'048'576;
    facts.limits.files_of_host = 10'000'000;
    facts.limits.accept_queue = 65'535;
    facts.limits.handshake_queue = 65'535;
    facts.limits.send_buffer_bytes = 4'194'304;
    facts.limits.tcp_memory_pages = 1'000'000;
    facts.limits.local_ports = {4'096, 65'535};
    facts.network.congestion = "cubic";
    facts.network.queue_discipline = "fq_codel";
    facts.network.cards.push_back(
        {.name = "eth0",
         .driver = "ixgbe",
         .is_physical = true,
         .is_up = true,
         .node = 0,
         .receive_queues = 2,
         .transmit_queues = 2,
         .interrupts = {{100, "eth0-TxRx-0", {0}}, {101, "eth0-TxRx-1", {1}}}});
    config.listen = {{.host = "0.0.0.0", .port = 1883}};
    config.shards.connections_max = 1'000;
}

}  // namespace millrace::test
