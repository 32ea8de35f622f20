// Where memory is, how that went over the day, and what grew between two moments.
import { get, post } from "./api.js";
import { Chart } from "./chart.js";
import { color, seriesColor } from "./colors.js";
import { card, element, notice, replace, setText, Table } from "./dom.js";
import * as format from "./format.js";
import { classes, stack, stackedSeries } from "./memory_series.js";
import { View } from "./view.js";

const signedBytes = (value) => format.signed(value, format.bytes);
const signedCount = (value) => format.signed(value, format.exact);
const number = (title, cell) => ({ title, class: "number", cell });

const growth = [
  number("Bytes", (row) => signedBytes(row.bytes)),
  number("Objects", (row) => signedCount(row.objects)),
  number("Reserved", (row) => signedBytes(row.reserved_bytes)),
];

export class MemoryView extends View {
  constructor(app) {
    super(app, "Memory");
    this.kept = new Map(); // snapshot id -> what it holds; they never change
    this.snapshots = [];
    this.keepsNone = false;
    this.isTaking = false;
    this.asked = -Infinity;
    this.notice = notice();
    this.growthNotice = notice();
    this.chart = new Chart({ label: "Memory by class over the snapshots", format: format.bytes,
                             series: [], height: 240, stacked: true, sync: false, yMin: 1024,
                             step: 1024 });
    this.from = element("select", { id: "memory-from", onchange: () => this.compare() });
    this.to = element("select", { id: "memory-to", onchange: () => this.compare() });
    this.take = element("button", { id: "memory-take", onclick: () => this.takeSnapshot() },
                        "Take a snapshot");
    this.now = new Table("Memory by class now", [
      { title: "Class", heading: true, cell: (row) => row.class },
      number("Objects", (row) => format.exact(row.objects)),
      number("Bytes", (row) => format.bytes(row.bytes)),
      number("Reserved", (row) => format.bytes(row.reserved_bytes)),
    ], { key: (row) => row.class, class: "tall" });
    this.now.root.id = "memory-now";
    this.classes = new Table("What grew, by class", [
      { title: "Class", heading: true, cell: (row) => row.class }, ...growth,
    ], { none: "nothing changed", key: (row) => row.class, class: "tall" });
    this.classes.root.id = "memory-growth";
    this.shards = new Table("What grew, by shard and class", [
      { title: "Shard", heading: true, cell: (row) => row.shard ?? "shared" },
      { title: "Class", cell: (row) => row.class }, ...growth,
    ], { none: "nothing changed", key: (row) => `${row.shard} ${row.class}`, class: "tall" });
    this.process = element("dl", { class: "facts" });
    this.summary = element("p", { class: "note", id: "memory-summary" });
    this.root = this.build();
  }

  build() {
    return element("div", { class: "view" },
      card("Memory of the day", { id: "memory-title", note: "by class of object, all shards",
           actions: this.take }, this.notice, this.chart.root),
      card("What grew", { id: "growth-title" },
        element("div", { class: "fields" },
          element("label", {}, "from ", this.from), element("label", {}, "to ", this.to)),
        this.growthNotice, this.summary,
        element("div", { class: "columns" }, this.classes.root, this.shards.root)),
      element("div", { class: "columns" },
        card("By class, now", { id: "now-title" }, this.now.root),
        card("Process and kernel", { id: "process-title" }, this.process)));
  }

  enter() {
    this.asked = -Infinity;
  }

  async tick() {
    if (performance.now() - this.asked < 5000) return;
    this.asked = performance.now();
    await this.app.section(this.notice, () => this.load());
  }

  async load() {
    const list = await get("/api/v1/memory/snapshots");
    const before = this.snapshots.map((one) => one.id).join();
    this.keepsNone = list.kept_max === 0;
    this.take.disabled = this.keepsNone || this.isTaking;
    this.snapshots = [...list.snapshots].sort((a, b) => a.time - b.time);
    const known = new Set(this.snapshots.map((one) => one.id));
    for (const id of this.kept.keys()) if (!known.has(id)) this.kept.delete(id);
    for (const { id } of this.snapshots) {
      if (!this.kept.has(id)) {
        this.kept.set(id, await get(`/api/v1/memory/snapshots/${encodeURIComponent(id)}`));
      }
    }
    const now = await get("/api/v1/memory");
    this.showNow(now);
    this.draw([...this.snapshots.map(({ id }) => this.kept.get(id)), now]);
    if (this.snapshots.map((one) => one.id).join() !== before) this.offer();
    await this.compare();
  }

  showNow(memory) {
    this.now.show(classes(memory).filter((row) => row.bytes > 0 || row.reserved_bytes > 0)
      .sort((a, b) => b.bytes - a.bytes || b.reserved_bytes - a.reserved_bytes));
    const facts = Object.entries({ ...memory.process, ...memory.kernel })
      .filter(([, value]) => typeof value === "number");
    replace(this.process, facts.map(([name, value]) => element("div", {},
      element("dt", {}, name.replace(/_bytes/, "").replaceAll("_", " ")),
      element("dd", {}, name.includes("bytes") ? format.bytes(value) : format.exact(value)))));
  }

  draw(memories) {
    const series = stackedSeries(memories);
    this.chart.setSeries(series.map(({ name }, index) => ({
      label: name, color: name === "others" ? () => color("muted") : () => seriesColor(index) })));
    const times = memories.map((memory) => memory.time);
    this.chart.show([times, ...stack(series)], [times, ...series.map(({ values }) => values)]);
  }

  // What was chosen stays chosen while it's there.
  offer() {
    const options = this.snapshots.map(({ id, time }) => ({ id, text: format.dateTime(time) }));
    const fill = (select, choices, otherwise) => {
      const chosen = select.value;
      replace(select, choices.map(({ id, text }) => element("option", { value: id }, text)));
      select.value = choices.some(({ id }) => id === chosen) ? chosen : otherwise;
    };
    fill(this.from, options, options.at(0)?.id ?? "");
    fill(this.to, [...options, { id: "now", text: "now" }], "now");
  }

  async compare() {
    if (this.from.value === "") {
      setText(this.summary, this.keepsNone
        ? "This server keeps no snapshots: set admin.history_dir to a directory."
        : "There is no snapshot to compare with yet: take one.");
      return;
    }
    await this.app.section(this.growthNotice, async () => {
      const wanted = { from: this.from.value, to: this.to.value };
      const got = await get("/api/v1/memory/diff", wanted);
      if (wanted.from !== this.from.value || wanted.to !== this.to.value) return;
      const changed = (row) => row.bytes !== 0 || row.objects !== 0 || row.reserved_bytes !== 0;
      this.classes.show(got.classes.filter(changed));
      this.shards.show(got.shards.filter(changed).slice(0, 100));
      setText(this.summary, this.summaryOf(got));
    });
  }

  summaryOf(got) {
    const most = got.classes.find((row) => row.bytes > 0);
    const over = format.duration(Math.abs(got.to.time - got.from.time));
    const process = `The process: ${signedBytes(got.process?.resident_bytes)} resident.`;
    const restarted = got.restarted ? "The server was started anew in between. " : "";
    if (!most) return `${restarted}Nothing grew in ${over}. ${process}`;
    return `${restarted}${most.class} grew most in ${over}: ${signedBytes(most.bytes)}, ` +
      `${signedCount(most.objects)} objects. ${process}`;
  }

  async takeSnapshot() {
    this.take.disabled = this.isTaking = true;
    await this.app.section(this.notice, async () => {
      await post("/api/v1/memory/snapshots", {});
      await this.load();
    });
    this.isTaking = false;
    this.take.disabled = this.keepsNone;
  }
}
