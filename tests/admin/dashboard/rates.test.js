import assert from "node:assert/strict";
import { test } from "node:test";
import { figures, rates, sample } from "../../../src/admin/dashboard/rates.js";

function shard(index, values = {}) {
  return {
    shard: index,
    connections: { connected: values.connected ?? 0, active: 0, idle: 0,
                   sockets_accepted: values.opened ?? 0, sockets_closed: 0, accept_failures: 1,
                   connects_refused: 2, protocol_errors: 3, keep_alive_timeouts: 4,
                   connect_timeouts: 5, slow_receivers_closed: 6 },
    messages: { received: values.received ?? 0, sent: 0, rejected: 0, waiting: 2,
                dropped: { slow_receiver: 7, queue_full: values.full ?? 0 } },
    bytes: { received: 0, sent: 0 }, cpu_seconds: values.cpu ?? 0,
    loop: { turns: 0, sleeps: 0, turn_us: { count: 0, sum: 0, max: 0, buckets: [] },
            longest_stall: null },
    delivery_us: { count: values.slow ?? 0, sum: 0, max: 5000,
                   buckets: values.slow ? [[5000, values.slow]] : [] },
  };
}

test("what belongs together is counted together", () => {
  const got = figures(shard(0, { full: 3 }));
  assert.equal(got.failed, 6);
  assert.equal(got.timeouts, 15);
  assert.equal(got.dropped, 10);
});

test("rates are differences by the server's own clock", () => {
  const got = sample({ time: 100, shards: [shard(0, { received: 10, cpu: 1 })] },
                     { time: 102, shards: [shard(0, { received: 30, cpu: 2 })] });
  assert.equal(got.rates.received, 10);
  assert.equal(got.rates.cpu, 0.5);
  assert.equal(got.rows[0].rates.received, 10);
});

test("levels and rates are summed over the shards", () => {
  const got = sample(
    { time: 1, shards: [shard(0, { received: 1 }), shard(1, { received: 5 })] },
    { time: 2, shards: [shard(0, { received: 2, connected: 3 }),
                        shard(1, { received: 9, connected: 4 })] });
  assert.equal(got.levels.connected, 7);
  assert.equal(got.rates.received, 5);
  assert.equal(got.levels.waiting, 4);
});

test("the first answer has levels and no rates", () => {
  const got = sample(undefined, { time: 5, shards: [shard(0, { connected: 3, slow: 9 })] });
  assert.equal(got.levels.connected, 3);
  assert.equal(got.rates.received, null);
  assert.equal(got.delivery.p99, null);
});

test("a server that was started anew, or the same moment twice, gives no rate", () => {
  assert.equal(rates({ received: 10 }, { received: 2 }, 1).received, null);
  assert.equal(rates({ received: 10 }, { received: 20 }, 0).received, null);
  assert.equal(rates(undefined, { received: 20 }, 1).received, null);
});

test("a shard that appears doesn't spoil the others", () => {
  const got = sample({ time: 1, shards: [shard(0)] },
                     { time: 2, shards: [shard(0, { received: 4 }), shard(1, { received: 99 })] });
  assert.equal(got.rates.received, 4);
});

test("percentiles are of what came since the answer before", () => {
  const got = sample({ time: 1, shards: [shard(0, { slow: 2 })] },
                     { time: 2, shards: [shard(0, { slow: 5 })] });
  assert.deepEqual(got.delivery, { count: 3, p50: 5000, p99: 5000, p999: 5000 });
});

test("a server that leaves figures out still gives the others", () => {
  const got = sample({ time: 1, shards: [{ shard: 0 }] }, { time: 2, shards: [{ shard: 0 }] });
  assert.equal(got.rates.received, null);
  assert.equal(got.levels.connected, null);
});
