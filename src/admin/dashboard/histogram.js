// Histograms as the API gives them: {count, sum, max, buckets: [[upper bound, count], ...]} since
// the start, empty buckets left out. Pure.

export const empty = { count: 0, sum: 0, max: 0, buckets: [] };

// What came between two answers. One that fell was started anew: then all of `later` is new.
export function difference(earlier, later) {
  if (!later) return empty;
  if (!earlier || later.count < earlier.count) return { ...later };
  const before = new Map(earlier.buckets);
  const buckets = [];
  for (const [bound, total] of later.buckets) {
    const grown = total - (before.get(bound) ?? 0);
    if (grown > 0) buckets.push([bound, grown]);
  }
  return { count: later.count - earlier.count, sum: later.sum - earlier.sum, max: later.max,
           buckets };
}

// Of several shards.
export function sum(histograms) {
  const buckets = new Map();
  const total = { count: 0, sum: 0, max: 0 };
  for (const one of histograms) {
    if (!one) continue;
    total.count += one.count;
    total.sum += one.sum;
    total.max = Math.max(total.max, one.max);
    for (const [bound, count] of one.buckets) buckets.set(bound, (buckets.get(bound) ?? 0) + count);
  }
  return { ...total, buckets: [...buckets].sort(([a], [b]) => a - b) };
}

// The bound below which `share` (0 to 1) of all lie; null when there are none. A bucket's upper
// bound is told, but not more than the largest that ever came.
export function quantile(histogram, share) {
  // Buckets are read while a shard counts: their sum rules, not `count`.
  const total = histogram.buckets.reduce((all, [, count]) => all + count, 0);
  if (total === 0) return null;
  const wanted = Math.max(1, Math.ceil(share * total));
  let seen = 0;
  for (const [bound, count] of histogram.buckets) {
    seen += count;
    if (seen >= wanted) return histogram.max > 0 ? Math.min(bound, histogram.max) : bound;
  }
  return null;
}
