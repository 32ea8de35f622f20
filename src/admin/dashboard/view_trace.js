// Follows one client, or a topic, packet by packet.
import { get, post, remove } from "./api.js";
import { card, element, named, notice, setText } from "./dom.js";
import { bytes, clockMillis, exact, plural, visible } from "./format.js";
import { hexDump } from "./hex.js";
import { View } from "./view.js";

const rowsMax = 500;
const arrows = { in: "→", out: "←", none: "·" };
const words = { in: "from the client", out: "to the client", none: "inside" };

export class TraceView extends View {
  constructor(app) {
    super(app, "Trace");
    this.id = null;
    this.after = 0;
    this.lost = 0;
    this.notice = notice();
    this.status = element("p", { class: "note", role: "status", id: "trace-status" },
                          "No trace runs.");
    this.kind = element("select", { id: "trace-kind" },
      element("option", { value: "client_id" }, "client"),
      element("option", { value: "topic" }, "topic filter"));
    this.what = element("input", { id: "trace-what", required: true, autocomplete: "off",
                                   spellcheck: "false" });
    this.seconds = element("input", { id: "trace-seconds", type: "number", min: 1, max: 3600,
                                      value: 60, required: true });
    this.startButton = element("button", { id: "trace-start" }, "Start");
    this.stopButton = element("button", { class: "quiet", id: "trace-stop", type: "button",
                                          disabled: true, onclick: () => this.stop() }, "Stop");
    this.list = element("ol", { class: "log trace", id: "trace", tabindex: "0",
                                "aria-label": "Traced packets, the newest first" });
    const form = element("form", { class: "fields", onsubmit: (event) => {
      event.preventDefault();
      this.start();
    } },
    element("label", {}, element("span", { class: "hidden" }, "follow a "), this.kind),
    element("label", {}, element("span", { class: "hidden" }, "which "), this.what),
    element("label", {}, "for ", this.seconds, " s"), this.startButton, this.stopButton);
    this.root = element("div", { class: "view" },
      card("Trace",
        { id: "trace-title", note: "each packet of a client, or of a topic, as it passes" },
        form, this.notice, this.status, this.list));
  }

  enter(argument) {
    if (argument === "") return;
    this.kind.value = "client_id";
    this.what.value = argument;
  }

  async start() {
    await this.stop();
    await this.app.section(this.notice, async () => {
      const { id } = await post("/api/v1/traces",
        { [this.kind.value]: this.what.value, seconds: Number(this.seconds.value) });
      this.id = id;
      this.name = this.what.value;
      this.after = 0;
      this.lost = 0;
      this.count = 0;
      this.list.replaceChildren();
      this.stopButton.disabled = false;
      await this.tick();
    });
  }

  async stop() {
    if (this.id === null) return;
    const id = this.id;
    this.end("Stopped");
    await this.app.section(this.notice, async () => {
      await remove(`/api/v1/traces/${encodeURIComponent(id)}`);
    });
  }

  end(how) {
    this.id = null;
    this.stopButton.disabled = true;
    setText(this.status, `${how}: ${this.told()}.`);
  }

  told() {
    const lost = this.lost > 0 ? `, ${exact(this.lost)} lost` : "";
    return `${plural(this.count, "event")}${lost}`;
  }

  async tick() {
    if (this.id === null) return;
    await this.app.section(this.notice, async () => {
      const id = this.id;
      const answer = await get(`/api/v1/traces/${encodeURIComponent(id)}/events`,
                               { after: this.after, limit: 500 });
      if (this.id !== id) return;
      this.after = answer.next;
      this.lost = answer.lost ?? 0;
      this.count += answer.events.length;
      for (const event of answer.events) this.list.prepend(this.line(event));
      while (this.list.children.length > rowsMax) this.list.lastChild.remove();
      setText(this.status, `Follows ${visible(this.name)}: ${this.told()}.`);
      if (answer.ended && answer.events.length === 0) this.end("Ended");
    });
  }

  line(event) {
    const facts = [
      event.topic !== undefined ? ["topic", event.topic] : null,
      event.qos !== undefined ? ["qos", event.qos] : null,
      event.packet_id !== undefined ? ["packet id", event.packet_id] : null,
      event.reason !== undefined ? ["reason", event.reason] : null,
      event.receivers !== undefined ? ["receivers", event.receivers] : null,
      event.took_us !== undefined ? ["took", `${event.took_us} µs`] : null,
    ].filter((one) => one !== null && one[1] !== null);
    const head = [
      element("time", {}, clockMillis(event.time)),
      element("b", { title: words[event.direction] },
        `${arrows[event.direction] ?? ""} ${event.kind}`),
      named(event.client_id ?? ""), element("span", {}, bytes(event.bytes)),
      ...facts.map(([name, value]) => element("span", {}, element("i", {}, `${name}=`),
                                              named(String(value)))),
    ];
    if (!event.data_base64) return element("li", {}, ...head);
    const data = element("pre");
    const more = element("details", { ontoggle: () => setText(data, hexDump(event.data_base64)) },
                         element("summary", {}, ...head), data);
    return element("li", {}, more);
  }
}
