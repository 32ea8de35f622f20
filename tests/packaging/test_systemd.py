"""The package under a systemd of its own: the unit's limits and hardening are in force, an upgrade
cuts nobody off, and a removal leaves neither a server nor a setting behind."""

import os
import re

import case
import installed
from installed import Client, InstalledTest

PORTS = "/proc/sys/net/ipv4/ip_local_port_range"
LOG = "/run/millrace.log"


def setUpModule():
    installed.enter_network()


class Service(InstalledTest):
    systemd = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # There is no journal in that machine.
        drop_in = "[Service]\nStandardOutput=append:%s\nStandardError=append:%s\n" % (LOG, LOG)
        cls.machine.write("/run/systemd/system/millrace.service.d/90-test.conf", drop_in)
        cls.machine.run("systemctl", "daemon-reload")

    def property(self, name):
        return self.machine.run("systemctl", "show", "--value", "--property", name,
                                "millrace").stdout.strip()

    def start(self):
        done = self.machine.run("systemctl", "start", "millrace", status=None)
        said = self.machine.read(LOG) if self.machine.exists(LOG) else ""
        state = self.machine.run("systemctl", "status", "millrace", status=None).stdout
        self.assertEqual(done.returncode, 0, state + said)
        installed.sleep_until(installed.listens, "the server listens")

    def test_from_installation_to_purge(self):
        """One test, since each step needs the one before."""
        self.assertEqual(self.property("ActiveState"), "inactive")
        self.assertEqual(self.property("UnitFileState"), "disabled")
        self.machine.run("systemctl", "enable", "millrace")
        self.start()
        self.check_confinement()
        self.check_reload_and_wrong_configuration()
        self.change_configuration()
        self.check_upgrade_cuts_nobody_off()
        self.check_drain_outlasts_the_time_to_stop()
        self.check_removal()
        self.check_removed_and_purged()

    def check_confinement(self):
        """Of the process as systemd started it, with the seccomp filter above all."""
        number = self.property("MainPID")
        status = self.machine.read("/proc/%s/status" % number)
        for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000"):
            self.assertIn(line, status)
        self.assertIn("io_uring", self.machine.read(LOG))
        self.assertNotIn("is not pinned", self.machine.read(LOG))
        limits = self.machine.read("/proc/%s/limits" % number)
        self.assertIn(installed.attainable_limit(self.unit, "LimitNOFILE"), limits)
        mounts = self.machine.read("/proc/%s/mounts" % number)
        root = [line for line in mounts.splitlines() if line.split()[1] == "/"][-1]
        self.assertIn("ro", root.split()[3].split(","))
        client = Client("confined")
        self.assertEqual(client.exchange(b"x" * 200_000), b"x" * 200_000)
        client.close()

    def check_reload_and_wrong_configuration(self):
        """A reload with a wrong file fails and says why, and the server goes on."""
        good, number = self.machine.read(case.CONFIG), self.property("MainPID")
        self.machine.write(case.CONFIG, good + "[colours]\n")
        done = self.machine.run("systemctl", "reload", "millrace", status=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("colours", self.machine.read(LOG))
        self.machine.write(case.CONFIG, good)
        self.assertEqual((self.property("ActiveState"), self.property("MainPID")),
                         ("active", number))
        self.machine.run("systemctl", "reload", "millrace")
        installed.sleep_until(lambda: "configuration reloaded" in self.machine.read(LOG),
                              "the file is read again")
        self.assertEqual((self.property("ActiveState"), self.property("MainPID")),
                         ("active", number))

    def check_upgrade_cuts_nobody_off(self):
        client, number = Client("upgraded"), self.property("MainPID")
        self.assertIn("goes on running as version", self.upgrade())
        self.check_configuration_is_kept()
        self.assertEqual(self.property("MainPID"), number)
        self.assertEqual(self.property("UnitFileState"), "enabled")
        self.assertEqual(self.property("NeedDaemonReload"), "no")
        self.assertEqual(client.exchange(b"still here"), b"still here")
        self.machine.run("systemctl", "restart", "millrace")
        self.assertTrue(client.is_cut())
        client.close()
        installed.sleep_until(installed.listens, "the new version listens")
        self.assertNotEqual(self.property("MainPID"), number)

    def check_drain_outlasts_the_time_to_stop(self):
        """Nine clients at three a second take three seconds; one is all that systemd grants."""
        drop_in = "/run/systemd/system/millrace.service.d/91-stop.conf"
        self.machine.write(drop_in, "[Service]\nTimeoutStopSec=1\n")
        self.machine.run("systemctl", "daemon-reload")
        self.set_key("\n#rate = 0\n", "\nrate = 3\n")
        self.machine.run("systemctl", "reload", "millrace")
        clients = [Client("drained-%d" % index) for index in range(9)]
        self.machine.run("systemctl", "stop", "millrace")
        self.assertEqual(self.property("Result"), "success")
        ended = re.findall(r"drain ended .*", self.machine.read(LOG))[-1]
        self.assertIn("cut_short=false", ended)
        self.assertIn("told=%d " % len(clients), ended)
        self.assertGreater(int(re.search(r"took_ms=(\d+)", ended).group(1)), 1_000)
        for client in clients:
            self.assertTrue(client.is_cut())
            client.close()
        os.remove(self.machine.path(drop_in))
        self.machine.run("systemctl", "daemon-reload")
        self.start()

    def check_removal(self):
        before = self.machine.read(PORTS)
        self.machine.run("millrace-tune", "apply", "--only", "ports")
        self.assertNotEqual(self.machine.read(PORTS), before)
        client = Client("removed")
        said = self.machine.run("dpkg", "--remove", "millrace").stdout
        self.assertIn("Taking back what millrace-tune has set", said)
        self.assertEqual(self.machine.read(PORTS), before)
        self.assertTrue(client.is_cut())
        client.close()
        self.assertFalse(installed.listens())
        self.assertIn(self.property("LoadState"), ("not-found", "masked"))
