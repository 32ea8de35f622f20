// Elements out of values. Text is put as text: what a client chose can never become markup.
import { visible } from "./format.js";

// element("button", {class: "quiet", onclick: f}, "text", otherElement)
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  put(made, ...children);
  return made;
}

// Adds what there is of them; an array is its elements.
export function put(parent, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return parent;
}

export function replace(parent, ...children) {
  parent.replaceChildren();
  return put(parent, ...children);
}

// Leaves the page alone where nothing changed.
export function setText(target, text) {
  const wanted = String(text);
  if (target.textContent !== wanted) target.textContent = wanted;
}

// What a client chose: alone in its direction, whole in its tooltip.
export function named(text, properties = {}) {
  const shown = visible(text);
  return element("bdi", { class: "name", title: shown, ...properties }, shown);
}

export function card(title, properties, ...children) {
  const { class: more, note, actions, id, ...rest } = properties ?? {};
  return element("section", { class: `card ${more ?? ""}`, "aria-labelledby": id, ...rest },
    element("header", { class: "card-head" },
      element("h2", { id }, title),
      note ? element("p", { class: "note" }, note) : null,
      actions ? element("div", { class: "actions" }, actions) : null),
    ...children);
}

// A table that keeps its rows: columns are {title, cell(row), class}; a cell is text or an element.
export class Table {
  constructor(caption, columns, { none = "nothing yet", key, class: more = "" } = {}) {
    this.columns = columns;
    this.none = none;
    this.key = key;
    this.body = element("tbody");
    this.shown = new Map(); // key -> {row, texts}
    const head = element("tr", {}, columns.map((column) =>
      element("th", { scope: "col", class: column.class }, column.title)));
    this.root = element("div", { class: `table ${more}`, tabindex: "0", role: "region",
                                 "aria-label": caption },
      element("table", {}, element("caption", { class: "hidden" }, caption),
        element("thead", {}, head), this.body));
    this.show([]);
  }

  // Rows with a known key keep their elements, so that a focus or a selection in them stays.
  show(rows) {
    if (rows.length === 0) {
      this.shown.clear();
      replace(this.body, element("tr", {}, element("td",
        { class: "none", colspan: this.columns.length }, this.none)));
      return;
    }
    const next = new Map();
    const elements = rows.map((row, index) => {
      const key = this.key ? this.key(row) : index;
      const kept = this.shown.get(key) ?? { row: element("tr"), cells: [] };
      this.fill(kept, row);
      next.set(key, kept);
      return kept.row;
    });
    this.shown = next;
    const same = elements.length === this.body.children.length &&
      elements.every((one, index) => this.body.children[index] === one);
    if (!same) this.body.replaceChildren(...elements);
  }

  fill(kept, row) {
    this.columns.forEach((column, index) => {
      if (!kept.cells[index]) {
        kept.cells[index] = element(column.heading ? "th" : "td",
          { class: column.class, scope: column.heading ? "row" : null });
        kept.row.append(kept.cells[index]);
      }
      const value = column.cell(row, kept.cells[index]);
      if (value instanceof Node) {
        // Elements are made anew only when the row's own text changed.
        if (kept.cells[index].textContent !== value.textContent) replace(kept.cells[index], value);
      } else if (value !== undefined) {
        setText(kept.cells[index], value);
      }
    });
  }
}

// A line that says how a section is: empty while all is well.
export function notice() {
  return element("p", { class: "notice", role: "status" });
}

// Asks once more before something that can't be taken back. True when it was confirmed.
export function confirm(title, content, action) {
  return new Promise((resolve) => {
    const yes = element("button", { class: "danger", value: "yes" }, action);
    const dialog = element("dialog", { "aria-labelledby": "confirm-title" },
      element("form", { method: "dialog" },
        element("h2", { id: "confirm-title" }, title), content,
        element("div", { class: "actions" },
          element("button", { value: "no", class: "quiet", autofocus: true }, "Cancel"), yes)));
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
