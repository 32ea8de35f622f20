#include "wire/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "wire/fields.h"

namespace millrace {

namespace {

// A number that fills the whole text; nothing else passes, not even a sign.
std::optional<uint32_t> parse_number(std::string_view text, int base) {
    uint32_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, base);
    if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

// An address as one number of 128 bits.
struct Wide {
    uint64_t high = 0;
    uint64_t low = 0;
};

Wide wide(const IpAddress& address) {
    return {wire::load_u64(address.octets.data()), wire::load_u64(address.octets.data() + 8)};
}

// The first `bits` of 64 set; `bits` may pass 64 on either side.
uint64_t leading_ones(int bits) {
    if (bits <= 0) return 0;
    return bits >= 64 ? ~uint64_t{0} : ~(~uint64_t{0} >> bits);
}

uint32_t family_bits(const IpAddress& address) { return address.is_ipv4() ? 32 : 128; }

uint32_t host_bits(const IpPrefix& prefix) {
    const uint32_t bits = family_bits(prefix.address);
    MR_ASSERT(prefix.length_bits <= bits);
    return bits - prefix.length_bits;
}

Wide mask_of(const IpPrefix& prefix) {
    const int bits = 128 - static_cast<int>(host_bits(prefix));
    return {leading_ones(bits), leading_ones(bits - 64)};
}

}  // namespace

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
    MacAddress mac;
    if (text.size() != mac.octets.size() * 3 - 1) return std::nullopt;
    for (size_t index = 0; index < mac.octets.size(); ++index) {
        const std::optional<uint32_t> octet = parse_number(text.substr(index * 3, 2), 16);
        const bool ends_well =
            index + 1 == mac.octets.size() || text[index * 3 + 2] == ':';
        if (!octet || !ends_well) return std::nullopt;
        mac.octets[index] = static_cast<uint8_t>(*octet);
    }
    return mac;
}

std::string MacAddress::text() const {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const uint8_t octet : octets) {
        if (!out.empty()) out += ':';
        out += digits[octet >> 4];
        out += digits[octet & 15];
    }
    return out;
}

bool IpAddress::is_multicast() const {
    return octets[0] == 0xff || (is_ipv4() && (octets[12] & 0xf0) == 0xe0);
}

bool IpAddress::is_link_local() const { return octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80; }

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    // inet_pton wants a zero at the end; an embedded one would hide what follows it.
    if (text.find('\0') != std::string_view::npos) return std::nullopt;
    const std::string terminated(text);
    in_addr ipv4{};
    if (inet_pton(AF_INET, terminated.c_str(), &ipv4) == 1) return from_ipv4(ntohl(ipv4.s_addr));
    IpAddress address;
    if (inet_pton(AF_INET6, terminated.c_str(), address.octets.data()) == 1) return address;
    return std::nullopt;
}

std::string IpAddress::text() const {
    std::array<char, INET6_ADDRSTRLEN> room{};
    const bool as_ipv4 = is_ipv4();
    const uint8_t* from = octets.data() + (as_ipv4 ? 12 : 0);
    const char* written = inet_ntop(as_ipv4 ? AF_INET : AF_INET6, from, room.data(), room.size());
    MR_ASSERT(written != nullptr);
    return written;
}

bool IpPrefix::contains(const IpAddress& other) const {
    if (address.is_ipv4() != other.is_ipv4()) return false;
    const Wide mask = mask_of(*this), ours = wide(address), theirs = wide(other);
    return (((ours.high ^ theirs.high) & mask.high) | ((ours.low ^ theirs.low) & mask.low)) == 0;
}

uint64_t IpPrefix::address_count() const {
    return uint64_t{1} << std::min<uint32_t>(host_bits(*this), 63);
}

IpAddress IpPrefix::at(uint64_t index) const {
    MR_ASSERT(index < address_count());
    const Wide mask = mask_of(*this), ours = wide(address);
    IpAddress result;
    wire::store_u64(result.octets.data(), ours.high & mask.high);
    // The index stays under the bits that the prefix leaves, so nothing carries out of the low
    // half.
    wire::store_u64(result.octets.data() + 8, (ours.low & mask.low) + index);
    return result;
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
    const size_t slash = text.find('/');
    const std::optional<IpAddress> address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    const uint32_t bits_max = family_bits(*address);
    if (slash == std::string_view::npos) {
        return IpPrefix{.address = *address, .length_bits = static_cast<uint8_t>(bits_max)};
    }
    const std::optional<uint32_t> bits = parse_number(text.substr(slash + 1), 10);
    if (!bits || *bits > bits_max) return std::nullopt;
    return IpPrefix{.address = *address, .length_bits = static_cast<uint8_t>(*bits)};
}

std::string IpPrefix::text() const {
    return address.text() + "/" + std::to_string(length_bits);
}

}  // namespace millrace
