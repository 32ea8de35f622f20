import assert from "node:assert/strict";
import { test } from "node:test";
import * as format from "../../../src/admin/dashboard/format.js";

test("counts keep three digits and say their unit", () => {
  const cases = [[0, "0"], [7, "7"], [9999, "9999"], [10_000, "10.0 k"], [12_345, "12.3 k"],
                 [999_960, "1.00 M"], [1_234_567, "1.23 M"], [5e9, "5.00 G"], [-20_000, "-20.0 k"],
                 [0.25, "0.250"], [3.14159, "3.14"], [null, "–"], [undefined, "–"], [NaN, "–"]];
  for (const [value, wanted] of cases) assert.equal(format.count(value), wanted, String(value));
});

test("bytes are powers of 1024", () => {
  const cases = [[0, "0 B"], [1023, "1023 B"], [1024, "1.00 KiB"], [1536, "1.50 KiB"],
                 [10 * 1024 * 1024, "10.0 MiB"], [3 * 1024 ** 3, "3.00 GiB"], [-2048, "-2.00 KiB"]];
  for (const [value, wanted] of cases) assert.equal(format.bytes(value), wanted, String(value));
  assert.equal(format.bytesPerSecond(2048), "2.00 KiB/s");
  assert.equal(format.bytesPerSecond(null), "–");
});

test("microseconds become the unit that fits", () => {
  const cases = [[0, "0 µs"], [31, "31 µs"], [1500, "1.50 ms"], [2_000_000, "2.00 s"], [null, "–"]];
  for (const [value, wanted] of cases) assert.equal(format.micros(value), wanted, String(value));
});

test("durations show their two largest parts", () => {
  const cases = [[0, "0 s"], [59.9, "59 s"], [60, "1 min 0 s"], [3661, "1 h 1 min"],
                 [90_000, "1 d 1 h"], [-5, "0 s"], [undefined, "–"]];
  for (const [value, wanted] of cases) assert.equal(format.duration(value), wanted, String(value));
});

test("shares, signs, groups and plurals", () => {
  assert.equal(format.percent(0.5), "50 %");
  assert.equal(format.percent(0.0123), "1.2 %");
  assert.equal(format.percent(0), "0 %");
  assert.equal(format.signed(2048, format.bytes), "+2.00 KiB");
  assert.equal(format.signed(-3, format.count), "-3");
  assert.equal(format.signed(0, format.count), "0");
  assert.equal(format.exact(1_234_567), "1,234,567");
  assert.equal(format.plural(1, "client"), "1 client");
  assert.equal(format.plural(2500, "client"), "2,500 clients");
});

test("a moment is told in the reader's time zone", () => {
  const seconds = new Date(2026, 10, 30, 4, 5, 6, 70).getTime() / 1000;
  assert.equal(format.clock(seconds), "04:05:06");
  assert.equal(format.clockMillis(seconds), "04:05:06.070");
  assert.equal(format.dateTime(seconds), "2026-11-30 04:05:06");
  assert.equal(format.clock(undefined), "–");
});

test("what can't be seen, or turns a line around, is made visible", () => {
  assert.equal(format.visible("a\u202egnp.exe"), "a\\u{202e}gnp.exe");
  assert.equal(format.visible("line\nbreak\u0000\u2028\ud800"),
               "line\\u{a}break\\u{0}\\u{2028}\\u{d800}");
  assert.equal(format.visible(""), "(empty)");
  assert.equal(format.visible("<b>שלום</b> 😀"), "<b>שלום</b> 😀");
});

test("a name that the server cut ends in an ellipsis, and is long", () => {
  const cases = [["x".repeat(128) + "…", true], ["\u{1f600}".repeat(32) + "…", true],
                 ["x".repeat(125) + "…", true], ["x".repeat(300), false], ["short…", false],
                 ["…", false], ["", false]];
  for (const [name, wanted] of cases) assert.equal(format.isCut(name), wanted, name);
});
