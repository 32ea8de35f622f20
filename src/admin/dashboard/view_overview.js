// The first view: what the server does now and did in the last quarter of an hour, who is slow and
// what is hot.
import { get } from "./api.js";
import { Chart } from "./chart.js";
import { color, seriesColor } from "./colors.js";
import { card, element, named, notice, setText, Table } from "./dom.js";
import { cpuColumn, shardLinesMax } from "./feed.js";
import * as format from "./format.js";
import { View } from "./view.js";

const tiles = [
  { id: "connections", title: "Connections", value: ({ levels }) => format.exact(levels.connected),
    more: ({ levels }) => `${format.count(levels.active)} of them active` },
  { id: "received", title: "Messages in", value: ({ rates }) => format.perSecond(rates.received),
    more: ({ levels }) => `${format.exact(levels.received)} in all` },
  { id: "sent", title: "Messages out", value: ({ rates }) => format.perSecond(rates.sent),
    more: ({ levels }) => `${format.exact(levels.sent)} in all` },
  { id: "dropped", title: "Dropped", value: ({ rates }) => format.perSecond(rates.dropped),
    more: ({ levels }) => `${format.exact(levels.dropped)} in all`,
    alarm: ({ rates }) => rates.dropped > 0 },
  { id: "latency", title: "Delivery, p99", value: ({ delivery }) => format.micros(delivery.p99),
    more: ({ delivery }) => `p50 ${format.micros(delivery.p50)}` },
  { id: "bytes", title: "Bytes out", value: ({ rates }) => format.bytesPerSecond(rates.bytesOut),
    more: ({ rates }) => `${format.bytesPerSecond(rates.bytesIn)} in` },
  { id: "cpu", title: "CPU", value: ({ rates, rows }) => format.percent(rates.cpu === null ? null
      : rates.cpu / rows.length),
    more: ({ rows }) => `mean of ${format.plural(rows.length, "shard")}` },
  { id: "memory", title: "Memory", value: ({ levels }) => format.bytes(levels.memoryBytes),
    more: ({ levels }) => `${format.bytes(levels.reservedBytes)} reserved` },
];

const line = (label, index) => ({ label, color: () => seriesColor(index) });
const ramp = (label, step) => ({ label, color: () => color(`ramp-${step}`) });
const alarm = (label) => ({ label, color: () => color("alarm") });

function chartsOf() {
  return [
    { title: "Connections", columns: ["connected", "active"],
      chart: new Chart({ label: "Connections over time", format: format.count,
                         series: [line("connected", 0), line("active", 1)] }) },
    { title: "Messages", columns: ["received", "sent", "dropped"],
      chart: new Chart({ label: "Messages a second over time", format: format.perSecond,
                         series: [line("in", 0), line("out", 1), alarm("dropped")] }) },
    { title: "Delivery latency", columns: ["p50", "p99", "p999"],
      note: "of the messages delivered in each second",
      chart: new Chart({ label: "Delivery latency over time", format: format.micros,
                         series: [ramp("p50", 1), ramp("p99", 2), ramp("p99.9", 3)] }) },
    { title: "Coming and going", columns: ["opened", "closed", "failed"],
      chart: new Chart({ label: "Connections opened, closed and failed a second",
                         format: format.perSecond,
                         series: [line("new", 0), line("closed", 1), alarm("failed")] }) },
    { title: "Bytes", columns: ["bytesIn", "bytesOut"],
      chart: new Chart({ label: "Bytes a second over time", format: format.bytesPerSecond,
                         yMin: 64, step: 1024,
                         series: [line("in", 0), line("out", 1)] }) },
  ];
}

export class OverviewView extends View {
  constructor(app) {
    super(app, "Overview");
    this.tiles = tiles.map((tile) => ({ ...tile, big: element("dd", { class: "big",
      "data-tile": tile.id }, "–"), small: element("dd", { class: "small" }, " ") }));
    this.charts = chartsOf();
    this.cpu = new Chart({ label: "Processor time of each shard", format: format.percent,
                           yMin: 0.05, series: [] });
    this.cpuColumns = [];
    this.slow = new Table("Slow receivers", [
      { title: "Client", class: "wide", heading: true,
        cell: (row) => (format.isCut(row.client_id) ? named(row.client_id)
          : element("a", { href: `#clients/${encodeURIComponent(row.client_id)}` },
                    named(row.client_id))) },
      { title: "Dropped", class: "number", cell: (row) => format.exact(row.dropped) },
      { title: "Waited", class: "number", cell: (row) => format.exact(row.waited) },
      { title: "Queued", class: "number", cell: (row) => format.bytes(row.queued_bytes) },
      { title: "Waiting now", class: "number", cell: (row) => format.count(row.waiting_messages) },
      { title: "", cell: (row) => (row.connected ? "" : "gone") },
    ], { none: "nobody is slow", key: (row) => row.client_id });
    this.slow.root.id = "slow-receivers";
    this.hot = new Table("Hot topics", [
      { title: "Topic", class: "wide", heading: true, cell: (row) => named(row.topic) },
      { title: "Messages", class: "number", cell: (row) => format.exact(row.messages) },
      { title: "± at most", class: "number", cell: (row) => format.exact(row.messages_error) },
      { title: "Receivers", class: "number", cell: (row) => format.count(row.receivers) },
    ], { none: "nothing was published yet", key: (row) => row.topic });
    this.hot.root.id = "hot-topics";
    this.slowNotice = notice();
    this.hotNotice = notice();
    this.hotNote = element("p", { class: "note" });
    this.root = this.build();
    this.listsAsked = -Infinity;
  }

  build() {
    const hot = card("Hot topics", { id: "hot-title" }, this.hotNotice, this.hot.root);
    hot.querySelector(".card-head").append(this.hotNote);
    return element("div", { class: "view" },
      element("dl", { class: "tiles" }, this.tiles.map((tile) =>
        element("div", { class: "tile", id: `tile-${tile.id}` },
          element("dt", {}, tile.title), tile.big, tile.small))),
      element("div", { class: "columns" },
        this.charts.map((one, index) =>
          card(one.title, { id: `chart-title-${index}`, note: one.note }, one.chart.root)),
        card("CPU of each shard", { id: "cpu-title", note: "of one core" }, this.cpu.root),
        card("Slow receivers", { id: "slow-title", note: "by messages dropped or made to wait" },
          this.slowNotice, this.slow.root),
        hot));
  }

  enter() {
    this.listsAsked = -Infinity;
    this.update();
  }

  update() {
    const { now, history } = this.app.feed;
    if (!now) return;
    for (const tile of this.tiles) {
      setText(tile.big, tile.value(now));
      setText(tile.small, tile.more(now));
      tile.big.classList.toggle("alarm", tile.alarm?.(now) ?? false);
    }
    for (const one of this.charts) one.chart.show(history.data(one.columns));
    this.updateCpu(now, history);
  }

  // Many lines say nothing: past some shards it's the busiest, the median and the idlest.
  updateCpu(now, history) {
    const few = now.rows.length <= shardLinesMax;
    const columns = few ? now.rows.map((row) => cpuColumn(row.shard))
                        : ["cpuMax", "cpuMedian", "cpuMin"];
    const labels = few ? now.rows.map((row) => `shard ${row.shard}`)
                       : ["busiest", "median", "idlest"];
    this.cpu.setSeries(labels.map((label, index) => line(label, index)));
    this.cpu.show(history.data(columns));
  }

  async tick() {
    if (performance.now() - this.listsAsked < 2000) return;
    this.listsAsked = performance.now();
    await this.app.section(this.slowNotice, async () => {
      const { receivers } = await get("/api/v1/receivers/slow", { limit: 10 });
      this.slow.show(receivers);
    });
    await this.app.section(this.hotNotice, async () => {
      const { topics, since, sampled } = await get("/api/v1/topics/hot", { limit: 10 });
      this.hot.show(topics);
      setText(this.hotNote, `since ${format.clock(since)}, ${sampled} counted`);
    });
  }
}
