#!/usr/bin/python3
"""Tests what the suite's report makes of figures: goals, the crossover of zero copy, multiples of
recorded peers, and what part of a profile a call chain belongs to.
"""

import sys
import unittest

sys.dont_write_bytecode = True

import goals
import headline
import profiles
import recorded_peers
import report
from contender import DPDK, MOSQUITTO, URING
from scenarios import fan_in_pairs, fan_out, flatness, line_rate, zero_copy


def cell(name, medians, floor=None, asked=None, more=None, **parameters):
    return {"name": name, "floor": floor, "asked": asked or {}, "parameters": parameters,
            "contenders": {who: {"samples": [{"value": value, "report": {}, **(more or {})}],
                                 "failure": None} for who, value in medians.items()}}


def result(scenario, *cells):
    return {"scenario": scenario, "cells": list(cells)}


class Goals(unittest.TestCase):
    def test_a_ratio_to_the_floor_is_judged_by_its_least_value(self):
        one = cell("c", {"iperf3": 100, URING: 98, DPDK: 99.5}, "iperf3", {URING: 0.99, DPDK: 0.99})
        found = goals.to_the_floor(line_rate, one)
        self.assertFalse(found[URING].reached)
        self.assertTrue(found[DPDK].reached)

    def test_where_less_is_better_the_most_is_asked(self):
        one = cell("c", {"plain": 100, "zero copy": 120}, "plain", {"zero copy": 1.1})
        goal = goals.to_the_floor(zero_copy, one)["zero copy"]
        self.assertEqual((goal.reached, goal.asked_text()), (False, "at most 1.10"))

    def test_without_its_floor_nothing_is_judged(self):
        one = cell("c", {URING: 98}, "iperf3", {URING: 0.99})
        self.assertEqual(goals.to_the_floor(line_rate, one), {})

    def test_the_summary_counts_what_was_reached(self):
        lines = goals.summary([result("line_rate", cell(
            "c", {"iperf3": 100, URING: 98, DPDK: 100}, "iperf3", {URING: 0.99, DPDK: 0.99}))])
        self.assertTrue(lines[0].startswith("1 of 2 reached."))
        self.assertIn("NOT reached", "\n".join(lines))

    def test_qos_1_is_asked_for_a_share_of_its_qos_0(self):
        shape = {"receivers": 1000, "payload": 64, "window": 1}
        found = fan_out.goals(result(
            "fan_out", cell("1 to 1000, 64 B, QoS 0, window 1", {URING: 100}, qos=0, **shape),
            cell("1 to 1000, 64 B, QoS 1, window 1", {URING: 55}, qos=1, **shape)))
        self.assertEqual([(goal.cell[-16:], goal.found, goal.reached) for goal in found],
                         [(" QoS 1, window 1", 0.55, False)])

    def test_sends_a_delivery_count_in_bursts_alone(self):
        def sends(window):
            one = cell("1 to 20, 64 B, QoS 0, window %d" % window, {URING: 100},
                       more={"sends_a_delivery": 0.2}, receivers=20, payload=64, qos=0,
                       window=window)
            return [goal.reached for goal in fan_out.goals(result("fan_out", one))]
        self.assertEqual((sends(8), sends(32)), ([], [False]))

    def test_the_dearest_delivery_says_whether_cost_is_flat(self):
        def at(receivers, rate):
            return cell("%d" % receivers, {URING: rate}, receivers=receivers, bystanders=0)
        found = flatness.goals(result("flatness", at(100, 100), at(1000, 80), at(10000, 100)))
        self.assertEqual([(goal.found, goal.reached) for goal in found], [(1.25, False)])


class Crossover(unittest.TestCase):
    @staticmethod
    def at(payload, plain, zero, copied=0):
        return cell("%d" % payload, {"plain": plain, "zero copy": zero}, "plain", payload=payload,
                    more={"counters": {"sends_zero_copy": 9, "sends_zero_copy_copied": copied}})

    def test_it_is_the_length_from_which_all_longer_ones_gain(self):
        found = result("zero_copy", self.at(1, 10, 9), self.at(2, 10, 11), self.at(3, 10, 9),
                       self.at(4, 10, 8))
        self.assertEqual(zero_copy.crossover(found), 3)
        self.assertIn("from messages of 3 bytes on", zero_copy.crossover_text(found))

    def test_there_is_none_where_the_longest_loses(self):
        found = result("zero_copy", self.at(1, 10, 9), self.at(2, 10, 11))
        self.assertIsNone(zero_copy.crossover(found))
        self.assertIn("No crossover: the longest", zero_copy.crossover_text(found))

    def test_a_gain_where_the_kernel_copied_is_chance(self):
        found = result("zero_copy", self.at(1, 10, 9, copied=9))
        self.assertIsNone(zero_copy.crossover(found))
        self.assertIn("the kernel copied", zero_copy.crossover_text(found))


class RecordedPeers(unittest.TestCase):
    def test_every_recorded_cell_is_one_of_the_suite(self):
        options = type("Options", (), {"smoke": False})
        names = {one.name for scenario in (fan_out, fan_in_pairs)
                 for one in scenario.cells(options)}
        self.assertEqual(set(recorded_peers.recorded()["cells"]) - names, set())

    def test_the_quotient_is_of_two_multiples_of_mosquitto(self):
        found = result("fan_in_pairs", cell("200 pairs, window 1", {URING: 270, MOSQUITTO: 100}))
        goal, = recorded_peers.goals(found)
        self.assertAlmostEqual(goal.found, 2.7 / (82 / 79))
        self.assertTrue(goal.reached)

    def test_the_table_says_how_fast_mosquitto_was_and_what_that_leaves(self):
        found = result("fan_in_pairs", cell("200 pairs, window 1", {URING: 123_000,
                                                                    MOSQUITTO: 39_500}))
        self.assertTrue(recorded_peers.remarks(found)[-1].endswith("| 0.50 | 1.50 |"))

    def test_a_run_without_mosquitto_has_nothing_to_compare(self):
        found = result("fan_in_pairs", cell("200 pairs, window 1", {URING: 270}))
        self.assertEqual((recorded_peers.goals(found), recorded_peers.remarks(found)), ([], []))


class Reports(unittest.TestCase):
    def test_processor_time_stands_apart_by_user_kernel_and_softirq(self):
        sample = {"report": {"measured_s": 2, "server_cpu_user_s": 0.5, "server_cpu_system_s": 1,
                             "softirq_s": 0.25}}
        self.assertEqual(report.cpu_text([sample]), "25 user, 50 kernel, machine's softirqs 12")

    def test_a_busy_machine_is_named_before_any_figure(self):
        def busy(share):
            return "".join(report.busy_lines([{"scenario": "fan_out", "machine": {
                "busy_share_at_start": share}}]))
        self.assertIn("fan-out", busy(0.11))
        self.assertEqual(busy(0.1), "")

    def test_the_headline_says_what_was_not_measured(self):
        text = "\n".join(headline.lines([]))
        self.assertEqual(text.count("Not measured in this run."), 3)
        self.assertIn("perf/run.sh storm", text)


PERF_SCRIPT = """
\tffffffff81000001 pvm_irq_enable ([kernel.kallsyms])
\tffffffff81000002 tcp_rcv_established ([kernel.kallsyms])
\tffffffff81000003 tcp_write_xmit ([kernel.kallsyms])
\tffffffff81000004 io_send ([kernel.kallsyms])
\t    7f0000000001 syscall+0x1 (/usr/lib/libc.so.6)

\t    550000000001 millrace::Fanout::push(int) (/build/millrace)
"""


class Profiles(unittest.TestCase):
    def test_a_sample_belongs_to_the_innermost_part_of_its_chain(self):
        chains = profiles.chains_of(PERF_SCRIPT)
        self.assertEqual([len(chain) for chain in chains], [5, 1])
        self.assertEqual([profiles.part_of(chain, profiles.classes_of_layers())
                          for chain in chains],
                         ["kernel: softirq receive path", "user space: broker"])

    def test_a_function_of_no_layer_is_a_library_s(self):
        self.assertEqual(profiles.layer_of("memcpy", {}), "libraries")


if __name__ == "__main__":
    unittest.main()
