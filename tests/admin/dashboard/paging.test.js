import assert from "node:assert/strict";
import { test } from "node:test";
import { Pages } from "../../../src/admin/dashboard/paging.js";

// Pages by cursor; an array of rows each.
function server(pages) {
  const asked = [];
  const limits = [];
  return { asked, limits, load: async (cursor, limit) => {
    asked.push(cursor);
    limits.push(limit);
    const index = cursor === null ? 0 : Number(cursor);
    return { rows: pages[index], next: index + 1 < pages.length ? String(index + 1) : null };
  } };
}

test("forward to the end and back to the start", async () => {
  const pages = new Pages(server([["a"], ["b"], ["c"]]).load, 1);
  await pages.refresh();
  assert.deepEqual([pages.rows, pages.number, pages.hasBefore, pages.hasNext],
                   [["a"], 1, false, true]);
  await pages.forward();
  await pages.forward();
  assert.deepEqual([pages.rows, pages.number, pages.hasNext], [["c"], 3, false]);
  await pages.forward();
  assert.equal(pages.number, 3);
  await pages.back();
  await pages.back();
  await pages.back();
  assert.deepEqual([pages.rows, pages.number], [["a"], 1]);
});

test("empty pages that have a next are passed over, in both directions", async () => {
  const one = server([["a"], [], [], ["d"]]);
  const pages = new Pages(one.load, 1);
  await pages.refresh();
  await pages.forward();
  assert.deepEqual([pages.rows, pages.number], [["d"], 2]);
  await pages.back();
  assert.deepEqual([pages.rows, pages.number], [["a"], 1]);
});

test("a short page is filled up from those behind it", async () => {
  const one = server([["a"], [], ["b", "c"], ["d"], ["e"]]);
  const pages = new Pages(one.load, 3);
  await pages.refresh();
  assert.deepEqual([pages.rows, pages.hasNext], [["a", "b", "c"], true]);
  assert.deepEqual(one.limits, [3, 2, 2]);
  await pages.forward();
  assert.deepEqual([pages.rows, pages.number, pages.hasNext], [["d", "e"], 2, false]);
  await pages.back();
  assert.deepEqual([pages.rows, pages.number], [["a", "b", "c"], 1]);
});

test("a search without an end stops, and can be gone on with", async () => {
  const one = server(Array.from({ length: 50 }, () => []));
  const pages = new Pages(one.load, 1);
  await pages.refresh();
  assert.equal(one.asked.length, 20);
  assert.deepEqual([pages.rows, pages.hasNext], [[], true]);
});

test("a page that fails leaves the one that is shown", async () => {
  let fails = false;
  const good = server([["a"], ["b"]]);
  const pages = new Pages(async (cursor) => {
    if (fails) throw new Error("no answer");
    return good.load(cursor);
  }, 1);
  await pages.refresh();
  fails = true;
  await assert.rejects(pages.forward());
  assert.deepEqual([pages.rows, pages.number, pages.hasNext], [["a"], 1, true]);
});
