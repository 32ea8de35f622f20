#!/usr/bin/env python3
"""`millrace doctor` as a process: on hosts made of files, and on this one.

    doctor_end_to_end.py MILLRACE [unittest arguments]
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

MILLRACE = ""
SUBJECTS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "../../scripts/tuning/subjects")
FIELDS = {"id", "severity", "what", "found", "wanted", "cost", "mend"}
NOTHING, USAGE, SLOWER, LIMITED = 0, 2, 3, 4  # src/server/exit_codes.h


class Host:
    """A folder with proc and sys of a host that wants for nothing but what a test takes away."""

    def __init__(self, folder, cores=2, nodes=1):
        self.folder = folder
        self.cores = cores
        self.write("proc/sys/kernel/osrelease", "6.12.5")
        self.write("proc/meminfo", "MemTotal: 33554432 kB\nHugePages_Total: 1024\n"
                                   "HugePages_Free: 1024\nHugepagesize: 2048 kB")
        self.write("proc/self/limits", "Max open files  1024  1048576  files\n"
                                       "Max locked memory  8388608  8388608  bytes")
        self.write("proc/self/status", f"CapEff:\t0000000000000000\n"
                                       f"Cpus_allowed_list:\t0-{cores - 1}")
        self.write("sys/devices/system/cpu/online", f"0-{cores - 1}")
        self.write("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc")
        each = cores // nodes
        for node in range(nodes):
            place = f"sys/devices/system/node/node{node}"
            self.write(place + "/cpulist", f"{node * each}-{node * each + each - 1}")
            pages = place + "/hugepages/hugepages-2048kB"
            self.write(pages + "/nr_hugepages", "512")
            self.write(pages + "/free_hugepages", "512")
        for core in range(cores):
            self.write(f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor", "performance")
        for name, value in {"fs/nr_open": "1048576", "fs/file-max": "9000000",
                            "net/core/somaxconn": "65535", "net/core/wmem_max": "4194304",
                            "net/core/default_qdisc": "fq",
                            "net/ipv4/tcp_max_syn_backlog": "65535",
                            "net/ipv4/tcp_mem": "1000000 2000000 3000000",
                            "net/ipv4/tcp_congestion_control": "bbr",
                            "net/ipv4/ip_local_port_range": "4096 65535"}.items():
            self.write("proc/sys/" + name, value)

    def write(self, path, text):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(text + "\n")

    def make_unreadable(self, path):
        """A folder in a file's place: not even root reads it."""
        path = os.path.join(self.folder, path)
        if os.path.exists(path):
            os.remove(path)
        os.makedirs(path)

    def add_card(self, name, interrupts, node=-1):
        """A receive queue for each core of `interrupts`, where its interrupt goes."""
        place = f"sys/class/net/{name}"
        self.write(place + "/operstate", "up")
        self.write(place + "/device/numa_node", str(node))
        table = "     CPU0"
        for queue, core in enumerate(interrupts):
            irq = 50 + queue
            self.write(f"{place}/queues/rx-{queue}/rps_cpus", "0")
            self.write(f"{place}/device/msi_irqs/{irq}", "msix")
            self.write(f"proc/irq/{irq}/effective_affinity_list", str(core))
            table += f"\n {irq}: 1 PCI-MSI {irq}-edge {name}-TxRx-{queue}"
        self.write("proc/interrupts", table)


class DoctorTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="doctor-")
        self.addCleanup(self.folder.cleanup)
        self.root = os.path.join(self.folder.name, "root")
        self.config = os.path.join(self.folder.name, "millrace.toml")
        self.configure('listen = ["0.0.0.0:1883"]\n[shards]\nconnections_max = 100_000\n')

    def configure(self, text):
        with open(self.config, "w", encoding="ascii") as file:
            file.write(text)

    def run_doctor(self, *arguments):
        return subprocess.run([MILLRACE, "doctor", *arguments], capture_output=True, text=True,
                              timeout=30, check=False)

    def examine(self, status):
        """The answer in JSON, its status checked; what is printed as text has the same findings."""
        options = ("--config", self.config, "--root", self.root)
        done = self.run_doctor(*options, "--json")
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.returncode, status, done.stdout)
        answer = json.loads(done.stdout)
        self.assertEqual(set(answer), {"findings", "facts"})
        as_text = self.run_doctor(*options)
        self.assertEqual(as_text.returncode, status)
        at = 0
        for finding in answer["findings"]:
            self.assertEqual(set(finding), FIELDS)
            self.assertNotIn("", finding.values())
            for named in re.findall(r"tune\.sh \w+ --only (\S+)", finding["mend"]):
                for subject in named.split(","):
                    self.assertIn(subject + ".sh", os.listdir(SUBJECTS))
            at = as_text.stdout.find(f"{finding['severity'].upper()} {finding['id']}: ", at)
            self.assertGreaterEqual(at, 0, "in the same order: " + finding["id"])
        return answer

    def ids(self, answer):
        return [finding["id"] for finding in answer["findings"]]


class ShapesTest(DoctorTest):
    def test_a_good_host_has_no_findings(self):
        Host(self.root).add_card("eth0", [0, 1], 0)
        self.assertEqual(self.ids(self.examine(NOTHING)), [])

    def test_one_queue(self):
        Host(self.root, cores=4).add_card("eth0", [0], 0)
        answer = self.examine(SLOWER)
        self.assertEqual(self.ids(answer), ["card_queues"])
        self.assertEqual(answer["facts"]["network"]["cards"][0]["receive_queues"], 1)
        self.assertIn("tune.sh apply", answer["findings"][0]["mend"])
        self.assertEqual(answer["findings"][0]["cost"], "not measured")

    def test_more_queues_than_cores(self):
        Host(self.root).add_card("eth0", [0, 1, 0, 1, 0, 1], 0)
        answer = self.examine(NOTHING)
        self.assertEqual([(one["id"], one["severity"]) for one in answer["findings"]],
                         [("card_queues", "note")])

    def test_interrupts_of_all_queues_on_one_core(self):
        Host(self.root).add_card("eth0", [1, 1], 0)
        self.assertEqual(self.ids(self.examine(SLOWER)), ["interrupts"])

    def test_two_nodes(self):
        Host(self.root, cores=4, nodes=2).add_card("eth0", [0, 1, 2, 3], 1)
        answer = self.examine(SLOWER)
        self.assertEqual(self.ids(answer), ["card_node"])
        self.assertEqual(answer["findings"][0]["mend"], 'shards.cpus = "2-3"')
        self.assertEqual([core["node"] for core in answer["facts"]["cores"]], [0, 0, 1, 1])
        self.configure('listen = ["0.0.0.0:1883"]\n[shards]\ncpus = "2-3"\n'
                       'connections_max = 100_000\n')
        self.assertEqual(self.ids(self.examine(NOTHING)), ["card_queues"])  # a note: four for two

    def test_no_card(self):
        Host(self.root)
        self.assertEqual(self.ids(self.examine(NOTHING)), ["no_card"])

    def test_files_that_cannot_be_read(self):
        host = Host(self.root)
        host.add_card("eth0", [0, 1], 0)
        host.make_unreadable("proc/sys/net/core/somaxconn")
        host.make_unreadable("proc/self/limits")
        answer = self.examine(NOTHING)
        self.assertEqual(self.ids(answer), ["unreadable"])
        self.assertEqual([line.split(":")[0] for line in answer["facts"]["unreadable"]],
                         ["proc/self/limits", "proc/sys/net/core/somaxconn"])
        self.assertIsNone(answer["facts"]["limits"]["accept_queue"])

    def test_limits_below_the_configuration_come_first(self):
        host = Host(self.root)
        host.add_card("eth0", [0], 0)
        host.write("proc/self/limits", "Max open files  1024  20000  files")
        answer = self.examine(LIMITED)
        self.assertEqual(self.ids(answer), ["open_files", "card_queues"])
        self.assertEqual(answer["findings"][0]["cost"],
                         "40000 connections instead of 200000")

    def test_a_kernel_that_is_too_old_blocks(self):
        host = Host(self.root)
        host.add_card("eth0", [0, 1], 0)
        host.write("proc/sys/kernel/osrelease", "5.10.0-28-amd64")
        answer = self.examine(LIMITED)
        self.assertEqual(answer["findings"][0]["id"], "io_uring")
        self.assertEqual(answer["findings"][0]["severity"], "blocks")


    def test_a_host_as_it_comes_gets_commands_that_exist(self):
        """Whatever tune.sh mends is worsened; examine() looks the names up."""
        host = Host(self.root, cores=4)
        host.add_card("eth0", [0], 0)
        host.write("proc/9/comm", "irqbalance")
        for name, value in {"fs/nr_open": "1000", "fs/file-max": "1000",
                            "net/core/somaxconn": "128", "net/ipv4/tcp_syncookies": "0",
                            "net/ipv4/tcp_max_syn_backlog": "128",
                            "net/ipv4/tcp_mem": "1 2 3", "net/netfilter/nf_conntrack_max": "10",
                            "net/netfilter/nf_conntrack_count": "1",
                            "net/ipv4/ip_local_port_range": "32768 60999"}.items():
            host.write("proc/sys/" + name, value)
        host.write("proc/self/limits", "Max open files  1024  2000  files")
        cpu = "sys/devices/system/cpu/cpu0/"
        host.write(cpu + "cpufreq/scaling_governor", "powersave")
        host.write(cpu + "cpuidle/state1/latency", "133")
        pages = "sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages"
        host.write(pages, "0")
        self.assertEqual(self.ids(self.examine(LIMITED)),
                         ["file_max", "conntrack", "nr_open", "open_files", "accept_queue",
                          "handshake_queue", "tcp_memory", "card_queues", "governor",
                          "idle_states", "huge_pages", "port_range"])


class ArgumentsTest(DoctorTest):
    def test_a_wrong_configuration_is_refused(self):
        self.configure("[shards]\nconnections_max = 0\n")
        done = self.run_doctor("--config", self.config)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("connections_max", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_a_root_without_a_host_is_refused(self):
        os.mkdir(self.root)
        done = self.run_doctor("--root", self.root)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn(self.root, done.stderr)

    def test_help_names_the_statuses(self):
        done = self.run_doctor("--help")
        self.assertEqual(done.returncode, NOTHING)
        self.assertIn("Status: 0", done.stdout)


class ThisHostTest(DoctorTest):
    def test_it_is_read_and_asked(self):
        """What is compared is what this test can read itself."""
        done = self.run_doctor("--config", self.config, "--json")
        self.assertEqual(done.stderr, "")
        self.assertIn(done.returncode, (NOTHING, SLOWER, LIMITED))
        facts = json.loads(done.stdout)["facts"]
        self.assertEqual(facts["release"], os.uname().release)
        self.assertEqual(facts["cores_usable"], sorted(os.sched_getaffinity(0)))
        self.assertTrue(facts["io_uring"]["probed"])
        self.assertGreater(facts["clock"]["read_ns"], 0)
        names = {card["name"] for card in facts["network"]["cards"]}
        self.assertLessEqual({"lo"} & set(os.listdir("/sys/class/net")), names)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("doctor_end_to_end.py: the path of millrace is missing")
    MILLRACE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
