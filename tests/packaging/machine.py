"""A copy of this system to install packages in: its own files, processes and mounts.

The files are an overlay of / in memory, so nothing that is done there is done here, and everything
goes with the processes. With `systemd=True` the copy is started by its own systemd, with targets
that want nothing, so that only what a test starts runs there. The network is the caller's: enter a
namespace first (own_namespace). /proc/sys is read-only but for that network's part.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time

import own_namespace

START_TIMEOUT_S = 60.0
COMMAND_TIMEOUT_S = 120

# $1: an empty folder. $2: what becomes process 1. Units that would touch the host are never wanted.
SET_UP = r"""
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 machine "$1"
cd "$1"
mkdir upper work root
mount -t overlay machine -o lowerdir=/,upperdir=upper,workdir=work root
mount -t proc proc root/proc
mount --bind root/proc/sys root/proc/sys
mount -o remount,bind,ro root/proc/sys
mount --bind /proc/sys/net root/proc/sys/net
mount -t sysfs -o ro sysfs root/sys
mount -t tmpfs -o mode=755 run root/run
mount -t tmpfs -o mode=1777 tmp root/tmp
mount -t tmpfs -o mode=755 dev root/dev
mkdir root/dev/shm root/dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts root/dev/pts
ln -s pts/ptmx root/dev/ptmx
for node in null zero full random urandom tty; do
    : >root/dev/$node
    mount --bind /dev/$node root/dev/$node
done
rm -rf root/lib/systemd/system/*.wants root/etc/systemd/system/*.wants \
    root/lib/systemd/system-generators root/etc/fstab root/var/lib/man-db/auto-update \
    root/usr/sbin/policy-rc.d
mkdir -p root/run/systemd/system root/etc/systemd/system
if [ "$2" = systemd ]; then
    mount -t cgroup2 cgroup root/sys/fs/cgroup
    printf '[Unit]\nDefaultDependencies=no\n' >root/etc/systemd/system/machine.target
    exec chroot root /usr/bin/env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --unit=machine.target --log-target=null --show-status=no
fi
rmdir root/run/systemd/system root/run/systemd
exec chroot root /bin/sleep infinity
"""


class CannotStart(Exception):
    """This host doesn't let us have one; why."""


def missing():
    """Why there can't be a machine here, or None."""
    return own_namespace.missing(("ip", "unshare", "nsenter", "chroot", "setpriv", "prlimit"))


def own_cgroup():
    """A control group for what a machine makes, so that all of it can be removed; or None."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        places = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
    with open("/proc/self/cgroup", encoding="utf-8") as lines:
        inside = [line.strip()[3:] for line in lines if line.startswith("0::")]
    if not places or not inside:
        return None
    path = os.path.join(places[0], inside[0].lstrip("/"), "machine-%d" % os.getpid())
    try:
        os.mkdir(path)
    except OSError:
        return None
    return path


class Machine:
    def __init__(self, systemd):
        self.folder = tempfile.mkdtemp(prefix="machine-")
        self.cgroup = own_cgroup() if systemd else None
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child",
             "sh", "-c", SET_UP, "machine", self.folder, "systemd" if systemd else "nothing"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors,
            preexec_fn=self._join_cgroup)
        try:
            self.first = self._await_first()
            if systemd:
                self._await_systemd()
        except Exception:
            self.remove()
            raise

    def _join_cgroup(self):
        if self.cgroup:
            with open(self.cgroup + "/cgroup.procs", "w", encoding="utf-8") as file:
                file.write(str(os.getpid()))

    def _await_first(self):
        """Our number of its process 1, once that has become what it's meant to be."""
        children = "/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)
        for _ in self._attempts("doesn't start"):
            with open(children, encoding="utf-8") as file:
                found = file.read().split()
            if found:
                with open("/proc/%s/comm" % found[0], encoding="utf-8") as name:
                    if name.read().strip() in ("systemd", "sleep"):
                        return int(found[0])
        return None

    def _await_systemd(self):
        for _ in self._attempts("has no systemd that answers"):
            done = self.run("systemctl", "is-active", "machine.target", status=None)
            if done.stdout.strip() == "active":
                return

    def _attempts(self, what):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                self.errors.seek(0)
                raise CannotStart("the copy of the system ends at its start: " +
                                  self.errors.read().decode("utf-8", "replace").strip()[-500:])
            yield None
            time.sleep(0.02)
        raise CannotStart("the copy of the system %s within %d s" % (what, START_TIMEOUT_S))

    def command(self, *words):
        """What runs `words` in it, for subprocess."""
        return ["nsenter", "--target", str(self.first), "--mount", "--pid", "--ipc", "--uts",
                "--cgroup", "--root", "--wd", "env", "-i", "DEBIAN_FRONTEND=noninteractive",
                "LC_ALL=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                *words]

    def run(self, *words, status=0):
        """Runs it there; raises what it said when the status is another."""
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, check=False, timeout=COMMAND_TIMEOUT_S)
        if status is not None and done.returncode != status:
            raise AssertionError("%s ended with %d:\n%s" % (" ".join(words), done.returncode,
                                                            done.stdout[-4000:]))
        return done

    def path(self, path):
        """A file of it, from here."""
        return "/proc/%d/root%s" % (self.first, path)

    def exists(self, path):
        return os.path.lexists(self.path(path))

    def read(self, path):
        with open(self.path(path), encoding="utf-8") as file:
            return file.read()

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.write(text)

    def put(self, source):
        """Copies a file into its /tmp; the path there."""
        target = "/tmp/" + os.path.basename(source)
        shutil.copyfile(source, self.path(target))
        return target

    def remove(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)  # takes process 1 with it, and that the rest
        self.process.wait()
        self.errors.close()
        os.rmdir(self.folder)
        if self.cgroup:
            self._remove_cgroup()

    def _remove_cgroup(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while os.path.isdir(self.cgroup):
            for where, _, _ in os.walk(self.cgroup, topdown=False):
                try:
                    os.rmdir(where)
                except OSError:  # its last process is still on its way out
                    if time.monotonic() > deadline:
                        return
            time.sleep(0.02)
