"""What the tests of an installed package do with it, in a machine of their own."""

import os
import re
import resource
import select
import shlex
import signal
import socket
import subprocess
import time
import unittest

import case
import machine as machines
import mqtt_wire
import own_namespace

ADDRESS = ("127.0.0.1", 1883)  # of the configuration that is shipped
TIMEOUT_S = 60.0
CHANGED_LINE = "# changed by the administrator\n"
SHIPPED_LINE = "# of the newer version\n"


def enter_network():
    """For setUpModule: all that is started here listens on loopback of its own."""
    reason = machines.missing()
    if reason:
        raise unittest.SkipTest(reason)
    try:
        own_namespace.enter()
    except OSError as error:
        raise unittest.SkipTest(str(error))


def sleep_until(condition, what):
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("%s: not within %d s" % (what, TIMEOUT_S))
        time.sleep(0.02)


def listens():
    try:
        socket.create_connection(ADDRESS, 5.0).close()
        return True
    except OSError:
        return False


class Client:
    """Connected, and subscribed to a topic of its own."""

    def __init__(self, name):
        self.topic = "packaging/" + name
        self.wire = mqtt_wire.Wire(ADDRESS, timeout=TIMEOUT_S)
        self.wire.send(mqtt_wire.connect(name))
        assert self.wire.receive().kind == mqtt_wire.CONNACK
        self.wire.send(mqtt_wire.subscribe(1, [(self.topic, 1)]))
        assert self.wire.receive().kind == mqtt_wire.SUBACK

    def exchange(self, payload):
        """Publishes to itself at QoS 1; what comes back."""
        self.wire.send(mqtt_wire.publish(self.topic, payload, qos=1, packet_id=7))
        kinds, received = set(), None
        while len(kinds) < 2:
            packet = self.wire.receive()
            kinds.add(packet.kind)
            if packet.kind == mqtt_wire.PUBLISH:
                received = packet.payload
        assert kinds == {mqtt_wire.PUBLISH, mqtt_wire.PUBACK}, kinds
        return received

    def is_cut(self):
        """Whether the server has closed it; what it says before is dropped."""
        try:
            while True:
                self.wire.receive()
        except mqtt_wire.Closed:
            return True
        except mqtt_wire.Timeout:
            return False

    def close(self):
        self.wire.close()


class InstalledTest(unittest.TestCase):
    maxDiff = 4000
    systemd = False

    @classmethod
    def setUpClass(cls):
        package = case.package()
        try:
            cls.machine = machines.Machine(cls.systemd)
        except machines.CannotStart as error:
            raise unittest.SkipTest(str(error))
        cls.addClassCleanup(cls.machine.remove)
        cls.machine.run("dpkg", "--install", cls.machine.put(package))
        cls.unit = case.Unit(cls.machine.read(case.UNIT))

    def upgrade(self):
        """To a newer package, whose shipped configuration differs, as apt does unasked."""
        newer = self.machine.put(case.newer_package(SHIPPED_LINE))
        return self.machine.run("dpkg", "--force-confdef", "--force-confold", "--install",
                                newer).stdout

    def change_configuration(self):
        self.machine.write(case.CONFIG, self.machine.read(case.CONFIG) + CHANGED_LINE)

    def set_key(self, shipped, wanted):
        """A line of the configuration instead of another."""
        text = self.machine.read(case.CONFIG)
        self.assertEqual(text.count(shipped), 1)
        self.machine.write(case.CONFIG, text.replace(shipped, wanted))

    def check_configuration_is_kept(self):
        self.assertTrue(self.machine.read(case.CONFIG).endswith(CHANGED_LINE))
        self.assertTrue(self.machine.read(case.CONFIG + ".dpkg-dist").endswith(SHIPPED_LINE))

    def check_removed_and_purged(self):
        """After `dpkg --remove`; purges it."""
        for path in ("/usr/bin/millrace", case.UNIT, "/usr/share/millrace", "/usr/sbin/millrace-tune"):
            self.assertFalse(self.machine.exists(path), path)
        self.assertTrue(self.machine.read(case.CONFIG).endswith(CHANGED_LINE))
        self.machine.write(case.CONFIG + ".of-yesterday", "")  # dpkg knows nothing of it
        self.machine.run("dpkg", "--purge", "millrace")
        self.assertFalse(self.machine.exists("/etc/millrace"))
        self.assertFalse(self.machine.exists("/var/lib/millrace"))
        state = self.machine.run("dpkg-query", "--show", "millrace", status=None)
        self.assertNotEqual(state.returncode, 0, state.stdout)


# Limits of a unit: prlimit's option, the resource, its line in /proc/PID/limits.
LIMITS = {"LimitNOFILE": ("--nofile", resource.RLIMIT_NOFILE, "Max open files"),
          "LimitMEMLOCK": ("--memlock", resource.RLIMIT_MEMLOCK, "Max locked memory")}
CAP_SYS_RESOURCE = 24


def attainable_limit(unit, key):
    """As systemd does: the unit's, or the highest there may be where nobody may raise one."""
    wanted = unit.one(key).replace("infinity", "unlimited")
    with open("/proc/self/status", encoding="utf-8") as file:
        capabilities = int(re.search(r"CapEff:\s*(\w+)", file.read()).group(1), 16)
    highest = resource.getrlimit(LIMITS[key][1])[1]
    if capabilities >> CAP_SYS_RESOURCE & 1 or highest == resource.RLIM_INFINITY:
        return wanted
    return str(highest if wanted == "unlimited" else min(highest, int(wanted)))


class Started:
    """The server, by the command line of its unit, as its user and with its limits."""

    def __init__(self, machine, unit):
        self.machine = machine
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        name = "millrace-packaging-%d" % os.getpid()
        self.notify.bind("\0" + name)
        self.told = []
        user, group = unit.one("User"), unit.one("Group")
        machine.run("install", "--directory", "--owner", user, "--group", group,
                    "--mode", unit.one("StateDirectoryMode"),
                    "/var/lib/" + unit.one("StateDirectory"))
        limits = ["%s=%s" % (names[0], attainable_limit(unit, key))
                  for key, names in LIMITS.items()]
        words = ["prlimit", *limits, "setpriv", "--reuid", user, "--regid", group,
                 "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
                 "env", "NOTIFY_SOCKET=@" + name,
                 "WATCHDOG_USEC=%d" % (int(unit.one("WatchdogSec")) * 1_000_000),
                 *shlex.split(unit.one("ExecStart"))]
        # The shell's number, which is the server's then, is another one outside.
        self.process = subprocess.Popen(
            machine.command("sh", "-c", "umask %s; echo $$; exec \"$@\"" % unit.one("UMask"),
                            "start", *words),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.number = self.process.stdout.readline().strip().decode()

    def await_listening(self):
        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError("it ended with %d:\n%s" % (
                    self.process.returncode, self.process.stdout.read().decode()))
            return listens()
        sleep_until(is_ready, "the server listens")

    def status_of(self, name):
        """A line of its /proc/PID/status, as words."""
        found = re.search(r"(?m)^%s:\s*(.*)$" % name,
                          self.machine.read("/proc/%s/status" % self.number))
        return found.group(1).split()

    def limit(self, name):
        found = re.search(r"(?m)^%s\s{2,}(\S+)\s+(\S+)" % name,
                          self.machine.read("/proc/%s/limits" % self.number))
        return found.group(2)

    def await_told(self, line):
        """Waits until it has told systemd's socket that."""
        deadline = time.monotonic() + TIMEOUT_S
        while line not in self.told:
            if not select.select([self.notify], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise AssertionError("%s wasn't told: %s" % (line, self.told))
            self.told += self.notify.recv(65_536).decode().splitlines()

    def stop(self):
        """Asks it to end; its status, and what it said."""
        self.machine.run("kill", "-%d" % signal.SIGTERM, self.number)
        try:
            said = self.process.communicate(timeout=TIMEOUT_S)[0].decode()
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.notify.close()
        return self.process.returncode, said

    def kill(self):
        if self.process.poll() is None:
            self.machine.run("kill", "-9", self.number, status=None)
            self.process.communicate(timeout=TIMEOUT_S)
        self.notify.close()
