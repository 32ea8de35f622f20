"""What passes on the wire, by tcpdump, and what tshark has to say about it."""

import os
import signal
import subprocess
import tempfile
import time

from wire import KERNEL_END, OUR_MAC

# Payload is random: whoever guesses a protocol in it finds it malformed.
TSHARK = ["tshark", "-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
          "-o", "tcp.desegment_tcp_streams:FALSE", "-o", "tcp.analyze_sequence_numbers:FALSE",
          "-d", "tcp.port==1-65535,data"]
BAD = "0"
# Field of tshark: how it's called here.
FIELDS = {
    "frame.number": "number", "frame.len": "bytes", "frame.cap_len": "bytes_captured",
    "_ws.malformed": "malformed", "eth.src": "from_mac", "ip.src": "from_ipv4",
    "ipv6.src": "from_ipv6", "ip.checksum.status": "ip_checksum",
    "tcp.checksum.status": "tcp_checksum", "tcp.checksum": "tcp_checksum_field", "icmp.checksum.status": "icmp_checksum",
    "icmpv6.checksum.status": "icmpv6_checksum", "tcp.srcport": "from_port",
    "tcp.dstport": "to_port", "tcp.len": "payload_bytes", "tcp.flags.reset": "reset",
    "tcp.flags.syn": "syn", "tcp.flags.fin": "fin", "tcp.window_size_value": "window",
    "tcp.options.mss_val": "mss", "icmp.type": "icmp_type", "icmpv6.type": "icmpv6_type",
}
CHECKSUMS = ("ip_checksum", "tcp_checksum", "icmp_checksum", "icmpv6_checksum")


class Capture:
    """Runs until frames() is called; keeps the first `frames_max` frames."""

    def __init__(self, frames_max):
        self.folder = tempfile.TemporaryDirectory(prefix="kernel-peer-")
        self.path = os.path.join(self.folder.name, "frames.pcap")
        self.process = subprocess.Popen(
            ["tcpdump", "-n", "-i", KERNEL_END, "-s", "0", "-B", "16384", "-U", "-Z", "root",
             "--immediate-mode", "-c", str(frames_max), "-w", self.path],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while True:
            line = self.process.stderr.readline()
            if "listening on" in line:
                break
            if not line:
                raise RuntimeError("tcpdump didn't start")

    def stop(self):
        if self.process.poll() is None:
            time.sleep(0.05)  # for what is on its way from the kernel to tcpdump
            self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=20)

    def frames(self):
        """All of them, as dicts of text."""
        self.stop()
        command = TSHARK + ["-r", self.path, "-T", "fields", "-E", "occurrence=f"]
        for field in FIELDS:
            command += ["-e", field]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError("tshark: " + done.stderr)
        return [dict(zip(FIELDS.values(), line.split("\t"))) for line in done.stdout.splitlines()]

    def keep(self, path):
        os.replace(self.path, path)

    def remove(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.folder.cleanup()


def is_bad(frame):
    return bool(frame["malformed"]) or any(frame[name] == BAD and not is_mangled_zero(frame, name)
                                           for name in CHECKSUMS)


def is_mangled_zero(frame, name):
    """The kernel, where it computes in place of a card, writes 0xffff for 0 (CSUM_MANGLED_0): the
    same number to a receiver, who adds everything up. tshark wants 0; from us, so do we."""
    return (name == "tcp_checksum" and frame["from_mac"] != OUR_MAC
            and frame["tcp_checksum_field"] == "0xffff")
