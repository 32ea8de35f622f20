"""The runbook names what is there: topics, keys, headings, examples, measured figures."""

import os
import re
import unittest

import case


def read(*path):
    with open(os.path.join(case.TREE, *path), encoding="utf-8") as file:
        return file.read()


def shipped_keys():
    """{table: keys} of the configuration that is shipped; it has all (shipped_config_test.cc)."""
    tables, table = {}, ""
    for line in read("scripts", "packaging", "millrace.toml").splitlines():
        if line.startswith("["):
            table = line.strip("[]")
        found = re.match(r"(?:# example: )?#?([a-z_0-9]+) = ", line)
        if found:
            tables.setdefault(table, set()).add(found.group(1))
    return tables


class Runbook(unittest.TestCase):
    def setUp(self):
        self.text = read("docs", "operations.md")

    def test_topics_are_published(self):
        source = (read("src", "broker", "system_topics.cc") +
                  read("src", "broker", "counter_table.h"))
        table = self.text.split("| topic below `$SYS/broker/` |")[1].split("\n\n")[0]
        first_cells = re.findall(r"(?m)^\| ([^|]+) \|", table)
        topics = [topic for cell in first_cells for topic in re.findall(r"`([^`]+)`", cell)]
        self.assertGreater(len(topics), 15)
        for topic in topics:
            self.assertIn('"$SYS/broker/%s"' % topic, source)

    def test_metrics_exist(self):
        table = read("src", "admin", "README.md")  # tests/admin compares it with the page
        names = set(re.findall(r"`((?:millrace|process)_[a-z_]+)[`{]", self.text))
        self.assertGreater(len(names), 12)
        for name in names:
            self.assertIn("| `%s` |" % name, table)

    def test_keys_exist(self):
        keys, named = shipped_keys(), re.findall(r"`([a-z]+)\.([a-z_0-9]+)`", self.text)
        self.assertGreater(len(named), 20)
        for table, key in named:
            # A table that isn't in the file is none of the configuration's.
            if table in keys:
                self.assertIn(key, keys[table], "%s.%s" % (table, key))

    def test_links_lead_somewhere(self):
        headings = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
                    for line in self.text.splitlines() if line.startswith("#")}
        links = re.findall(r"\]\(([^)\s]+)\)", self.text)
        self.assertGreater(len(links), 10)
        for link in links:
            path, _, anchor = link.partition("#")
            if path:
                self.assertTrue(os.path.exists(os.path.join(case.TREE, "docs", path)), link)
            elif anchor:
                self.assertIn(anchor, headings, link)

    def test_examples_exist(self):
        named = set(re.findall(r"examples/([a-z-]+\.conf)", self.text))
        self.assertGreater(len(named), 2)
        self.assertLessEqual(named, set(os.listdir(os.path.join(case.PACKAGING, "examples"))))

    def test_the_figures_a_connection_are_the_reports(self):
        report = read("perf", "results", "2026-11-24", "report.md")
        self.assertIn("| 15000 connections | millrace io_uring | 290 / 290 / 291 |", report)
        self.assertIn("| 15000 connections | millrace io_uring | 10662 |", report)
        self.assertIn("| 15000 connections | millrace dpdk | 1793 / 1793 / 1794 |", report)
        self.assertIn("kernel_socket_bytes = 4'727;", read("src", "server", "kernel_memory.h"))
        for figure in ("290", "10,662", "1,793", "4,727"):
            self.assertIn(figure, self.text)
