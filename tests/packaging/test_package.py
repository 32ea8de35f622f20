"""What is in the package: files, modes, control data, and lintian's opinion of it."""

import os
import re
import subprocess
import tempfile
import unittest

import case


class Package(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        case.package()

    def contents(self):
        """{path: (mode, owner)} of all that is no folder."""
        found = {}
        for line in case.run("dpkg-deb", "--contents", case.package()).splitlines():
            mode, owner, _, _, _, path = line.split(None, 5)
            if not mode.startswith("d"):
                found[path.split(" -> ")[0][1:]] = (mode, owner)
        return found

    def test_lintian_has_nothing_to_say(self):
        """No error and no warning; what is overridden has its reason beside it."""
        reason = case.missing_tools("lintian")
        if reason:
            self.skipTest(reason)
        done = subprocess.run(["lintian", "--fail-on", "error,warning", "--tag-display-limit", "0",
                               "--allow-root", case.changes()],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, check=False, timeout=120)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, ""))

    def test_files_and_modes(self):
        contents = self.contents()
        programs = {"/usr/bin/millrace", "/usr/share/millrace/tuning/tune.sh"}
        for path in programs | {
                case.CONFIG, case.UNIT, "/usr/lib/sysusers.d/millrace.conf",
                "/usr/sbin/millrace-tune", "/usr/share/man/man8/millrace.8.gz",
                "/usr/share/man/man8/millrace-tune.8.gz",
                "/usr/share/doc/millrace/README.Debian", "/usr/share/doc/millrace/copyright",
                "/usr/share/doc/millrace/operations.md", "/usr/share/doc/millrace/dpdk.md",
                "/usr/share/doc/millrace/server.md", "/usr/share/doc/millrace/broker.md",
                "/usr/share/doc/millrace/examples/dpdk.conf"}:
            self.assertIn(path, contents)
        for path, (mode, owner) in contents.items():
            self.assertEqual(owner, "root/root", path)
            wanted = ("lrwxrwxrwx" if path == "/usr/sbin/millrace-tune" else
                      "-rwxr-xr-x" if path in programs else "-rw-r--r--")
            self.assertEqual(mode, wanted, path)

    def test_all_of_the_tuning_scripts_are_there(self):
        contents = self.contents()
        tuning = os.path.join(case.TREE, "scripts", "tuning")
        for where, _, names in os.walk(tuning):
            for name in names:
                if not name.startswith("."):
                    path = os.path.relpath(os.path.join(where, name), tuning)
                    self.assertIn("/usr/share/millrace/tuning/" + path, contents)

    def test_control(self):
        self.assertEqual(case.field("Package"), "millrace")
        self.assertRegex(case.field("Version"), "^" + re.escape(case.version_of_tree()) + "-1$")
        self.assertIn("liburing2", case.field("Depends"))
        self.assertIn("systemd", case.field("Depends"))

    def test_the_stripped_program_keeps_its_functions_names(self):
        """A CPU profile is told by them."""
        with tempfile.TemporaryDirectory() as folder:
            case.run("dpkg-deb", "--extract", case.package(), folder)
            program, packed, table = (os.path.join(folder, name)
                                      for name in ("usr/bin/millrace", "names.xz", "names"))
            self.assertNotIn(".symtab", case.run("readelf", "--sections", "--wide", program))
            case.run("objcopy", "--dump-section", ".gnu_debugdata=" + packed, program,
                     os.path.join(folder, "copy"))
            with open(table, "wb") as out:
                subprocess.run(["xz", "--decompress", "--stdout", packed], stdout=out, check=True)
            self.assertIn("millrace::run_shard<", case.run("nm", "--demangle", table))

    def test_conffiles_are_the_configuration_alone(self):
        conffiles = case.run("dpkg-deb", "--info", case.package(), "conffiles")
        self.assertEqual(conffiles.split(), [case.CONFIG])

    def test_the_version_of_the_tree_is_the_one_of_the_program(self):
        said = case.run(os.path.join(case.build_folder, "millrace"), "--version")
        self.assertIn(case.version_of_tree(), said)

    def test_every_page_that_a_page_names_is_packaged(self):
        contents = self.contents()
        named = set()
        for name in os.listdir(case.PACKAGING):
            if name.endswith((".8", ".service", ".toml")):
                with open(os.path.join(case.PACKAGING, name), encoding="utf-8") as file:
                    named |= set(re.findall(r"/usr/share/[\w./-]*\w", file.read().replace("\\", "")))
        self.assertGreater(len(named), 2)
        folders = {path.rsplit("/", 1)[0] for path in contents}
        for path in named:
            self.assertTrue(path in contents or path in folders, path)

    def test_links_of_the_pages_lead_somewhere(self):
        """In the package, where the source tree isn't."""
        with tempfile.TemporaryDirectory(prefix="packaging-") as folder:
            case.run("dpkg-deb", "--extract", case.package(), folder)
            pages = os.path.join(folder, "usr", "share", "doc", "millrace")
            count = 0
            for name in (one for one in os.listdir(pages) if one.endswith(".md")):
                with open(os.path.join(pages, name), encoding="utf-8") as file:
                    for link in re.findall(r"\]\(([^)\s]+)\)", file.read()):
                        path = link.partition("#")[0]
                        if path and not re.match(r"https?:", link):
                            count += 1
                            self.assertTrue(os.path.exists(os.path.join(pages, path)), name + ": " + link)
            self.assertGreater(count, 15)


class Command(unittest.TestCase):
    """build_deb.sh's own words."""

    def fails(self, *words):
        done = subprocess.run([case.BUILD_DEB, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, check=False,
                              timeout=60)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def test_wrong_arguments_are_refused(self):
        self.assertIn('"--colour" is not known', self.fails("--colour"))
        self.assertIn("--out needs a value", self.fails("--out"))
        self.assertIn("--out needs a value", self.fails("--out", ""))
        self.assertIn('"0": accepted are 1 to 999999', self.fails("--revision", "0"))
        self.assertIn('"1.2": accepted are 1 to 999999', self.fails("--revision", "1.2"))

    def test_a_folder_without_a_program_is_refused(self):
        self.assertIn("is no build folder", self.fails("--build-dir", case.HERE))

    def test_scripts_are_clean(self):
        reason = case.missing_tools("shellcheck")
        if reason:
            self.skipTest(reason)
        debian = os.path.join(case.PACKAGING, "debian")
        scripts = [os.path.join(debian, name) for name in os.listdir(debian)
                   if name.split(".")[-1] in ("postinst", "prerm", "postrm", "preinst")]
        self.assertGreater(len(scripts), 2)
        scripts.append(os.path.join(case.PACKAGING, "keep_function_names.sh"))
        case.run("shellcheck", case.BUILD_DEB, *scripts)
