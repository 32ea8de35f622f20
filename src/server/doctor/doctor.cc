#include "server/doctor/doctor.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "server/doctor/judge.h"
#include "server/doctor/probe.h"
#include "server/doctor/read_facts.h"
#include "server/doctor/report.h"

namespace millrace::doctor {
namespace {

ExitCode code_of(const std::vector<Finding>& findings) {
    if (findings.empty()) return ExitCode::success;
    switch (findings.front().severity) {  // the weightiest
        case Severity::blocks:
        case Severity::capacity:
            return ExitCode::limits_capacity;
        case Severity::performance:
            return ExitCode::costs_performance;
        case Severity::note:
            return ExitCode::success;
    }
    MR_UNREACHABLE();
}

}  // namespace

Outcome<Answer> examine(const Config& config, const ObjectSizes& sizes, const Request& request) {
    Tree tree(request.root);
    if (!tree.exists("proc") && !tree.exists("sys")) {
        return fail(Errc::invalid_argument,
                    fmt::format("--root \"{}\": accepted is a folder with proc and sys in it",
                                request.root));
    }
    Facts facts = read_facts(tree);
    if (request.root == "/") {
        facts.uring = probe_uring(facts.uring);
        facts.clock.read_ns = measure_clock_read_ns();
    }
    const Subject subject = make_subject(facts, config, sizes);
    const std::vector<Finding> findings = judge(subject);
    if (request.json) return Answer{render_json(subject, findings), code_of(findings)};
    std::string text = render_text(subject, findings);
    if (!request.has_config_file) {
        text.insert(0, "Judged for the default configuration; --config FILE judges for yours.\n");
    }
    return Answer{std::move(text), code_of(findings)};
}

}  // namespace millrace::doctor
