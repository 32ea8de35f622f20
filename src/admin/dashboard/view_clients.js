// Looks clients up: by the start of their id, in pages; one of them with its subscriptions.
import { get, remove } from "./api.js";
import { card, confirm, element, named, notice, replace, setText, Table } from "./dom.js";
import * as format from "./format.js";
import { Pages } from "./paging.js";
import { View } from "./view.js";

const rowsWanted = 50; // on a page
const number = (title, cell) => ({ title, class: "number", cell });
const linkTo = (id) => `#clients/${encodeURIComponent(id)}`;
const path = (id) => `/api/v1/clients/${encodeURIComponent(id)}`;

const facts = [
  ["shard", (one) => String(one.shard)],
  ["connected", (one) => (one.connected ? "yes" : "no, its session waits")],
  ["protocol", (one) => `MQTT ${one.protocol}`],
  ["keep alive", (one) => (one.keep_alive_s ? format.duration(one.keep_alive_s) : "none")],
  ["session expires after", (one) => (one.expiry_s ? format.duration(one.expiry_s) : "its end")],
  ["silent for", (one) => (one.connected ? format.micros(one.silent_ms * 1000) : "–")],
  ["subscriptions", (one) => format.exact(one.subscriptions)],
  ["in flight", (one) => format.exact(one.inflight)],
  ["waiting messages", (one) => format.exact(one.waiting_messages)],
  ["waiting bytes", (one) => format.bytes(one.waiting_bytes)],
  ["send queue", (one) => format.bytes(one.send_queue_bytes)],
];

// Buttons around a Pages; `shown` is called with the rows.
export class Pager {
  constructor(app, place, load, shown) {
    Object.assign(this, { app, place, shown });
    this.load = load;
    this.label = element("span", { role: "status" });
    this.before = element("button", { class: "quiet", onclick: () => this.go("back") }, "Previous");
    this.after = element("button", { class: "quiet", onclick: () => this.go("forward") }, "Next");
    this.root = element("div", { class: "pager" }, this.before, this.label, this.after);
    this.start();
  }

  start() {
    this.pages = new Pages(this.load, rowsWanted);
    this.tell();
  }

  async go(way) {
    const pages = this.pages;
    this.before.disabled = this.after.disabled = true;
    await this.app.section(this.place, async () => {
      await pages[way]();
      if (pages === this.pages) this.shown(pages.rows);
    });
    this.tell();
  }

  tell() {
    this.before.disabled = !this.pages.hasBefore;
    this.after.disabled = !this.pages.hasNext;
    setText(this.label, `page ${this.pages.number}`);
  }
}

export class ClientsView extends View {
  constructor(app) {
    super(app, "Clients");
    this.chosen = null;
    this.hasSearched = false;
    this.notice = notice();
    this.detailNotice = notice();
    this.prefix = element("input", { id: "client-prefix", type: "search", autocomplete: "off",
                                     spellcheck: "false", placeholder: "all clients" });
    this.connected = element("select", { id: "client-connected" },
      [["", "connected or not"], ["true", "connected"], ["false", "not connected"]]
        .map(([value, text]) => element("option", { value }, text)));
    this.table = new Table("Clients", [
      { title: "Client", class: "wide", heading: true,
        cell: (row) => element("a", { href: linkTo(row.client_id) }, named(row.client_id)) },
      number("Shard", (row) => String(row.shard)),
      { title: "Connected", cell: (row) => (row.connected ? "yes" : "no") },
      { title: "MQTT", cell: (row) => row.protocol },
      number("Subscriptions", (row) => format.exact(row.subscriptions)),
      number("Waiting", (row) => format.exact(row.waiting_messages)),
      number("Send queue", (row) => format.bytes(row.send_queue_bytes)),
      number("Silent for", (row) => (row.connected ? format.micros(row.silent_ms * 1000) : "–")),
    ], { none: "no client is called so", key: (row) => row.client_id });
    this.table.root.id = "clients";
    this.pager = new Pager(app, this.notice, (cursor, limit) => this.loadClients(cursor, limit),
                           (rows) => this.table.show(rows));
    this.subscriptions = new Table("Subscriptions of this client", [
      { title: "Filter", class: "wide", heading: true, cell: (row) => named(row.filter) },
      number("QoS", (row) => String(row.qos)),
      { title: "No local", cell: (row) => (row.no_local ? "yes" : "no") },
      { title: "Retain as published", cell: (row) => (row.retain_as_published ? "yes" : "no") },
      number("Identifier", (row) => (row.identifier === null ? "–" : String(row.identifier))),
    ], { none: "it has subscribed to nothing" });
    this.subscriptions.root.id = "client-subscriptions";
    this.subscriptionPager = new Pager(app, this.detailNotice,
      (cursor, limit) => this.loadSubscriptions(cursor, limit),
      (rows) => this.subscriptions.show(rows));
    this.root = this.build();
  }

  build() {
    const search = element("form", { class: "fields", role: "search", onsubmit: (event) => {
      event.preventDefault();
      this.search();
    } },
    element("label", {}, "id starts with ", this.prefix),
    element("label", {}, element("span", { class: "hidden" }, "which "), this.connected),
    element("button", { id: "client-search" }, "Look up"));
    this.connected.addEventListener("change", () => this.search());
    this.detailName = element("h2", { id: "client-name" });
    this.detailFacts = element("dl", { class: "facts" });
    this.kickButton = element("button", { class: "danger", id: "client-kick",
                                          onclick: () => this.kick() }, "Disconnect …");
    this.traceLink = element("a", { class: "button quiet", id: "client-trace" }, "Trace");
    this.detail = element("section", { class: "card", id: "client-detail", hidden: true,
                                       "aria-labelledby": "client-name" },
      element("header", { class: "card-head" }, this.detailName,
        element("div", { class: "actions" }, this.traceLink, this.kickButton,
          element("a", { class: "button quiet", href: "#clients" }, "Close"))),
      this.detailNotice, this.detailFacts, this.subscriptions.root, this.subscriptionPager.root);
    return element("div", { class: "view" }, this.detail,
      card("Clients", { id: "clients-title", note: "connected ones, and sessions that wait" },
        search, this.notice, this.table.root, this.pager.root));
  }

  enter(argument) {
    this.chosen = argument === "" ? null : argument;
    this.detail.hidden = this.chosen === null;
    if (!this.hasSearched) this.search();
    if (this.chosen === null) return;
    replace(this.detailName, named(this.chosen));
    this.traceLink.href = `#trace/${encodeURIComponent(this.chosen)}`;
    this.subscriptions.show([]);
    replace(this.detailFacts);
    setText(this.detailNotice, "");
    this.detailAsked = -Infinity;
    this.subscriptionPager.start();
    this.subscriptionPager.go("refresh");
  }

  async tick() {
    if (this.chosen === null || performance.now() - this.detailAsked < 2000) return;
    this.detailAsked = performance.now();
    await this.app.section(this.detailNotice, () => this.loadDetail());
  }

  search() {
    this.hasSearched = true;
    this.pager.start();
    return this.pager.go("refresh");
  }

  async loadClients(cursor, limit) {
    const answer = await get("/api/v1/clients", { limit, cursor, prefix: this.prefix.value,
                                                  connected: this.connected.value });
    return { rows: answer.clients, next: answer.next };
  }

  async loadSubscriptions(cursor, limit) {
    const answer = await get(`${path(this.chosen)}/subscriptions`, { limit, cursor });
    return { rows: answer.subscriptions, next: answer.next };
  }

  async loadDetail() {
    const id = this.chosen;
    const client = await get(path(id));
    if (this.chosen !== id) return;
    if (this.detailFacts.children.length === 0) {
      replace(this.detailFacts, facts.map(([name]) =>
        element("div", {}, element("dt", {}, name), element("dd", {}))));
    }
    facts.forEach(([, value], index) =>
      setText(this.detailFacts.children[index].lastChild, value(client)));
  }

  async kick() {
    const id = this.chosen;
    const session = element("select", { id: "kick-session" },
      element("option", { value: "keep" }, "keep its session"),
      element("option", { value: "end" }, "end its session too"));
    const content = [element("p", {}, named(id)), element("label", {}, "and ", session)];
    if (!await confirm("Disconnect this client?", content, "Disconnect")) return;
    await this.app.section(this.detailNotice, async () => {
      const answer = await remove(path(id), { session: session.value });
      this.app.say(`${answer.was_connected ? "Disconnected" : "It wasn't connected"}; ` +
                   `its session was ${answer.session}.`);
      this.detailAsked = -Infinity;
      await this.search();
    });
  }
}
