// A row a shard: where the work and the trouble is.
import { card, element, Table } from "./dom.js";
import * as format from "./format.js";
import { View } from "./view.js";

const number = (title, cell, more) => ({ title, class: "number", cell, ...more });
const rate = (title, name) => number(title, (row) => format.count(row.rates[name]));
const level = (title, name) => number(title, (row) => format.exact(row.levels[name]));

function stallOf(row, cell) {
  const stall = row.stall;
  cell.title = stall ? `${format.dateTime(stall.time)}, phase ${stall.phase}` : "";
  if (!stall) return "none";
  const ran = stall.what ? `${stall.phase}: ${stall.what}` : stall.phase;
  return `${format.micros(stall.us)} at ${format.clock(stall.time)}, ${ran}`;
}

const heading = { title: "Shard", heading: true, cell: (row) => String(row.shard) };

export class ShardsView extends View {
  constructor(app) {
    super(app, "Shards");
    const key = (row) => row.shard;
    this.connections = new Table("Connections of each shard", [
      heading, level("Connected", "connected"), level("Active", "active"), level("Idle", "idle"),
      rate("New/s", "opened"), rate("Closed/s", "closed"), rate("Failed/s", "failed"),
      rate("Timed out/s", "timeouts"), level("Sessions", "sessions"),
      level("Subscriptions", "subscriptions"),
    ], { key });
    this.connections.root.id = "shard-connections";
    this.messages = new Table("Messages and queues of each shard", [
      heading, rate("In/s", "received"), rate("Out/s", "sent"), rate("Rejected/s", "rejected"),
      rate("Dropped/s", "dropped"),
      number("Bytes in/s", (row) => format.bytes(row.rates.bytesIn)),
      number("Bytes out/s", (row) => format.bytes(row.rates.bytesOut)),
      level("Waiting in sessions", "waiting"),
      number("Mail waiting", (row) => format.bytes(row.levels.mailBytes)),
      level("Retained", "retained"),
    ], { key });
    this.messages.root.id = "shard-messages";
    this.loop = new Table("Processor and loop of each shard", [
      heading, number("CPU", (row) => format.percent(row.rates.cpu)), rate("Turns/s", "turns"),
      rate("Sleeps/s", "sleeps"), number("Turn, p99", (row) => format.micros(row.turnP99)),
      number("Memory", (row) => format.bytes(row.levels.memoryBytes)),
      { title: "Longest stall, and what ran", class: "wide", cell: stallOf },
    ], { key });
    this.loop.root.id = "shard-loop";
    this.root = element("div", { class: "view" },
      card("Connections", { id: "shards-connections" }, this.connections.root),
      card("Messages and queues", { id: "shards-messages" }, this.messages.root),
      card("Processor and loop", { id: "shards-loop",
           note: "a turn is one round of the shard's loop; a sleeping loop takes no turns" },
        this.loop.root));
  }

  enter() {
    this.update();
  }

  update() {
    const { now } = this.app.feed;
    if (!now) return;
    this.connections.show(now.rows);
    this.messages.show(now.rows);
    this.loop.show(now.rows);
  }
}
