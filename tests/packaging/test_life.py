"""A package's life without systemd: installed, started by its unit's command line, upgraded with
its configuration kept, removed, purged. In a copy of this system, with real dpkg."""

import unittest

import case
import installed
from installed import Client, InstalledTest, Started


def setUpModule():
    installed.enter_network()


class Life(InstalledTest):
    def test_from_installation_to_purge(self):
        """One test, since each step needs the one before."""
        self.check_installed()
        self.check_page_of_the_manual()
        self.check_runs_as_the_unit_says()
        self.change_configuration()
        self.upgrade()
        self.check_configuration_is_kept()
        self.check_runs_as_the_unit_says()
        self.machine.run("dpkg", "--remove", "millrace")
        self.check_removed_and_purged()

    def check_installed(self):
        user = self.machine.run("getent", "passwd", "millrace").stdout.strip().split(":")
        self.assertEqual(user[-1], "/usr/sbin/nologin")
        self.assertFalse(installed.listens(), "nothing is started by the installation")
        self.machine.run("millrace", "serve", "--config", case.CONFIG, "--check")
        # Through its link it finds its own parts.
        self.assertIn("ip_local_port_range", self.machine.run(
            "millrace-tune", "check", "--only", "ports", status=None).stdout)
        said = self.machine.run("systemd-analyze", "verify", "--man=no", case.UNIT).stdout
        self.assertNotIn("millrace", said)

    def check_page_of_the_manual(self):
        for name in ("millrace", "millrace-tune"):
            said = self.machine.run("sh", "-c", "zcat /usr/share/man/man8/%s.8.gz | "
                                    "groff -man -Tutf8 -ww -b 2>&1 >/dev/null" % name).stdout
            self.assertEqual(said, "")

    def check_runs_as_the_unit_says(self):
        server = Started(self.machine, self.unit)
        self.addCleanup(server.kill)
        server.await_listening()
        number = self.machine.run("id", "--user", "millrace").stdout.strip()
        self.assertEqual(server.status_of("Uid"), [number] * 4)
        for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(server.status_of(kind), ["0" * 16], kind)
        self.assertEqual(server.status_of("NoNewPrivs"), ["1"])
        for key, names in installed.LIMITS.items():
            self.assertEqual(server.limit(names[2]), installed.attainable_limit(self.unit, key))
        server.await_told("READY=1")
        server.await_told("WATCHDOG=1")
        client = Client("life")
        self.addCleanup(client.close)
        self.assertEqual(client.exchange(b"hello"), b"hello")
        status, said = server.stop()
        self.assertEqual(status, 0, said)
        self.assertTrue(client.is_cut())


