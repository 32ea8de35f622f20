import assert from "node:assert/strict";
import { test } from "node:test";
import { difference, quantile, sum } from "../../../src/admin/dashboard/histogram.js";

const of = (buckets, max) => ({
  count: buckets.reduce((all, [, count]) => all + count, 0), sum: 0,
  max: max ?? buckets.at(-1)?.[0] ?? 0, buckets,
});

test("a difference is what came in between, bucket by bucket", () => {
  const got = difference(of([[10, 5], [20, 1]]), of([[10, 5], [20, 4], [40, 2]], 33));
  assert.deepEqual(got.buckets, [[20, 3], [40, 2]]);
  assert.equal(got.count, 5);
});

test("without an earlier answer, and after a new start, all is new", () => {
  const now = of([[10, 2]]);
  assert.deepEqual(difference(undefined, now), now);
  assert.deepEqual(difference(of([[10, 9]]), now), now);
  assert.equal(difference(of([[10, 9]]), undefined).count, 0);
});

test("quantiles are upper bounds, the largest of all at most", () => {
  const histogram = of([[10, 50], [100, 49], [1000, 1]], 700);
  assert.equal(quantile(histogram, 0.5), 10);
  assert.equal(quantile(histogram, 0.51), 100);
  assert.equal(quantile(histogram, 0.99), 100);
  assert.equal(quantile(histogram, 0.999), 700);
  assert.equal(quantile(of([[8, 1]]), 0), 8);
});

test("nothing has no quantile", () => {
  assert.equal(quantile(of([]), 0.5), null);
  // A shard had counted one more when the count was read than when the buckets were.
  assert.equal(quantile({ count: 1, sum: 1, max: 1, buckets: [] }, 0.5), null);
});

test("shards are summed, those without an answer left out", () => {
  const got = sum([of([[10, 1], [30, 2]]), null, of([[20, 4], [30, 1]])]);
  assert.deepEqual(got.buckets, [[10, 1], [20, 4], [30, 3]]);
  assert.equal(got.count, 8);
  assert.equal(got.max, 30);
});
