#include "server/load_command.h"

#include <doctest/doctest.h>

using namespace millrace;

namespace {

using Given = std::map<std::string, std::string>;

LoadOptions options_of(LoadMode mode, const Given& given) {
    const Outcome<LoadOptions> options = make_load_options(mode, given);
    if (!options) FAIL(options.error().message);
    return *options;
}

std::string fault_of(LoadMode mode, const Given& given) {
    const Outcome<LoadOptions> options = make_load_options(mode, given);
    return options ? "" : options.error().message;
}

}  // namespace

TEST_CASE("load options: the connections of fanout are one publisher and subscribers") {
    const LoadOptions all = options_of(LoadMode::fanout, {});
    CHECK(all.publisher_count == 1);
    CHECK(all.subscriber_count == 999);
    const LoadOptions some =
        options_of(LoadMode::fanout, {{"--connections", "100"}, {"--publishers", "10"}});
    CHECK(some.subscriber_count == 90);
    const LoadOptions others =
        options_of(LoadMode::fanout, {{"--connections", "100"}, {"--subscribers", "30"}});
    CHECK(others.publisher_count == 70);
}

TEST_CASE("load options: the connections of fanin are publishers and one subscriber") {
    const LoadOptions options = options_of(LoadMode::fanin, {{"--connections", "50"}});
    CHECK(options.publisher_count == 49);
    CHECK(options.subscriber_count == 1);
}

TEST_CASE("load options: the parts alone give the connections") {
    const LoadOptions options =
        options_of(LoadMode::fanin, {{"--publishers", "5"}, {"--subscribers", "2"}});
    CHECK(options.connection_count == 7);
    CHECK(options_of(LoadMode::fanin, {{"--publishers", "5"}}).connection_count == 6);
    CHECK(options_of(LoadMode::fanout, {{"--publishers", "5"}}).connection_count == 1'005);
}

TEST_CASE("load options: a pair is one publisher and one subscriber") {
    const LoadOptions options = options_of(LoadMode::pair, {{"--connections", "10"}});
    CHECK(options.publisher_count == 5);
    CHECK(options.subscriber_count == 5);
    CHECK(options_of(LoadMode::pair, {{"--publishers", "4"}}).connection_count == 8);
    CHECK(fault_of(LoadMode::pair, {{"--connections", "11"}}) != "");
    CHECK(fault_of(LoadMode::pair, {{"--publishers", "4"}, {"--subscribers", "3"}}) != "");
}

TEST_CASE("load options: parts that contradict the connections are refused") {
    CHECK(fault_of(LoadMode::fanout,
                   {{"--connections", "10"}, {"--publishers", "1"}, {"--subscribers", "10"}})
              .starts_with("--connections 10: accepted is the sum"));
    CHECK(fault_of(LoadMode::fanout, {{"--connections", "1"}}) != "");
}

TEST_CASE("load options: a range of source addresses is spelled out") {
    const LoadOptions options =
        options_of(LoadMode::connect, {{"--source", "127.0.0.254-127.0.1.1,::1"}});
    CHECK(options.source_hosts ==
          std::vector<std::string>{"127.0.0.254", "127.0.0.255", "127.0.1.0", "127.0.1.1", "::1"});
    for (const char* wrong :
         {"", "127.0.0.9-127.0.0.2", "127.0.0.1-", "a", "127.0.0.1,", "10.0.0.0-11.0.0.0"}) {
        CAPTURE(wrong);
        CHECK(fault_of(LoadMode::connect, {{"--source", wrong}}).starts_with("--source \""));
    }
}

TEST_CASE("load options: without an end the run lasts ten seconds") {
    CHECK(options_of(LoadMode::fanout, {}).duration == Duration::s(10));
    CHECK(options_of(LoadMode::fanout, {{"--messages", "5"}}).duration == Duration::s(0));
    CHECK(options_of(LoadMode::fanout, {{"--duration", "3"}}).duration == Duration::s(3));
}

TEST_CASE("load options: alternatives exclude each other") {
    CHECK(fault_of(LoadMode::pair, {{"--rate", "5"}, {"--window", "2"}}) ==
          "--rate 5 and --window 2: give one of the two");
}

TEST_CASE("load options: the topic's default is the mode's") {
    CHECK(options_of(LoadMode::fanin, {}).topic == "load/fanin");
    CHECK(fault_of(LoadMode::fanin, {{"--topic", "a/#"}}).starts_with("--topic \"a/#\": accepted"));
}

TEST_CASE("load options: a core list gives as many threads") {
    const LoadOptions options = options_of(LoadMode::connect, {{"--cpus", "0-1"}});
    CHECK(options.shard_count == 2);
    CHECK(fault_of(LoadMode::connect, {{"--shards", "3"}, {"--connections", "2"}}) != "");
}

TEST_CASE("load options: a flag that has no meaning in a mode is refused") {
    CHECK(fault_of(LoadMode::storm, {{"--payload", "64"}}) ==
          "--payload: has no meaning in load storm");
}

TEST_CASE("load options: what goes before the measured messages can be set, to none as well") {
    CHECK(!options_of(LoadMode::fanout, {}).warmup_count);
    CHECK(options_of(LoadMode::fanout, {{"--warmup", "0"}}).warmup_count == 0u);
    CHECK(options_of(LoadMode::pair, {{"--warmup", "50"}}).warmup_count == 50u);
    CHECK(fault_of(LoadMode::connect, {{"--warmup", "1"}}) ==
          "--warmup: has no meaning in load connect");
}

TEST_CASE("load options: a storm has rounds and no bound of connects on their way") {
    CHECK(options_of(LoadMode::storm, {}).storm_round_count == 1);
    CHECK(options_of(LoadMode::storm, {{"--rounds", "3"}}).storm_round_count == 3);
    CHECK(fault_of(LoadMode::storm, {{"--rounds", "0"}}) ==
          "--rounds \"0\": accepted is 1 to 1000");
    CHECK(fault_of(LoadMode::fanin, {{"--rounds", "3"}}) != "");
    CHECK(options_of(LoadMode::connect, {{"--connects-outstanding", "7"}})
              .connects_outstanding_max == 7);
    CHECK(fault_of(LoadMode::storm, {{"--connects-outstanding", "7"}}) ==
          "--connects-outstanding: has no meaning in load storm");
}

TEST_CASE("load options: a run may be given an end, come what may") {
    CHECK(options_of(LoadMode::connect, {}).run_timeout == Duration::s(0));
    CHECK(options_of(LoadMode::connect, {{"--timeout", "90"}}).run_timeout == Duration::s(90));
    CHECK(fault_of(LoadMode::connect, {{"--timeout", "0"}}) != "");
}

TEST_CASE("load options: a session expiry is for kept sessions of MQTT 5") {
    const LoadOptions options = options_of(
        LoadMode::storm,
        {{"--keep-session", "true"}, {"--mqtt-version", "5"}, {"--session-expiry", "30"}});
    CHECK(options.session_expiry_s == 30);
    CHECK(!options.clean_start);
    const std::string refusal =
        "--session-expiry 30: accepted with --keep-session and --mqtt-version 5";
    CHECK(fault_of(LoadMode::storm, {{"--mqtt-version", "5"}, {"--session-expiry", "30"}}) ==
          refusal);
    CHECK(fault_of(LoadMode::storm, {{"--keep-session", "true"}, {"--session-expiry", "30"}}) ==
          refusal);
}

TEST_CASE("load options: every number is refused past the ends of its range") {
    for (const LoadFlag& flag : load_flags()) {
        if (flag.set == nullptr) continue;
        const std::string name(flag.name);
        CAPTURE(name);
        CHECK(fault_of(LoadMode::fanout, {{name, std::to_string(flag.largest + 1)}}) != "");
        CHECK(fault_of(LoadMode::fanout, {{name, "-1"}}) != "");
        CHECK(fault_of(LoadMode::fanout, {{name, ""}}) != "");
        CHECK(fault_of(LoadMode::fanout, {{name, "5x"}}) != "");
    }
}
