// A flame graph as rectangles: {name, value, children} -> rows of frames, each with its place as
// shares of the whole width. Pure.

// `root` fills the width; what is thinner than `shareMin` of it is left out, with what it calls.
export function layout(root, { shareMin = 0.001, depthMax = 200 } = {}) {
  if (!root.value) return []; // nothing ran
  const frames = [];
  const total = root.value;
  const waiting = [{ node: root, parent: null, depth: 0, left: 0 }];
  while (waiting.length > 0) {
    const { node, parent, depth, left } = waiting.pop();
    const frame = { node, parent, depth, left, width: node.value / total };
    frames.push(frame);
    if (depth + 1 >= depthMax) continue;
    let at = left;
    for (const child of sorted(node.children)) {
      const width = child.value / total;
      if (width >= shareMin) {
        waiting.push({ node: child, parent: frame, depth: depth + 1, left: at });
      }
      at += width;
    }
  }
  return frames.sort((a, b) => a.depth - b.depth || a.left - b.left);
}

// By name, so that two profiles have their frames in the same order.
function sorted(children) {
  return [...(children ?? [])].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

// The nodes from the root down to `target`; empty when it isn't there.
export function pathTo(root, target) {
  const waiting = [[root, null]];
  const parents = new Map();
  while (waiting.length > 0) {
    const [node, parent] = waiting.pop();
    parents.set(node, parent);
    if (node === target) {
      const path = [];
      for (let at = node; at !== null; at = parents.get(at)) path.unshift(at);
      return path;
    }
    for (const child of node.children ?? []) waiting.push([child, node]);
  }
  return [];
}

// The same way by names in another profile, as far as it goes.
export function follow(root, names) {
  let at = root;
  for (const name of names.slice(1)) {
    const next = (at.children ?? []).find((child) => child.name === name);
    if (!next) break;
    at = next;
  }
  return at;
}

// The namespace or library decides the colour, so that what belongs together looks alike.
export function group(name) {
  const plain = name.replace(/^\[|\]$/g, "");
  const space = plain.match(/^([A-Za-z_]\w*)(::|_)/);
  return space ? space[1] : plain;
}

export function hash(text) {
  let value = 2_166_136_261;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 16_777_619) >>> 0;
  }
  return value;
}
