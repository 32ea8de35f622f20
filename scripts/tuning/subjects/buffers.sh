# shellcheck shell=bash
# Buffers of one socket.

subject_buffers() {
    subject "Buffers of a socket"
    kernel_tcp "socket buffers" "bytes that one connection may hold in the kernel" || return 0
    sysctl net.ipv4.tcp_rmem exact "4096 131072 1048576" \
        "bytes that one connection may send before they are read: least, first, most" \
        "clients send little; a million of them with the usual 6 MB each is more than there is" \
        "one connection gets at most 1 MiB in a round trip"
    sysctl net.ipv4.tcp_wmem exact "4096 16384 1048576" \
        "bytes that one connection may hold unacknowledged or unsent" \
        "ten thousand clients that stall during a broadcast would take 4 MB each" \
        "one connection gets at most 1 MiB in a round trip"
    sysctl net.ipv4.tcp_notsent_lowat at_most 131072 \
        "bytes of them that aren't on the wire yet" \
        "in millrace's send ring a message is 16 bytes that refer to one copy for all; in the \
kernel it's a copy of its own" \
        "a shard is woken more often for a client that reads fast over a long way"
    sysctl net.core.wmem_max at_least 4194304 \
        "what uring.socket_send_bytes may ask for" \
        "the kernel takes less without saying so" \
        "any program may ask for that much"
}
