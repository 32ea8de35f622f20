"""The base of the tests of the package: it's built once, and a newer version of it made from that."""

import atexit
import functools
import os
import re
import shutil
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
PACKAGING = os.path.join(TREE, "scripts", "packaging")
BUILD_DEB = os.path.join(PACKAGING, "build_deb.sh")
CONFIG = "/etc/millrace/millrace.toml"
UNIT = "/lib/systemd/system/millrace.service"
BUILD_TIMEOUT_S = 300

# Set by run.py.
build_folder = None
package_given = None


def missing_tools(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            return "%s isn't installed: scripts/install_packages.sh test" % tool
    return None


@functools.lru_cache(maxsize=None)
def own_folder():
    folder = tempfile.mkdtemp(prefix="packaging-")
    atexit.register(shutil.rmtree, folder)
    return folder


def run(*words, **more):
    """Its output; raises what it said when it fails."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, check=False,
                          timeout=BUILD_TIMEOUT_S, **more)
    if done.returncode != 0:
        raise AssertionError("%s ended with %d:\n%s" % (" ".join(words), done.returncode,
                                                        done.stdout[-4000:]))
    return done.stdout


@functools.lru_cache(maxsize=None)
def package():
    """The path of the package, built by the one command from the program of the build folder."""
    if package_given:
        return package_given
    reason = missing_tools("dpkg-buildpackage", "dh", "meson")
    if reason:
        raise unittest.SkipTest(reason)
    out = os.path.join(own_folder(), "out")
    run(BUILD_DEB, "--out", out, "--build-dir", build_folder)
    found = [name for name in os.listdir(out) if name.endswith(".deb")]
    if len(found) != 1:
        raise AssertionError("one package was expected: %s" % found)
    return os.path.join(out, found[0])


def changes():
    return re.sub(r"\.deb$", ".changes", package())


def field(name):
    return run("dpkg-deb", "--field", package(), name).strip()


@functools.lru_cache(maxsize=None)
def newer_package(added):
    """The same package of a higher version, whose configuration and unit have a line more."""
    folder = os.path.join(own_folder(), "newer")
    run("dpkg-deb", "--raw-extract", package(), folder)
    for path in (CONFIG, UNIT):
        with open(folder + path, "a", encoding="utf-8") as file:
            file.write(added)
    with open(folder + "/DEBIAN/control", encoding="utf-8") as file:
        control = file.read()
    control, count = re.subn(r"(?m)^Version: (.*)$", r"Version: \1+newer", control)
    assert count == 1, control
    with open(folder + "/DEBIAN/control", "w", encoding="utf-8") as file:
        file.write(control)
    path = os.path.join(own_folder(), "newer.deb")
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", folder, path)
    return path


def version_of_tree():
    with open(os.path.join(TREE, "meson.build"), encoding="utf-8") as file:
        return re.search(r"version: '([0-9.]+)'", file.read()).group(1)


class Unit:
    """A unit file as it was written: every value of a key, in order."""

    def __init__(self, text):
        self.values = {}
        section = None
        for line in text.splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif "=" in line and not line.startswith("#"):
                key, value = line.split("=", 1)
                self.values.setdefault((section, key), []).append(value)

    def all(self, key, section="Service"):
        return self.values.get((section, key), [])

    def one(self, key, section="Service"):
        found = self.all(key, section)
        assert len(found) == 1, "%s: %s" % (key, found)
        return found[0]


def unit_of_tree():
    with open(os.path.join(PACKAGING, "millrace.service"), encoding="utf-8") as file:
        return Unit(file.read())
