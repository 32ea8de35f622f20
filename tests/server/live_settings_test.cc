#include "server/live_settings.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>

using namespace millrace;

namespace {

Config config_number(uint16_t number) {
    Config config;
    config.mqtt.receive_maximum = number;
    config.mqtt.denied_filters = {std::string(100, 'x') + std::to_string(number)};
    return config;
}

}  // namespace

TEST_CASE("live settings: what a shard still works with is kept, the rest is freed") {
    LiveBoard board(config_number(1), 2);
    CHECK(board.is_taken_by_all());  // nobody runs
    board.seat_shards();
    const LiveSettings& first = board.newest();
    board.took(0, first);
    board.took(1, first);
    board.post(config_number(2));
    board.post(config_number(3));
    CHECK(board.kept_count() == 3);
    CHECK_FALSE(board.is_taken_by_all());
    CHECK(first.broker.mqtt.receive_maximum == 1);
    board.took(0, board.newest());
    CHECK_FALSE(board.is_taken_by_all());
    CHECK(first.broker.mqtt.denied_filters.front().ends_with("x1"));
    board.took(1, board.newest());
    CHECK(board.is_taken_by_all());
    CHECK(board.kept_count() == 1);
    CHECK(board.newest().broker.mqtt.receive_maximum == 3);
}

TEST_CASE("live settings: a shard that has left holds nothing back") {
    LiveBoard board(config_number(1), 2);
    board.seat_shards();
    board.left(0);
    board.post(config_number(2));
    CHECK_FALSE(board.is_taken_by_all());
    board.left(1);
    CHECK(board.is_taken_by_all());
}

TEST_CASE("live settings: shards that take them at any moment only see whole, living ones") {
    constexpr uint16_t last = 300;
    LiveBoard board(config_number(1), 3);
    board.seat_shards();
    std::vector<std::thread> shards;
    std::atomic<uint32_t> faults{0};
    for (uint32_t shard = 0; shard < 3; ++shard) {
        shards.emplace_back([&, shard] {
            const LiveSettings* live = &board.newest();
            board.took(shard, *live);
            while (live->broker.mqtt.receive_maximum != last) {
                const MqttLimits& limits = live->broker.mqtt;
                faults += !limits.denied_filters.front().ends_with(
                    "x" + std::to_string(limits.receive_maximum));
                if (const LiveSettings& newest = board.newest(); &newest != live) {
                    live = &newest;
                    board.took(shard, newest);
                }
            }
            board.left(shard);
        });
    }
    for (uint16_t number = 2; number <= last; ++number) {
        board.post(config_number(number));
        std::this_thread::yield();
    }
    for (std::thread& shard : shards) shard.join();
    CHECK(faults == 0);
    CHECK(board.is_taken_by_all());
}
