import assert from "node:assert/strict";
import { test } from "node:test";
import { classes, stack, stackedSeries } from "../../../src/admin/dashboard/memory_series.js";

const line = ([name, bytes]) => ({ class: name, objects: 1, bytes, reserved_bytes: 2 * bytes });
const memory = (...shards) => ({ shards: shards.map((lines, shard) => (
  { shard, lines: Object.entries(lines).map(line) })) });

test("classes are summed over the shards and what they share", () => {
  const one = memory({ sessions: 5, retained: 1 }, { sessions: 7 });
  one.shared = [line(["sessions", 3])];
  assert.deepEqual(classes(one), [
    { class: "sessions", objects: 3, bytes: 15, reserved_bytes: 30 },
    { class: "retained", objects: 1, bytes: 1, reserved_bytes: 2 }]);
});

test("the largest classes come first, the rest is one, empty ones are none", () => {
  const series = stackedSeries(
    [memory({ a: 1, b: 50, c: 3, d: 2, e: 0 }), memory({ a: 90, b: 50 })], 2);
  assert.deepEqual(series, [{ name: "a", values: [1, 90] }, { name: "b", values: [50, 50] },
                            { name: "others", values: [5, 0] }]);
});

test("an object that stands in the heap's line of its length, too, is stacked once", () => {
  assert.deepEqual(stackedSeries([memory({ "stored messages": 400, "heap 512": 512,
                                           "heap large": 9 })]),
                   [{ name: "stored messages", values: [400] },
                    { name: "heap large", values: [9] }]);
});

test("each is stacked on those before it", () => {
  assert.deepEqual(stack([{ values: [1, 2] }, { values: [10, 20] }]), [[1, 2], [11, 22]]);
  assert.deepEqual(stack([]), []);
});
