// Draws a flame graph: a box a function, as wide as its share, on the one that called it. A click
// or Enter makes a box fill the width; arrows go from box to box.
import { element, replace, setText } from "./dom.js";
import { percent } from "./format.js";
import { follow, group, hash, layout, pathTo } from "./flame_layout.js";

const rowPixels = 20;
const hues = 12;

export class FlameView {
  constructor() {
    this.tree = null;
    this.path = [];
    this.crumbs = element("p", { class: "crumbs", role: "status" });
    this.reset = element("button", { class: "quiet", onclick: () => this.zoom([this.tree]) },
                         "Show all");
    this.place = element("div", { class: "flame", role: "tree", "aria-label": "Flame graph",
                                  onkeydown: (event) => this.onKey(event) });
    this.root = element("div", {}, element("div", { class: "flame-head" }, this.crumbs, this.reset),
      element("div", { class: "table" }, this.place));
  }

  // Another profile is shown at the same function, where it has it.
  show(tree) {
    const names = this.path.map((node) => node.name);
    this.tree = tree;
    this.zoom(names.length > 1 ? pathTo(tree, follow(tree, names)) : [tree]);
  }

  zoom(path) {
    if (!this.tree) return;
    this.path = path;
    const target = path.at(-1);
    const above = path.length - 1;
    const frames = layout(target);
    const depth = Math.max(0, ...frames.map((frame) => frame.depth)) + above + 1;
    this.place.style.height = `${depth * rowPixels}px`;
    const ancestors = path.slice(0, -1).map((node, index) =>
      this.box({ node, depth: index, left: 0, width: 1 }, path.slice(0, index + 1), true));
    this.frames = frames.map((frame) => ({ ...frame, depth: frame.depth + above }));
    const boxes = frames.map((frame, index) =>
      this.box(this.frames[index], null, false, () => pathTo(this.tree, frame.node)));
    replace(this.place, ancestors, boxes);
    this.boxes = [...ancestors, ...boxes];
    boxes[0]?.setAttribute("tabindex", "0");
    this.reset.disabled = above === 0;
    setText(this.crumbs, this.tree.value ? this.describe(target) : "");
  }

  describe(node) {
    const samples = `${node.value} of ${this.tree.value} samples`;
    return `${node.name}: ${percent(node.value / (this.tree.value || 1))}, ${samples}`;
  }

  box(frame, path, isAncestor, findPath) {
    const { node, depth, left, width } = frame;
    const made = element("div", {
      class: `frame hue-${hash(group(node.name)) % hues}${isAncestor ? " above" : ""}`,
      role: "treeitem", tabindex: "-1", "aria-level": depth + 1, title: this.describe(node),
      onclick: () => this.zoom(path ?? findPath()),
      onfocus: () => setText(this.crumbs, this.describe(node)),
      onmouseenter: () => setText(this.crumbs, this.describe(node)),
    }, node.name);
    made.style.left = `${left * 100}%`;
    made.style.width = `${width * 100}%`;
    made.style.top = `${depth * rowPixels}px`;
    return made;
  }

  onKey(event) {
    const index = this.boxes.indexOf(event.target);
    if (index < 0) return;
    const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0,
                   ArrowDown: this.firstAtLevel(event.target, 1),
                   ArrowUp: this.firstAtLevel(event.target, -1) }[event.key];
    if (event.key === "Enter" || event.key === " ") event.target.click();
    else if (event.key === "Escape") this.zoom([this.tree]);
    else if (next === undefined || !this.boxes[next]) return;
    else this.moveTo(event.target, this.boxes[next]);
    if (event.key === "Enter" || event.key === " " || event.key === "Escape") {
      this.place.querySelector("[tabindex='0']")?.focus();
    }
    event.preventDefault();
  }

  moveTo(from, to) {
    from.setAttribute("tabindex", "-1");
    to.setAttribute("tabindex", "0");
    to.focus();
  }

  // The box below or above that covers the same place.
  firstAtLevel(box, step) {
    const level = Number(box.getAttribute("aria-level")) + step;
    const left = parseFloat(box.style.left);
    const right = left + parseFloat(box.style.width);
    return this.boxes.findIndex((other) => {
      const begin = parseFloat(other.style.left);
      return Number(other.getAttribute("aria-level")) === level && begin < right - 1e-9 &&
        begin + parseFloat(other.style.width) > left + 1e-9;
    });
  }
}
