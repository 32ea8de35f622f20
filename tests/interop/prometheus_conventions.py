"""What Prometheus's documents ask of a page of metrics, beyond what its parsers notice.

Sources: prometheus.io/docs/practices/naming, .../practices/histograms, .../concepts/data_model,
.../instrumenting/writing_exporters (labels, cumulative buckets).
"""

import math
import re

NAME = re.compile(r"[a-z]+(_[a-z0-9]+)+$")
LABEL = re.compile(r"[a-z]+(_[a-z0-9]+)*$")
# Endings that mean something, so that no other name may have them.
TAKEN_ENDINGS = ("_bucket", "_count", "_sum", "_created", "_total")
OTHER_UNITS = re.compile(r"_(ms|us|ns|milliseconds|microseconds|minutes|hours|days|kb|kib|mb|mib|gb|"
                         r"kilobytes|megabytes|percent|percents|bits)(_|$)")
BASE_UNITS = ("seconds", "bytes", "ratio")
# Distributions of plain numbers, which have no unit: what is counted stands in the plural.
SERIES_MAX = 20_000
BUCKETS_MAX = 40


def faults(families):
    """What is wrong with what a parser made of a page: texts. `families` have name, type,
    documentation and samples (name, labels, value, timestamp)."""
    found, seen = [], set()
    for family in families:
        found += ["%s: %s" % (family.name, one) for one in faults_of_name(family)]
        found += ["%s: %s" % (family.name, one) for one in faults_of_samples(family, seen)]
        if family.type == "histogram":
            found += ["%s: %s" % (family.name, one) for one in faults_of_histogram(family)]
    if len(seen) > SERIES_MAX:
        found.append("%d series: a label's values have no bound" % len(seen))
    return found


def faults_of_name(family):
    base = family.name
    if not NAME.match(base):
        yield "not words in small letters after a prefix"
    if OTHER_UNITS.search(base):
        yield "not in a base unit"
    if base.endswith(TAKEN_ENDINGS):
        yield "an ending that says something else"
    for unit in BASE_UNITS:
        if unit in base.split("_") and not base.endswith("_" + unit):
            yield "the unit isn't the last word"
    if family.type in ("unknown", "untyped"):
        yield "no type"
    if len(family.documentation) < 10 or not family.documentation.endswith("."):
        yield "the help is no sentence"


def faults_of_samples(family, seen):
    names = set()
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        if key in seen:
            yield "twice %r" % (key,)
        seen.add(key)
        names.add(tuple(sorted(set(sample.labels) - {"le"})))
        if sample.timestamp is not None:
            yield "a time with a sample"
        if math.isnan(sample.value) or math.isinf(sample.value):
            yield "no number: %r" % (sample,)
        if family.type in ("counter", "histogram") and sample.value < 0:
            yield "below zero: %r" % (sample,)
        for label in sample.labels:
            if not LABEL.match(label) or label.startswith("__"):
                yield "the label %r" % label
            if label == "le" and not sample.name.endswith("_bucket"):
                yield "le isn't of a bucket"
            if not sample.labels[label]:
                yield "the label %s is empty, as if it weren't there" % label
    if not family.samples:
        yield "no samples"
    if len(names) > 1:
        yield "its samples have different labels: %s" % sorted(names)


def faults_of_histogram(family):
    groups = {}
    for sample in family.samples:
        labels = tuple(sorted((name, value) for name, value in sample.labels.items()
                              if name != "le"))
        kind = sample.name[len(family.name):]
        if kind not in ("_bucket", "_sum", "_count", "_created"):
            yield "a sample %s" % sample.name
        if kind == "_bucket" and "le" not in sample.labels:
            yield "a bucket without le"
            return
        groups.setdefault(labels, {}).setdefault(kind, []).append(sample)
    bounds = set()
    for labels, parts in groups.items():
        buckets = [(float(one.labels["le"]), one.value) for one in parts.get("_bucket", ())]
        yield from faults_of_buckets(labels, buckets, parts)
        bounds.add(tuple(bound for bound, _ in buckets))
    if len(bounds) > 1:
        yield "its buckets differ from label to label: they can't be summed"


def faults_of_buckets(labels, buckets, parts):
    if not buckets or buckets[-1][0] != math.inf:
        yield "%s: the last bucket isn't +Inf" % (labels,)
        return
    if [bound for bound, _ in buckets] != sorted({bound for bound, _ in buckets}):
        yield "%s: bounds not in order" % (labels,)
    counts = [count for _, count in buckets]
    if counts != sorted(counts):
        yield "%s: buckets aren't cumulative" % (labels,)
    for kind in ("_sum", "_count"):
        if len(parts.get(kind, ())) != 1:
            yield "%s: no %s, or several" % (labels, kind)
            return
    if parts["_count"][0].value != counts[-1]:
        yield "%s: %g in +Inf, and a count of %g" % (labels, counts[-1], parts["_count"][0].value)
    if len(buckets) > BUCKETS_MAX:
        yield "%s: %d buckets, each a series" % (labels, len(buckets))


def fallen_counters(before, after):
    """Of two pages of one process: what only grows and became less."""
    def values(families):
        return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in families if family.type in ("counter", "histogram")
                for sample in family.samples}
    old, new = values(before), values(after)
    return ["%s: %g, and then %s" % (key, value, new.get(key)) for key, value in old.items()
            if new.get(key, -1) < value]
