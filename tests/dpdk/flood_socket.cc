#include "flood_socket.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace millrace::test {
namespace {

void check(int result, const char* what) {
    if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

Mac mac_of(int descriptor, const std::string& interface) {
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    check(::ioctl(descriptor, SIOCGIFHWADDR, &request), "SIOCGIFHWADDR");
    Mac mac;
    std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
    return mac;
}

}  // namespace

FloodSocket::FloodSocket(const std::string& interface, bool listens)
    : descriptor_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)), frames_(batch_count_max) {
    check(descriptor_, "socket");
    const int on = 1;
    check(::setsockopt(descriptor_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)),
          "PACKET_QDISC_BYPASS");
    mac_ = mac_of(descriptor_, interface);
    // All SYN-ACKs of a table come again at the same time.
    const int receive_bytes = 16 << 20;
    if (listens) {
        check(::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes,
                           sizeof(receive_bytes)),
              "SO_RCVBUFFORCE");
    }
    sockaddr_ll place{};
    place.sll_family = AF_PACKET;
    place.sll_protocol = listens ? htons(ETH_P_ALL) : 0;
    place.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    check(::bind(descriptor_, reinterpret_cast<sockaddr*>(&place), sizeof(place)), "bind");
    lengths_.reserve(batch_count_max);
}

FloodSocket::~FloodSocket() {
    ::close(descriptor_);
}

std::span<uint8_t> FloodSocket::room() {
    return frames_[lengths_.size()];
}

void FloodSocket::commit(size_t bytes) {
    lengths_.push_back(bytes);
    if (lengths_.size() == batch_count_max) flush();
}

void FloodSocket::flush() {
    std::array<iovec, batch_count_max> parts{};
    std::array<mmsghdr, batch_count_max> messages{};
    const size_t count = lengths_.size();
    for (size_t index = 0; index < count; ++index) {
        parts[index] = {frames_[index].data(), lengths_[index]};
        messages[index].msg_hdr.msg_iov = &parts[index];
        messages[index].msg_hdr.msg_iovlen = 1;
    }
    for (size_t done = 0; done < count;) {
        const int sent =
            ::sendmmsg(descriptor_, &messages[done], static_cast<unsigned>(count - done), 0);
        if (sent > 0) {
            done += static_cast<size_t>(sent);
            sent_count_ += static_cast<uint64_t>(sent);
            continue;
        }
        if (sent < 0 && errno == EINTR) continue;
        if (errno != ENOBUFS && errno != EAGAIN) check(-1, "sendmmsg");
        ++refused_count_;  // the first of the rest
        ++done;
    }
    lengths_.clear();
}

Bytes FloodSocket::receive() {
    const ssize_t bytes = ::recv(descriptor_, received_.data(), received_.size(), MSG_DONTWAIT);
    if (bytes < 0 && errno != EAGAIN && errno != EINTR) check(-1, "recv");
    return Bytes(received_).first(static_cast<size_t>(std::max<ssize_t>(bytes, 0)));
}

}  // namespace millrace::test
