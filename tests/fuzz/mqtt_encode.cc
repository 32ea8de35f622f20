// Any legal packet value, built from the fuzzer's bytes, is encoded in the bytes that were
// promised, and decodes to itself.
#include "byte_source.h"
#include "codec/packet_equal.h"
#include "codec/packet_io.h"
#include "codec/packet_maker.h"
#include "fuzz_target.h"

using namespace millrace;
using namespace millrace::mqtt;

namespace {

template <class T>
void check(Kind kind, const T& packet) {
    const std::vector<uint8_t> bytes = encode_packet(kind, packet);
    const Result<FixedHeader> header = read_fixed_header(bytes);
    MR_ASSERT(header.has_value());
    MR_ASSERT(header->type == kind.type);
    MR_ASSERT(header->packet_bytes() == bytes.size());
    kind.flags = header->flags;
    bool same = false;
    decode_packet(kind, Bytes(bytes).subspan(header->header_bytes), [&](const auto& decoded) {
        MR_ASSERT(decoded.has_value());
        if constexpr (requires { equal(*decoded, packet); }) same = equal(*decoded, packet);
    });
    MR_ASSERT(same);
}

void make_and_check(Kind kind, PacketMaker& make) {
    const Version version = kind.version;
    switch (kind.type) {
    case PacketType::connect: return check(kind, make.connect(version));
    case PacketType::connack: return check(kind, make.connack(version));
    case PacketType::publish: return check(kind, make.publish(version));
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp: return check(kind, make.ack(version, kind.type));
    case PacketType::subscribe: return check(kind, make.subscribe(version));
    case PacketType::suback:
    case PacketType::unsuback: return check(kind, make.subscribe_ack(version, kind.type));
    case PacketType::unsubscribe: return check(kind, make.unsubscribe(version));
    case PacketType::disconnect: return check(kind, make.disconnect(version));
    case PacketType::auth: return check({Version::v5, kind.type}, make.auth());
    case PacketType::pingreq:
    case PacketType::pingresp: return;  // constants
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    ByteSource source(Bytes(data, size));
    for (uint32_t packets = 0; packets < 4 && !source.empty(); ++packets) {
        const Version version = source.below(2) == 0 ? Version::v5 : Version::v3_1_1;
        const PacketType type = static_cast<PacketType>(1 + source.below(15));
        PacketMaker make([&source](uint32_t bound) { return source.below(bound); });
        make_and_check({version, type}, make);
    }
    return 0;
}
