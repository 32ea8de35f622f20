// Any bytes as a stream of packets: framed, decoded for both versions, and what decodes must be
// encoded to bytes that decode to an equal value.
#include <memory>

#include "codec/mqtt/fixed_header.h"
#include "codec/packet_equal.h"
#include "codec/packet_io.h"
#include "fuzz_target.h"

using namespace millrace;
using namespace millrace::mqtt;

namespace {

template <class T>
void check_again(Kind kind, const T& packet) {
    const std::vector<uint8_t> bytes = encode_packet(kind, packet);
    const Result<FixedHeader> header = read_fixed_header(bytes);
    MR_ASSERT(header.has_value());
    MR_ASSERT(header->type == kind.type);
    MR_ASSERT(header->flags == kind.flags);
    MR_ASSERT(header->packet_bytes() == bytes.size());
    bool same = false;
    decode_packet(kind, Bytes(bytes).subspan(header->header_bytes), [&](const auto& decoded) {
        MR_ASSERT(decoded.has_value());
        if constexpr (requires { equal(*decoded, packet); }) same = equal(*decoded, packet);
    });
    MR_ASSERT(same);
}

void check_body(Kind kind, Bytes body) {
    decode_packet(kind, body, [kind](const auto& decoded) {
        if (!decoded) {
            MR_ASSERT(is_error(decoded.error()));
        } else if constexpr (requires { equal(*decoded, *decoded); }) {
            Kind again = kind;
            // A CONNECT says its version itself; the others are told.
            if constexpr (requires { decoded->version; }) again.version = decoded->version;
            check_again(again, *decoded);
        }
    });
}

// What isn't complete yet must not become malformed only because it was cut: the verdict on a
// prefix is "incomplete" or the final one.
void check_framing(Bytes bytes, const Result<FixedHeader>& whole) {
    for (size_t count = 0; count < 6 && count < bytes.size(); ++count) {
        const Result<FixedHeader> part = read_fixed_header(bytes.first(count));
        if (part) {
            MR_ASSERT(whole.has_value());
            MR_ASSERT(part->packet_bytes() == whole->packet_bytes());
        } else if (part.error() == Errc::malformed) {
            MR_ASSERT(!whole.has_value());
            MR_ASSERT(whole.error() == Errc::malformed);
        } else {
            MR_ASSERT(part.error() == Errc::incomplete);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Bytes rest(data, size);
    while (!rest.empty()) {
        const Result<FixedHeader> header = read_fixed_header(rest);
        check_framing(rest, header);
        if (!header || header->packet_bytes() > rest.size()) return 0;
        const Bytes body = rest.subspan(header->header_bytes, header->remaining_bytes);
        // A copy of the exact length, so that a sanitizer sees a read past the packet.
        const auto exact = std::make_unique<uint8_t[]>(body.size());
        std::copy(body.begin(), body.end(), exact.get());
        const Bytes alone(exact.get(), body.size());
        check_body({Version::v3_1_1, header->type, header->flags}, alone);
        check_body({Version::v5, header->type, header->flags}, alone);
        rest = rest.subspan(header->packet_bytes());
    }
    return 0;
}
