// Sends a message: to a topic, or to every client.
import { post } from "./api.js";
import { card, confirm, element, named, notice } from "./dom.js";
import { plural } from "./format.js";
import { View } from "./view.js";

const qosOf = (highest) => element("select", { name: "qos" },
  Array.from({ length: highest + 1 }, (_, value) => element("option", { value }, `QoS ${value}`)));
const textInput = (name, more) => element("input", { name, autocomplete: "off", spellcheck: "false",
                                                     ...more });
const payloadArea = () => element("textarea", { name: "payload", rows: 4, spellcheck: "false" });

export class PublishView extends View {
  constructor(app) {
    super(app, "Publish");
    this.publishNotice = notice();
    this.broadcastNotice = notice();
    this.root = element("div", { class: "view" }, element("div", { class: "columns" },
      this.publishCard(), this.broadcastCard()));
  }

  publishCard() {
    const form = element("form", { class: "stacked", id: "publish-form", onsubmit: (event) => {
      event.preventDefault();
      this.publish(form);
    } },
    element("label", {}, "Topic", textInput("topic", { required: true })),
    element("label", {}, "Payload", payloadArea()),
    element("div", { class: "fields" }, element("label", {}, qosOf(2)),
      element("label", {}, element("input", { type: "checkbox", name: "retain" }), " retain"),
      element("button", {}, "Publish")));
    return card("Publish to a topic", { id: "publish-title" }, form, this.publishNotice);
  }

  broadcastCard() {
    const form = element("form", { class: "stacked", id: "broadcast-form", onsubmit: (event) => {
      event.preventDefault();
      this.broadcast(form);
    } },
    element("label", {}, "Topic", textInput("topic", { required: true })),
    element("label", {}, "To clients whose id starts with",
      textInput("prefix", { placeholder: "every client" })),
    element("label", {}, "Payload", payloadArea()),
    element("div", { class: "fields" }, element("label", {}, qosOf(1)),
      element("button", { class: "danger" }, "Send to all …")));
    return card("Send to every connected client",
      { id: "broadcast-title", note: "whether it has subscribed or not" }, form,
      this.broadcastNotice);
  }

  async publish(form) {
    await this.app.section(this.publishNotice, async () => {
      const { topic, payload, qos, retain } = form.elements;
      await post("/api/v1/publish", { topic: topic.value, payload: payload.value,
                                      qos: Number(qos.value), retain: retain.checked });
      this.app.say("Published.");
    });
  }

  async broadcast(form) {
    const { topic, payload, qos, prefix } = form.elements;
    const whom = prefix.value === ""
      ? "every connected client" : ["connected clients whose id starts with ", named(prefix.value)];
    const content = element("p", {}, "This goes to ", whom, ".");
    if (!await confirm("Send to all of them?", content, "Send")) return;
    await this.app.section(this.broadcastNotice, async () => {
      const { clients } = await post("/api/v1/broadcast", { topic: topic.value,
        payload: payload.value, qos: Number(qos.value), prefix: prefix.value });
      this.app.say(`Sent to ${plural(clients, "client")}.`);
    });
  }
}
