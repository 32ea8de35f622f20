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
TESTS = os.path.dirname(os.path.abspath(__file__))
SUBJECTS = os.path.join(TESTS, "../../scripts/tuning/subjects")
DOCTOR = os.path.join(TESTS, "../../src/server/doctor")
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
        """`text`: or bytes, which may be anything."""
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write((text if isinstance(text, bytes) else text.encode("ascii")) + b"\n")

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
            for named in re.findall(r"tune(?:\.sh)? \w+ --only (\S+)", finding["mend"]):
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
                          "idle_states", "huge_pages"])


class HostileTest(DoctorTest):
    """Whatever stands in the files, the answer is JSON and a status of ours."""

    TEXTS = (b"\xff\xfe\x80 \xed\xa0\x80 \"\\", b"\x00\x1b[2J\x07\n\x00", b"-1", b"1e9",
             b"18446744073709551615", b"99999999999999999999999999", b"0", b"",
             b"18446744073709551615 18446744073709551615 18446744073709551615",
             b"0-18446744073709551615", b"4294967296", b"f" * 5000)

    def files(self):
        for folder, _, names in os.walk(self.root):
            for name in names:
                yield os.path.relpath(os.path.join(folder, name), self.root)

    def check(self):
        for options in (("--json",), ()):
            done = subprocess.run(
                [MILLRACE, "doctor", "--config", self.config, "--root", self.root, *options],
                capture_output=True, timeout=30, check=False)
            self.assertEqual(done.stderr, b"")
            self.assertIn(done.returncode, (NOTHING, SLOWER, LIMITED))
            if options:
                json.loads(done.stdout.decode("utf-8"))
            else:
                self.assertNotRegex(done.stdout, rb"[\x00-\x09\x0b-\x1f\x7f]")

    def test_every_file_at_once(self):
        host = Host(self.root)
        host.add_card("eth0", [0, 1], 0)
        files = sorted(self.files())
        for text in self.TEXTS:
            for path in files:
                host.write(path, text)
            self.check()

    def test_tables_with_numbers_and_names_that_are_anything(self):
        host = Host(self.root)
        host.add_card("eth0", [0, 1], 0)
        for number in (b"0", b"1", b"18446744073709551615", b"99999999999999999999"):
            lines = [name + b": " + number + b" kB" for name in (
                b"MemTotal", b"SwapTotal", b"HugePages_Total", b"HugePages_Free", b"Hugepagesize")]
            host.write("proc/meminfo", b"\n".join(lines))
            host.write("proc/self/limits", b"Max open files %s %s files" % (number, number))
            host.write("proc/sys/net/netfilter/nf_conntrack_max", number)
            host.write("proc/sys/net/netfilter/nf_conntrack_count", b"1")
            host.write("proc/self/cgroup", b"0::/\xff/../..\n4:memory:/" + number)
            host.write("sys/fs/cgroup/memory.max", number)
            host.write("proc/interrupts", b" 50: 1 \xff-eth0-TxRx-0\n" + number + b": \x1b \x1b -1")
            self.check()
        for name in (b"\xff\x1b", b"$(reboot)", b"'", b"a\nb"):
            host.write(os.path.join("sys/class/net", os.fsdecode(name), "operstate"), b"up")
            host.write(os.path.join("sys/class/net", os.fsdecode(name), "device/class"), b"")
            host.write(os.path.join("sys/class/net", os.fsdecode(name), "queues/rx-0/x"), b"")
        self.check()


class IdsTest(unittest.TestCase):
    def test_every_id_is_documented_and_tested(self):
        ids = set()
        for name in os.listdir(DOCTOR):
            if name.endswith(".cc"):
                with open(os.path.join(DOCTOR, name), encoding="ascii") as file:
                    text = file.read()
                for pattern in (r'\.id = "(\w+)"', r'refuse\(\s*findings,\s*"(\w+)"',
                                r'\{"(\w+)", &UringFacts'):
                    ids.update(re.findall(pattern, text))
        self.assertGreater(len(ids), 40)
        with open(os.path.join(DOCTOR, "README.md"), encoding="utf-8") as file:
            table = [line for line in file if line.startswith("| `")]
        documented = {word for line in table for word in re.findall(r"`(\w+)`", line.split("|")[1])}
        with open(os.path.join(TESTS, "doctor_judge_test.cc"), encoding="ascii") as file:
            tests = file.read()
        for one in sorted(ids):
            with self.subTest(one):
                self.assertIn(one, documented)
                self.assertIn('"%s"' % one, tests)


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
