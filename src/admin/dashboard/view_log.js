// The newest lines of the server's log, as they come.
import { get } from "./api.js";
import { card, element, named, notice, setText } from "./dom.js";
import { clockMillis, dateTime, plural, visible } from "./format.js";
import { View } from "./view.js";

const rowsMax = 500;
const ranks = { error: 0, warning: 1, info: 2, debug: 3 };

export class LogView extends View {
  constructor(app) {
    super(app, "Log");
    this.after = null;
    this.isPaused = false;
    this.lost = 0;
    this.notice = notice();
    this.note = element("p", { class: "note" });
    this.level = element("select", { id: "log-level", onchange: () => this.filter() },
      Object.keys(ranks).map((name) => element("option", { value: name, selected: name === "info" },
        name === "error" ? "errors" : `${name} and worse`)));
    this.text = element("input", { type: "search", id: "log-text", autocomplete: "off",
                                   spellcheck: "false", oninput: () => this.filter() });
    this.pause = element("button", { class: "quiet", "aria-pressed": "false", onclick: () => {
      this.isPaused = !this.isPaused;
      this.pause.setAttribute("aria-pressed", String(this.isPaused));
      setText(this.pause, this.isPaused ? "Go on" : "Pause");
    } }, "Pause");
    this.list = element("ol", { class: "log", id: "log", tabindex: "0",
                                "aria-label": "Log lines, the newest first" });
    this.root = element("div", { class: "view" },
      card("Log", { id: "log-title", actions: this.pause },
        element("div", { class: "fields" }, element("label", {}, "level ", this.level),
          element("label", {}, "with ", this.text)),
        this.notice, this.note, this.list));
  }


  async tick() {
    if (this.isPaused) return;
    await this.app.section(this.notice, async () => {
      // A second's worth, however much came.
      for (let page = 0; page < 5; page += 1) {
        const answer = await get("/api/v1/events", { after: this.after, limit: 200 });
        // A server that was started anew numbers from 1.
        if (this.after !== null && answer.next < this.after) {
          this.after = null;
          continue;
        }
        if (this.after !== null) this.lost += answer.lost ?? 0;
        this.after = answer.next;
        this.add(answer.events);
        if (answer.events.length < 200) break;
      }
      setText(this.note, this.lost > 0
        ? `${plural(this.lost, "line")} went by too fast to be kept here.` : "");
    });
  }

  add(events) {
    if (events.length === 0) return;
    // The newest stands on top; what is read further down stays in view.
    const from = this.list.scrollHeight - this.list.scrollTop;
    for (const event of events) this.list.prepend(this.line(event));
    while (this.list.children.length > rowsMax) this.list.lastChild.remove();
    if (this.list.scrollTop > 0) this.list.scrollTop = this.list.scrollHeight - from;
  }

  line(event) {
    const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));
    const fields = Object.entries(event.fields ?? {}).map(([name, value]) =>
      element("span", {}, element("i", {}, `${name}=`), named(asText(value))));
    const made = element("li", { class: `level-${event.level}` },
      element("time", { title: dateTime(event.time) }, clockMillis(event.time)),
      element("b", {}, event.level), element("span", {}, visible(event.message)), ...fields);
    made.dataset.level = event.level;
    made.hidden = !this.isWanted(made);
    return made;
  }

  isWanted(line) {
    const rank = ranks[line.dataset.level] ?? 0;
    const text = this.text.value.toLowerCase();
    return rank <= ranks[this.level.value] &&
      (text === "" || line.textContent.toLowerCase().includes(text));
  }

  filter() {
    for (const line of this.list.children) line.hidden = !this.isWanted(line);
  }
}
