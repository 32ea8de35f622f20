"""Lists and masks of cores, as the kernel and people write them (scripts/tuning/lib/cpus.sh)."""

import os
import random
import subprocess
import unittest

from case import TUNING
from tree import mask

PROGRAM = """
source "$1"
while IFS='|' read -r what text; do
    case $what in
        list) if parse_cpu_list "$text"; then echo "${parsed_cpus[*]}"; else echo bad; fi ;;
        format) format_cpu_list $text; echo "$cpu_list" ;;
        mask) cpus_to_mask $text; echo "$mask" ;;
        plain) plain_mask "$text"; echo "$plain" ;;
    esac
done
"""


def ask(questions):
    """The answers to lines of "what|text"."""
    done = subprocess.run(["bash", "-c", PROGRAM, "bash", os.path.join(TUNING, "lib", "cpus.sh")],
                          input="\n".join(questions) + "\n", stdout=subprocess.PIPE,
                          universal_newlines=True, check=True)
    return done.stdout.split("\n")[:-1]


class Cpus(unittest.TestCase):
    def check(self, what, pairs):
        answers = ask(["%s|%s" % (what, text) for text, _ in pairs])
        for (text, expected), answer in zip(pairs, answers):
            self.assertEqual(answer, expected, "%s %r" % (what, text))
        self.assertEqual(len(answers), len(pairs))

    def test_lists(self):
        self.check("list", [
            ("0", "0"), ("0-3", "0 1 2 3"), ("5,1-2,2", "1 2 5"), ("31-33", "31 32 33"),
            ("08", "8"), ("8191", "8191"), ("8192", "bad"), ("", "bad"), ("a", "bad"),
            ("1,", "bad"), (",1", "bad"), ("2-1", "bad"), ("1-2-3", "bad"), ("-1", "bad"),
            ("1 2", "bad"), ("0x1", "bad"), ("99999999999999999999", "bad"),
        ])

    def test_formats(self):
        self.check("format", [("0", "0"), ("0 1 2", "0-2"), ("0 2", "0,2"), ("", ""),
                              ("1 2 5 7 8 9", "1-2,5,7-9"), ("0 1", "0-1")])

    def test_masks(self):
        self.check("mask", [
            ("", "0"), ("0", "1"), ("3", "8"), ("0 1 2 3", "f"), ("31", "80000000"),
            ("32", "1,00000000"), ("0 33", "2,00000001"), ("63", "80000000,00000000"),
            ("64", "1,00000000,00000000"), ("31 32 95", "80000000,00000001,80000000"),
        ])

    def test_equal_masks(self):
        self.check("plain", [
            ("0", "0"), ("00000000,00000000", "0"), ("00000003", "3"), ("F", "f"),
            ("00000000,0000000f", "f"), ("1,00000000", "100000000"), ("1,2", "100000002"),
            ("00000001,00000002", "100000002"),
        ])

    def test_random_masks(self):
        """Any set of cores comes to the same mask as by Python's long integers."""
        draw = random.Random(4711)
        sets = [sorted(draw.sample(range(300), draw.randint(1, 40))) for _ in range(60)]
        answers = ask(["mask|" + " ".join(map(str, cpus)) for cpus in sets])
        plains = ask(["plain|" + answer for answer in answers])
        kernels = ask(["plain|" + mask(cpus, 320) for cpus in sets])
        for cpus, answer, plain, kernel in zip(sets, answers, plains, kernels):
            value = sum(1 << cpu for cpu in cpus)
            self.assertEqual(int(answer.replace(",", ""), 16), value)
            self.assertEqual(plain, "%x" % value)
            self.assertEqual(kernel, plain)
        lists = ask(["format|" + " ".join(map(str, cpus)) for cpus in sets])
        back = ask(["list|" + text for text in lists])
        self.assertEqual(back, [" ".join(map(str, cpus)) for cpus in sets])
