// A fan-out over any number of shards in one thread, for an instruction counter such as callgrind.
//   fanout_instructions --shards N --windows COUNT [--receivers N] [--window N] [--payload BYTES]
//                       [--qos 0|1]
// Runs with two counts of windows differ by the cost of the messages alone: start-up, connecting
// and subscribing are the same in both. Prints what was delivered.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "broker_world.h"

using namespace millrace;

namespace {

struct Arguments {
    perf::FanoutWorld::Options world;
    uint32_t windows = 10;
};

bool read_arguments(int count, char** words, Arguments& arguments) {
    uint32_t qos = 0;
    const struct {
        const char* name;
        uint32_t* value;
    } options[] = {
        {"--shards", &arguments.world.shards},   {"--receivers", &arguments.world.receivers},
        {"--window", &arguments.world.window},   {"--payload", &arguments.world.payload_bytes},
        {"--windows", &arguments.windows},       {"--qos", &qos},
    };
    for (int index = 1; index < count; index += 2) {
        uint32_t* value = nullptr;
        for (const auto& option : options) {
            if (std::strcmp(option.name, words[index]) == 0) value = option.value;
        }
        if (value == nullptr || index + 1 == count) return false;
        *value = static_cast<uint32_t>(std::strtoul(words[index + 1], nullptr, 10));
    }
    arguments.world.qos = static_cast<mqtt::Qos>(qos);
    return qos <= 1 && arguments.world.shards >= 1 &&
           arguments.world.shards <= Pressure::shards_max && arguments.world.window >= 1;
}

}  // namespace

int main(int count, char** words) {
    Arguments arguments;
    if (!read_arguments(count, words, arguments)) {
        std::fprintf(stderr, "fanout_instructions: see the head of its source\n");
        return 2;
    }
    perf::FanoutWorld fanout(arguments.world);
    const uint64_t before = fanout.world().publishes_sent();
    for (uint32_t done = 0; done < arguments.windows; ++done) fanout.publish();
    std::printf("%llu delivered, %llu bytes\n",
                static_cast<unsigned long long>(fanout.world().publishes_sent() - before),
                static_cast<unsigned long long>(fanout.world().bytes_sent()));
    return 0;
}
