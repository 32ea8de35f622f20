#include "port/capture.h"

#include <doctest/doctest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include <unistd.h>

using namespace millrace;

namespace {

struct CaptureFile {
    std::string path = "/tmp/millrace-capture-" + std::to_string(::getpid()) + ".pcap";
    ~CaptureFile() { ::unlink(path.c_str()); }

    std::string read() const {
        std::ifstream file(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
};

uint32_t word_at(const std::string& bytes, size_t offset) {
    uint32_t word = 0;
    REQUIRE(bytes.size() >= offset + sizeof(word));
    std::memcpy(&word, bytes.data() + offset, sizeof(word));
    return word;
}

std::vector<uint8_t> frame_of(std::string_view text) { return {text.begin(), text.end()}; }

void record(Capture& capture, std::string_view first, std::string_view second = "") {
    const std::vector<uint8_t> one = frame_of(first);
    const std::vector<uint8_t> other = frame_of(second);
    const Bytes parts[] = {one, other};
    capture.record(parts);
}

}  // namespace

TEST_CASE("capture: the file's header says nanoseconds and Ethernet") {
    const CaptureFile file;
    { REQUIRE(Capture::create(file.path, 1'000)); }
    const std::string bytes = file.read();
    REQUIRE(bytes.size() == 24);
    CHECK(word_at(bytes, 0) == 0xa1b2'3c4d);
    CHECK(word_at(bytes, 16) == 65'535);
    CHECK(word_at(bytes, 20) == 1);
}

TEST_CASE("capture: a frame in parts is one record") {
    const CaptureFile file;
    {
        auto capture = Capture::create(file.path, 1'000);
        REQUIRE(capture);
        record(**capture, "header", "payload");
    }
    const std::string bytes = file.read();
    REQUIRE(bytes.size() == 24 + 16 + 13);
    CHECK(word_at(bytes, 24 + 4) < 1'000'000'000);
    CHECK(word_at(bytes, 24 + 8) == 13);
    CHECK(word_at(bytes, 24 + 12) == 13);
    CHECK(bytes.substr(40) == "headerpayload");
}

TEST_CASE("capture: a record that would pass the bound is left out and counted") {
    const CaptureFile file;
    {
        auto capture = Capture::create(file.path, 24 + 16 + 10);
        REQUIRE(capture);
        record(**capture, "0123456789");
        record(**capture, "x");
        CHECK((*capture)->skipped_count() == 1);
    }
    CHECK(file.read().size() == 50);
}

TEST_CASE("capture: a frame longer than a record may be is cut, and says its length") {
    const CaptureFile file;
    {
        auto capture = Capture::create(file.path, 200'000);
        REQUIRE(capture);
        record(**capture, std::string(60'000, 'a'), std::string(10'000, 'b'));
    }
    const std::string bytes = file.read();
    REQUIRE(bytes.size() == 24 + 16 + 65'535);
    CHECK(word_at(bytes, 24 + 8) == 65'535);
    CHECK(word_at(bytes, 24 + 12) == 70'000);
}

TEST_CASE("capture: a path that can't be written is an error that names it") {
    const auto capture = Capture::create("/nonexistent/x.pcap", 1'000);
    REQUIRE_FALSE(capture);
    CHECK(capture.error().message.find("/nonexistent/x.pcap") != std::string::npos);
}
