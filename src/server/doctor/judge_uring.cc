// Whether a ring can be made, and what the kernel's one lacks of what we use.
#include <fmt/format.h>

#include "server/doctor/judge.h"
#include "server/doctor/read_facts.h"

namespace millrace::doctor {
namespace {

std::string ring_mend(const Subject& subject) {
    const UringFacts& uring = subject.facts.uring;
    if (uring.disabled.value_or(0) != 0) return "sysctl -w kernel.io_uring_disabled=0";
    if (!uring_of_release(subject.facts.release).refusal.empty()) {
        return "a newer kernel (Debian 12 has Linux 6.1)";
    }
    if (uring.filtered) {
        return "the kernel is new enough, and a filter of system calls stands before it (seccomp): "
               "docker run --security-opt seccomp= with a profile that allows io_uring_setup, "
               "io_uring_enter and io_uring_register; under systemd SystemCallFilter=@aio";
    }
    return "millrace serve says why; a security module of the host may forbid it";
}

void judge_ring(const Subject& subject, Findings& findings) {
    const UringFacts& uring = subject.facts.uring;
    if (!uring.refusal.empty()) {
        findings.push_back({.id = "io_uring",
                            .severity = Severity::blocks,
                            .what = "no shard can make its ring: millrace serve ends at once",
                            .found = uring.refusal,
                            .wanted = "Linux 6.1 or newer, with io_uring allowed",
                            .cost = "everything",
                            .mend = ring_mend(subject)});
    } else if (uring.disabled == 1) {
        findings.push_back({.id = "io_uring_group",
                            .severity = Severity::note,
                            .what = "only root and one group may use io_uring",
                            .found = "kernel.io_uring_disabled = 1",
                            .wanted = "0, or the server's user in kernel.io_uring_group",
                            .cost = "for another user millrace serve ends at once",
                            .mend = "sysctl -w kernel.io_uring_disabled=0"});
    }
}

struct Feature {
    const char* id;
    bool UringFacts::*has;
    bool (*is_used)(const Config&);
    const char* wanted;
    const char* what;
    const char* cost;
};

bool sends_zero_copy(const Config& config) {
    return config.uring.zero_copy_bytes_min > 0;
}

// Only features that the server uses are here, each with what is lost without it.
constexpr Feature features[] = {
    {"uring_zero_copy", &UringFacts::send_zero_copy, sends_zero_copy, "Linux 6.1",
     "uring.zero_copy_bytes_min has no effect: every send is copied", not_measured},
    // The figure: the same sends over loopback and veth, where the kernel copies all of them.
    {"uring_zero_copy_report", &UringFacts::zero_copy_report, sends_zero_copy,
     "Linux 6.2; seen by a feature bit of 6.3",
     "the kernel doesn't tell when it copies a zero-copy send, so it isn't given up where it gains "
     "nothing",
     "where the kernel copies, 1.2 to 3.1 times the processor time of plain 4 KB sends "
     "(measured on Linux 6.18)"},
    {"uring_incremental_buffers", &UringFacts::incremental_buffers,
     [](const Config&) { return true; }, "Linux 6.12",
     "each receive takes a whole receive buffer, however short the packet", not_measured},
    {"uring_registered_ring", &UringFacts::registered_ring, [](const Config&) { return true; },
     "Linux 5.18", "each call to the kernel looks the ring's descriptor up", not_measured},
    {"uring_napi", &UringFacts::napi,
     [](const Config& config) { return config.uring.napi_busy_poll_us > 0; }, "Linux 6.9",
     "uring.napi_busy_poll_us has no effect: the card isn't polled", not_measured},
};

}  // namespace

void judge_uring(const Subject& subject, Findings& findings) {
    judge_ring(subject, findings);
    if (!subject.facts.uring.refusal.empty()) return;
    for (const Feature& feature : features) {
        if (subject.facts.uring.*feature.has || !feature.is_used(subject.config)) continue;
        findings.push_back({.id = feature.id,
                            .severity = Severity::performance,
                            .what = feature.what,
                            .found = "Linux " + subject.facts.release,
                            .wanted = feature.wanted,
                            .cost = feature.cost,
                            .mend = "a newer kernel"});
    }
}

}  // namespace millrace::doctor
