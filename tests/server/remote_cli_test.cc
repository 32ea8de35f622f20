// The command lines of what asks a running server.
#include "server/cli.h"

#include <doctest/doctest.h>

using namespace millrace;
using remote::MemoryCommand;

namespace {

Outcome<CommandLine> parse_remote(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "millrace");
    return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

template <class Command>
Command command_of(const std::vector<const char*>& arguments) {
    const Outcome<CommandLine> line = parse_remote(arguments);
    if (!line) FAIL(line.error().message);
    return std::get<Command>(line->command);
}

std::string fault_of(const std::vector<const char*>& arguments) {
    const Outcome<CommandLine> line = parse_remote(arguments);
    return line ? "" : line.error().message;
}

}  // namespace

TEST_CASE("cli: memory asks this host's listener, unless told otherwise") {
    const auto list = command_of<MemoryCommand>({"memory", "list"});
    CHECK(list.what == MemoryCommand::What::list);
    CHECK(list.target.url == "http://127.0.0.1:9883");
    CHECK_FALSE(list.target.token_file);
    CHECK_FALSE(list.json);
    const auto snapshot = command_of<MemoryCommand>(
        {"memory", "snapshot", "--url", "http://h:1", "--token-file", "/t", "--json"});
    CHECK(snapshot.what == MemoryCommand::What::snapshot);
    CHECK(snapshot.target.url == "http://h:1");
    CHECK(snapshot.target.token_file == "/t");
    CHECK(snapshot.json);
}

TEST_CASE("cli: a memory diff is from the oldest to now, or between what is named") {
    const auto plain = command_of<MemoryCommand>({"memory", "diff"});
    CHECK(plain.what == MemoryCommand::What::diff);
    CHECK_FALSE(plain.from);
    CHECK_FALSE(plain.to);
    const auto named = command_of<MemoryCommand>({"memory", "diff", "a", "b", "--by-shard"});
    CHECK(named.from == "a");
    CHECK(named.to == "b");
    CHECK(named.by_shard);
    CHECK(command_of<MemoryCommand>({"memory", "diff", "a"}).from == "a");
}

TEST_CASE("cli: top goes on until it's ended, or once") {
    CHECK_FALSE(command_of<remote::TopCommand>({"top"}).once);
    const auto top = command_of<remote::TopCommand>({"top", "--once", "--url", "http://h:1"});
    CHECK(top.once);
    CHECK(top.target.url == "http://h:1");
    CHECK(fault_of({"top", "fast"}) != "");
}

TEST_CASE("cli: trace follows a client or a topic, for a while") {
    const auto client = command_of<remote::TraceCommand>({"trace", "--client", "sensor 7"});
    CHECK(client.client_id == "sensor 7");
    CHECK_FALSE(client.topic);
    CHECK(client.seconds == 60);
    const auto topic =
        command_of<remote::TraceCommand>({"trace", "--topic", "a/#", "--seconds", "3600", "--pcap", "f"});
    CHECK(topic.pcap == "f");
    CHECK(topic.topic == "a/#");
    CHECK(topic.seconds == 3'600);
    CHECK(fault_of({"trace"}) ==
          "--client or --topic is wanted (see millrace trace --help)");
    CHECK(fault_of({"trace", "--client", "a", "--topic", "b"}) != "");
    for (const char* seconds : {"0", "3601", "-1", "x", ""}) {
        CHECK(fault_of({"trace", "--client", "a", "--seconds", seconds}).find("--seconds") !=
              std::string::npos);
    }
}

TEST_CASE("cli: memory refuses what it doesn't know") {
    CHECK(fault_of({"memory"}) ==
          "millrace memory: a command is missing; accepted are the commands list, snapshot, diff "
          "(see millrace memory --help)");
    CHECK(fault_of({"memory", "grow"}).find("grow: not known here") != std::string::npos);
    CHECK(fault_of({"memory", "diff", "a", "b", "c"}) != "");
    CHECK(fault_of({"memory", "list", "--by-shard"}) != "");
    CHECK(fault_of({"memory", "list", "--url"}) != "");
}
