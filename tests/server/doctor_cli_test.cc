// The command line of `millrace doctor`.
#include "server/cli.h"

#include <doctest/doctest.h>

using namespace millrace;

namespace {

Outcome<CommandLine> parse_words(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "millrace");
    return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

DoctorCommand doctor_of(const std::vector<const char*>& arguments) {
    const Outcome<CommandLine> line = parse_words(arguments);
    if (!line) FAIL(line.error().message);
    return std::get<DoctorCommand>(line->command);
}

}  // namespace

TEST_CASE("cli: doctor examines this host with the defaults, unless told otherwise") {
    const DoctorCommand command = doctor_of({"doctor"});
    CHECK_FALSE(command.config_path);
    CHECK(command.request.root == "/");
    CHECK_FALSE(command.request.json);
}

TEST_CASE("cli: doctor takes a configuration, another root, and answers in JSON") {
    const DoctorCommand command =
        doctor_of({"doctor", "--config", "a.toml", "--json", "--root", "/tmp/x"});
    CHECK(command.config_path == "a.toml");
    CHECK(command.request.root == "/tmp/x");
    CHECK(command.request.json);
}

TEST_CASE("cli: doctor refuses what it doesn't know") {
    const Outcome<CommandLine> line = parse_words({"doctor", "--shards", "2"});
    REQUIRE_FALSE(line);
    CHECK(line.error().message.find("--shards") != std::string::npos);
    CHECK(line.error().message.find("millrace doctor") != std::string::npos);
}
