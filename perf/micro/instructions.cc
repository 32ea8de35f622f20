// Work for an instruction counter such as callgrind:
//   instructions SUBJECT COUNT [--shards N] [--receivers N] [--window N] [--payload BYTES]
//                              [--qos 0|1]
// Subjects: codec_publish, codec_connect, match, fanout, fanout_qos1, tcp_receive, tcp_send
// (instruction_subjects.h says what they do); the options are those of a fan-out. Prints how many
// operations that were, and a checksum of them.
//   instructions --compiler      what built it
// Runs with two counts differ by the cost of the operations alone.
#include <charconv>
#include <cstdio>
#include <optional>
#include <string_view>

#include "instruction_subjects.h"
#include "stack_world.h"

namespace millrace::perf {

Work run_fanout(uint32_t count, const FanoutWorld::Options& options) {
    FanoutWorld fanout(options);
    const uint64_t before = fanout.world().publishes_sent();
    for (uint32_t done = 0; done < count; ++done) fanout.publish();
    return {.operations = fanout.world().publishes_sent() - before,
            .checksum = fanout.world().bytes_sent()};
}

Work run_tcp_receive(uint32_t count) {
    constexpr uint32_t connections = 200;
    constexpr uint32_t payload_bytes = 256;
    StackWorld world(connections, payload_bytes);
    const uint64_t frames_before = world.frames_sent();
    for (uint32_t done = 0; done < count; ++done) world.receive();
    const Work work{.operations = world.bytes_received() / payload_bytes,
                    .checksum = world.frames_sent() - frames_before};
    MR_ASSERT(work.operations == uint64_t{connections} * count);
    MR_ASSERT(work.checksum >= uint64_t{connections} * (count / 2));
    return work;
}

Work run_tcp_send(uint32_t count) {
    constexpr uint32_t connections = 200;
    constexpr uint32_t payload_bytes = 64;
    StackWorld world(connections, payload_bytes);
    const uint64_t frames_before = world.frames_sent();
    for (uint32_t done = 0; done < count; ++done) world.send();
    const Work work{.operations = world.bytes_sent() / payload_bytes,
                    .checksum = world.frames_sent() - frames_before};
    MR_ASSERT(work.operations == uint64_t{connections} * count);
    MR_ASSERT(work.checksum == work.operations);
    return work;
}

namespace {

bool read_number(std::string_view word, uint32_t& value) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    return error == std::errc() && end == word.data() + word.size();
}

bool read_options(std::span<char*> words, FanoutWorld::Options& world) {
    uint32_t qos = static_cast<uint32_t>(world.qos);
    const struct {
        std::string_view name;
        uint32_t* value;
    } options[] = {
        {"--shards", &world.shards},         {"--receivers", &world.receivers},
        {"--window", &world.window},         {"--payload", &world.payload_bytes},
        {"--qos", &qos},
    };
    for (; !words.empty(); words = words.subspan(2)) {
        uint32_t* value = nullptr;
        for (const auto& option : options) {
            if (option.name == words[0]) value = option.value;
        }
        if (value == nullptr || words.size() == 1 || !read_number(words[1], *value)) return false;
    }
    world.qos = static_cast<mqtt::Qos>(qos);
    return qos <= 1 && world.shards >= 1 && world.shards <= Pressure::shards_max &&
           world.window >= 1;
}

std::optional<Work> run(std::string_view subject, uint32_t count, std::span<char*> words) {
    FanoutWorld::Options world;
    if (subject == "fanout_qos1") world.qos = mqtt::Qos::at_least_once;
    if (!read_options(words, world)) return {};
    if (subject == "codec_publish") return run_codec_publish(count);
    if (subject == "codec_connect") return run_codec_connect(count);
    if (subject == "match") return run_match(count);
    if (subject == "fanout" || subject == "fanout_qos1") return run_fanout(count, world);
    if (subject == "tcp_receive") return run_tcp_receive(count);
    if (subject == "tcp_send") return run_tcp_send(count);
    return {};
}

int print_work(std::span<char*> words) {
    uint32_t count = 0;
    std::optional<Work> work;
    if (words.size() >= 2 && read_number(words[1], count)) {
        work = run(words[0], count, words.subspan(2));
    }
    if (!work) {
        std::fprintf(stderr, "instructions: see the head of its source\n");
        return 2;
    }
    std::printf("%llu operations, checksum %llu\n",
                static_cast<unsigned long long>(work->operations),
                static_cast<unsigned long long>(work->checksum));
    return 0;
}

}  // namespace
}  // namespace millrace::perf

int main(int count, char** words) {
    if (count == 2 && std::string_view(words[1]) == "--compiler") {
#ifdef __clang__
        std::puts("clang " __VERSION__);
#else
        std::puts("g++ " __VERSION__);
#endif
        return 0;
    }
    return millrace::perf::print_work(std::span(words, static_cast<size_t>(count)).subspan(1));
}
