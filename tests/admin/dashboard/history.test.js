import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../../../src/admin/dashboard/history.js";

test("rows come back as columns, what is missing as null", () => {
  const history = new History(["a", "b"]);
  history.add(1, { a: 5 });
  history.add(2, { a: 6, b: 7 });
  assert.deepEqual(history.data(["b", "a"]), [[1, 2], [null, 7], [5, 6]]);
});

test("it forgets what is older than its time", () => {
  const history = new History(["a"], 10, 100);
  for (let time = 0; time <= 30; time += 1) history.add(time, { a: time });
  assert.equal(history.times[0], 20);
  assert.equal(history.columns.a.length, history.times.length);
});

test("a pause leaves a gap", () => {
  const history = new History(["a"]);
  history.add(1, { a: 1 });
  history.add(60, { a: 2 });
  assert.deepEqual(history.columns.a, [1, null, 2]);
});

test("the same moment twice is one row, and a clock that goes back starts anew", () => {
  const history = new History(["a"]);
  history.add(5, { a: 1 });
  history.add(5, { a: 2 });
  assert.deepEqual(history.columns.a, [1]);
  history.add(3, { a: 3 });
  assert.deepEqual(history.data(["a"]), [[3], [3]]);
});
