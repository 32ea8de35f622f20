"""ethtool, systemctl and others, acting on a copy of a host (tree.py): fake_tools.py TOOL ROOT ...

What changes something is written to ROOT/calls.log. A line of ROOT/fail that stands in the command
line makes it fail; one of ROOT/kill ends the tune.sh that called (SIGTERM for ethtool -K, else
SIGKILL). "ring/rx 2048" in ROOT/clamp is what the card makes of any new value (512 is the old one).
"""

import os
import shutil
import signal
import sys

FEATURES = {
    "rx": "rx-checksumming", "tx": "tx-checksumming", "sg": "scatter-gather",
    "tso": "tcp-segmentation-offload", "gso": "generic-segmentation-offload",
    "gro": "generic-receive-offload", "lro": "large-receive-offload", "rxhash": "receive-hashing",
}
DRIVER = "sys/bus/pci/devices/%s/driver"


class Host:
    def __init__(self, root):
        self.root = root

    def path(self, name):
        return os.path.join(self.root, name)

    def read(self, name, otherwise=None):
        if not os.path.exists(self.path(name)):
            return otherwise
        with open(self.path(name), encoding="utf-8") as file:
            return file.read().strip()

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text + "\n")


def callers():
    """The processes above this one that run tune.sh."""
    process = os.getppid()
    while process > 1:
        with open("/proc/%d/cmdline" % process, "rb") as file:
            if b"tune.sh" in file.read():
                yield process
        with open("/proc/%d/stat" % process, encoding="utf-8") as file:
            process = int(file.read().rsplit(")", 1)[1].split()[1])


def record(host, tool, words):
    line = " ".join([tool] + words)
    with open(host.path("calls.log"), "a", encoding="utf-8") as file:
        file.write(line + "\n")
    for text in (host.read("kill") or "").split("\n"):
        if text and text in line:
            number = signal.SIGTERM if text.startswith("ethtool -K") else signal.SIGKILL
            for process in list(callers()):
                os.kill(process, number)
    for text in (host.read("fail") or "").split("\n"):
        if text and text in line:
            print("netlink error: Invalid argument")
            sys.exit(1)


def set_queues(host, device, count):
    """As a driver does: all that was set on a queue goes with it."""
    folder = "sys/class/net/%s/queues" % device
    template = {"rps_cpus": "0", "rps_flow_cnt": "0", "xps_cpus": "0"}
    names = set(os.listdir(host.path(folder)))
    for name in names:
        if int(name.split("-")[1]) >= count:
            shutil.rmtree(host.path(folder + "/" + name))
    for index in range(count):
        for kind in ("rx", "tx"):
            for file in (("rps_cpus", "rps_flow_cnt") if kind == "rx" else ("xps_cpus",)):
                path = "%s/%s-%d/%s" % (folder, kind, index, file)
                if not os.path.exists(host.path(path)):
                    host.write(path, template[file])


def ethtool(host, words):
    option, device = words[0], words[1]
    kinds = {"l": "queues", "g": "ring", "c": "coalesce", "k": "feature"}
    kind = kinds.get(option[1:].lower())
    folder = "card/%s/%s" % (device, kind)
    if kind is None or not os.path.isdir(host.path(folder)):
        print("netlink error: Operation not supported")
        return 1
    if option[1:].isupper():
        record(host, "ethtool", words)
        key, value = words[2], words[3]
        clamped = (host.read("clamp") or "").split()
        if clamped[:1] == ["%s/%s" % (kind, key)] and value != "512":
            value = clamped[1]
        host.write(folder + "/" + key, value)
        if kind == "queues":
            set_queues(host, device, int(value))
        return 0
    values = {name: host.read(folder + "/" + name) for name in os.listdir(host.path(folder))}
    if kind == "feature":
        print("Features for %s:" % device)
        for key, value in values.items():
            print("%s: %s" % (FEATURES[key], value))
    elif kind == "coalesce":
        print("Coalesce parameters for %s:" % device)
        print("Adaptive RX: %s  TX: %s" % (values["adaptive-rx"], values["adaptive-tx"]))
        print("rx-usecs:\t%s\ntx-usecs:\t%s\nrx-frames:\tn/a" %
              (values["rx-usecs"], values["tx-usecs"]))
    else:
        print_maximums(host, device, kind, values)
    return 0


def print_maximums(host, device, kind, values):
    labels = {"combined": "Combined"}
    print("Parameters for %s:\nPre-set maximums:" % device)
    for key in values:
        print("%s:\t\t%s" % (labels.get(key, key.upper()),
                             host.read("card/%s/%s_max/%s" % (device, kind, key))))
    print("Other:\t\tn/a\nCurrent hardware settings:")
    for key, value in values.items():
        print("%s:\t\t%s" % (labels.get(key, key.upper()), value))


def systemctl(host, words):
    if words[0] == "is-active":
        state = host.read("units/" + words[1], "inactive")
        print(state)
        return 0 if state == "active" else 3
    record(host, "systemctl", words)
    if words[0] in ("start", "stop"):
        host.write("units/" + words[1], "active" if words[0] == "start" else "inactive")
    return 0


def modprobe(host, words):
    record(host, "modprobe", words)
    folders = [host.path("sys/module/vfio_pci"), host.path("sys/bus/pci/drivers/vfio-pci")]
    for folder in folders:
        if words[0] == "-r":
            shutil.rmtree(folder)
        else:
            os.makedirs(folder)
    return 0


def devbind(host, words):
    """Bound to another driver, the card is no network device; bound back, it is one again."""
    record(host, "dpdk-devbind.py", words)
    driver, address = words[0].split("=")[1], words[1]
    link = host.path(DRIVER % address)
    os.unlink(link)
    os.symlink("../../drivers/" + driver, link)
    network, hidden = host.path("sys/class/net"), host.path("hidden")
    if driver == "vfio-pci":
        os.makedirs(hidden, exist_ok=True)
        for name in os.listdir(network):
            device = os.path.join(network, name, "device")
            if os.path.basename(os.path.realpath(device)) == address:
                shutil.move(os.path.join(network, name), os.path.join(hidden, name))
    else:
        for name in os.listdir(hidden):
            shutil.move(os.path.join(hidden, name), os.path.join(network, name))
    return 0


def update_grub(host, words):
    record(host, "update-grub", words)
    return 0


TOOLS = {"ethtool": ethtool, "systemctl": systemctl, "modprobe": modprobe,
         "dpdk-devbind.py": devbind, "update-grub": update_grub}

if __name__ == "__main__":
    sys.exit(TOOLS[sys.argv[1]](Host(sys.argv[2]), sys.argv[3:]))
