// What the whole page shows of: asks for the shards once a second while somebody looks, and keeps
// the seconds that were. Views hear of each second.
import { get } from "./api.js";
import { History } from "./history.js";
import { sample } from "./rates.js";

const columns = ["connected", "active", "opened", "closed", "failed", "received", "sent", "dropped",
                 "bytesIn", "bytesOut", "p50", "p99", "p999", "cpuMax", "cpuMedian",
                 "cpuMin"];
export const cpuColumn = (shard) => `cpu${shard}`;
export const shardLinesMax = 8;

export class Feed {
  constructor() {
    this.server = null;  // the newest /api/v1/server
    this.last = null;    // the newest /api/v1/shards
    this.now = null;     // the newest sample
    this.history = new History(columns);
    this.shards = [];
    this.serverAsked = -Infinity;
  }

  async ask() {
    if (performance.now() - this.serverAsked > 2000) {
      const server = await get("/api/v1/server");
      // Another process: what was remembered is of the one before.
      if (this.server && this.server.started !== server.started) this.forget();
      this.server = server;
      this.serverAsked = performance.now();
    }
    const answer = await get("/api/v1/shards");
    this.take(answer);
  }

  forget() {
    this.last = null;
    this.now = null;
    this.history.clear();
  }

  take(answer) {
    const shards = answer.shards.map((shard) => shard.shard);
    if (shards.join() !== this.shards.join()) {
      this.shards = shards;
      const lines = shards.length <= shardLinesMax ? shards.map(cpuColumn) : [];
      this.history = new History([...columns, ...lines]);
      this.last = null;
    }
    // After a pause a rate would be the mean of all of it.
    const before = this.last && answer.time - this.last.time < 10 ? this.last : undefined;
    if (before && answer.time === before.time) return;
    const now = sample(before, answer);
    this.last = answer;
    this.now = now;
    if (before) this.history.add(now.time, this.row(now));
  }

  row(now) {
    const cpus = now.rows.map((row) => row.rates.cpu).filter((value) => value !== null)
      .sort((a, b) => a - b);
    const row = {
      connected: now.levels.connected, active: now.levels.active,
      opened: now.rates.opened, closed: now.rates.closed, failed: now.rates.failed,
      received: now.rates.received, sent: now.rates.sent, dropped: now.rates.dropped,
      bytesIn: now.rates.bytesIn, bytesOut: now.rates.bytesOut,
      p50: now.delivery.p50, p99: now.delivery.p99, p999: now.delivery.p999,
      cpuMax: cpus.at(-1), cpuMedian: cpus[Math.floor(cpus.length / 2)], cpuMin: cpus[0],
    };
    for (const one of now.rows) row[cpuColumn(one.shard)] = one.rates.cpu;
    return row;
  }
}
