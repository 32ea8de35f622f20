import assert from "node:assert/strict";
import { test } from "node:test";
import { follow, group, layout, pathTo } from "../../../src/admin/dashboard/flame_layout.js";

const leaf = (name, value) => ({ name, value, children: [] });
const tree = { name: "all", value: 100, children: [
  { name: "run", value: 90, children: [leaf("send", 30), leaf("poll", 60)] }, leaf("idle", 10)] };

test("children stand on their parent, side by side, in the order of their names", () => {
  const frames = layout(tree).map(({ node, depth, left, width }) =>
    [node.name, depth, left, width]);
  assert.deepEqual(frames, [["all", 0, 0, 1], ["idle", 1, 0, 0.1], ["run", 1, 0.1, 0.9],
                            ["poll", 2, 0.1, 0.6], ["send", 2, 0.7, 0.3]]);
});

test("what is too thin to see is left out, and a deep stack has an end", () => {
  const thin = { name: "all", value: 1000, children: [leaf("a", 999), leaf("b", 1)] };
  assert.deepEqual(layout(thin, { shareMin: 0.01 }).map(({ node }) => node.name), ["all", "a"]);
  let deep = leaf("f", 1);
  for (let index = 0; index < 10_000; index += 1) deep = { name: "f", value: 1, children: [deep] };
  assert.equal(layout(deep, { depthMax: 50 }).length, 50);
});

test("a profile without samples has no frame", () => {
  assert.deepEqual(layout({ name: "all", value: 0, children: [] }), []);
});

test("the way to a frame, and the same way in another profile", () => {
  const poll = tree.children[0].children[1];
  assert.deepEqual(pathTo(tree, poll).map(({ name }) => name), ["all", "run", "poll"]);
  assert.deepEqual(pathTo(tree, leaf("poll", 60)), []);
  assert.equal(follow(tree, ["all", "run", "gone"]).name, "run");
  assert.equal(follow(tree, ["all", "run", "poll"]), poll);
});

test("functions of one namespace are one group", () => {
  assert.equal(group("millrace::Broker::turn()"), group("millrace::fan_out"));
  assert.equal(group("tcp_sendmsg"), group("tcp_ack"));
  assert.equal(group("[unknown]"), "unknown");
});
