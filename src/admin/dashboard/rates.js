// From totals since the start to what happens a second. Pure.
import { difference, quantile, sum } from "./histogram.js";

const add = (values) => values.reduce((all, value) => all + (value ?? 0), 0);

// One shard's totals and levels by short names, whatever a server leaves out.
export function figures(shard) {
  const connections = shard.connections ?? {};
  const messages = shard.messages ?? {};
  return {
    // levels
    connected: connections.connected,
    active: connections.active,
    idle: connections.idle,
    sessions: shard.sessions,
    subscriptions: shard.subscriptions,
    retained: shard.retained_messages,
    retainedBytes: shard.retained_bytes,
    waiting: messages.waiting,
    mailBytes: shard.queues?.mail_bytes_waiting,
    memoryBytes: shard.memory?.objects_bytes,
    reservedBytes: shard.memory?.reserved_bytes,
    // totals
    opened: connections.sockets_accepted,
    closed: connections.sockets_closed,
    failed: add([connections.accept_failures, connections.connects_refused,
                 connections.protocol_errors]),
    timeouts: add([connections.keep_alive_timeouts, connections.connect_timeouts,
                   connections.slow_receivers_closed]),
    received: messages.received,
    sent: messages.sent,
    rejected: messages.rejected,
    dropped: add(Object.values(messages.dropped ?? {})),
    bytesIn: shard.bytes?.received,
    bytesOut: shard.bytes?.sent,
    cpu: shard.cpu_seconds,
    turns: shard.loop?.turns,
    sleeps: shard.loop?.sleeps,
  };
}

const totals = ["opened", "closed", "failed", "timeouts", "received", "sent", "rejected", "dropped",
                "bytesIn", "bytesOut", "cpu", "turns", "sleeps"];

// Growth a second; null where it can't be told: no answer before, no time between, or a total that
// fell, since the server was started anew.
export function rates(before, now, seconds) {
  const out = {};
  for (const name of totals) {
    const grown = before === undefined ? NaN : now[name] - before[name];
    out[name] = seconds > 0 && grown >= 0 ? grown / seconds : null;
  }
  return out;
}

export function percentiles(histogram) {
  return { count: histogram.count, p50: quantile(histogram, 0.5), p99: quantile(histogram, 0.99),
           p999: quantile(histogram, 0.999) };
}

const levels = ["connected", "active", "idle", "sessions", "subscriptions", "retained",
                "retainedBytes", "waiting", "mailBytes", "memoryBytes", "reservedBytes"];

function sumOf(rows, names) {
  const out = {};
  for (const name of names) {
    const known = rows.map((row) => row[name])
      .filter((value) => value !== null && value !== undefined);
    out[name] = known.length === 0 ? null : add(known);
  }
  return out;
}

// Two answers of /api/v1/shards -> what is shown of the second: rows a shard, and their sum.
export function sample(before, now) {
  const seconds = before ? now.time - before.time : 0;
  const old = new Map((before?.shards ?? []).map((shard) => [shard.shard, shard]));
  const rows = now.shards.map((shard) => {
    const earlier = old.get(shard.shard);
    const mine = figures(shard);
    const turns = difference(earlier?.loop?.turn_us, shard.loop?.turn_us);
    return {
      shard: shard.shard,
      levels: mine,
      rates: rates(earlier && figures(earlier), mine, seconds),
      turnP99: earlier ? quantile(turns, 0.99) : null,
      stall: shard.loop?.longest_stall ?? null,
      delivery: earlier ? difference(earlier.delivery_us, shard.delivery_us) : null,
    };
  });
  return {
    time: now.time,
    rows,
    levels: sumOf(rows.map((row) => row.levels), [...levels, ...totals]),
    rates: sumOf(rows.map((row) => row.rates), totals),
    delivery: percentiles(sum(rows.map((row) => row.delivery))),
  };
}
