// PUBLISH through the codec: both versions, small and 4 KB payloads.
#include <benchmark/benchmark.h>

#include <vector>

#include "codec/mqtt/decode.h"
#include "codec/mqtt/encode.h"

namespace millrace::perf {
namespace {

mqtt::Publish sample(Bytes payload) {
    mqtt::Publish packet;
    packet.topic = "devices/plant-7/line-12/device-000123/push";
    packet.payload = payload;
    packet.qos = mqtt::Qos::at_least_once;
    packet.packet_id = 7;
    return packet;
}

void encode_publish(benchmark::State& state) {
    const auto version = static_cast<mqtt::Version>(state.range(0));
    const std::vector<uint8_t> payload(static_cast<size_t>(state.range(1)), 0x5a);
    const mqtt::Publish packet = sample(payload);
    std::vector<uint8_t> room(mqtt::encoded_bytes(version, packet));
    for (auto _ : state) {
        benchmark::DoNotOptimize(mqtt::encoded_bytes(version, packet));
        ByteWriter out(room);
        mqtt::encode(out, version, packet);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(encode_publish)->ArgNames({"version", "payload"})->ArgsProduct({{4, 5}, {64, 4'096}});

void decode_publish(benchmark::State& state) {
    const auto version = static_cast<mqtt::Version>(state.range(0));
    const std::vector<uint8_t> payload(static_cast<size_t>(state.range(1)), 0x5a);
    const mqtt::Publish packet = sample(payload);
    std::vector<uint8_t> bytes(mqtt::encoded_bytes(version, packet));
    ByteWriter out(bytes);
    mqtt::encode(out, version, packet);
    uint64_t checksum = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(bytes.data());
        const auto header = mqtt::read_fixed_header(bytes);
        const auto decoded = mqtt::decode_publish(version, header->flags,
                                                  Bytes(bytes).subspan(header->header_bytes));
        checksum += decoded->payload.size();
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["checksum"] = static_cast<double>(checksum % 1'000'003);
}
BENCHMARK(decode_publish)->ArgNames({"version", "payload"})->ArgsProduct({{4, 5}, {64, 4'096}});

}  // namespace
}  // namespace millrace::perf
