# shellcheck shell=bash
# Local ports of connections that this host opens.

subject_ports() {
    subject "Ports"
    kernel_tcp "port range" "local ports of connections that this host opens" || return 0
    sysctl net.ipv4.ip_local_port_range covers "10240 65535" \
        "local ports of connections that this host opens: load generator, bridges, proxies" \
        "each address can open as many connections to one server as there are ports; \
from 10240 on no server's usual port (1883, 8883) is among them" \
        "a service above 10240 can find its port taken: ip_local_reserved_ports"
}
