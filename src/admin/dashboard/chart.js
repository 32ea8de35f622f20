// A line chart over time, by uPlot: one look for all of them, a legend with what is under the
// pointer or the newest, and colours that follow the theme.
import uPlot from "uplot";
import { color, onThemeChange } from "./colors.js";
import { element, replace, setText } from "./dom.js";
import { clock } from "./format.js";

const binarySteps = Array.from({ length: 50 }, (_, power) => 2 ** power);

// "50.0 k/s" -> "50 k": an axis needs no more.
const plain = (text) => text.replace("/s", "").replace(/(\.\d*?)0+(?= |$)/, "$1")
  .replace(/\.(?= |$)/, "");

// Seconds: clock() tells none smaller.
const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 28_800,
                   86_400, 604_800];

// The places of values with none beside them: a line doesn't show those.
const isGap = (value) => value === null || value === undefined;
const alone = (values) => Array.from(values.keys()).filter((at) =>
  !isGap(values[at]) && isGap(values[at - 1]) && isGap(values[at + 1]));

const charts = new Set();
onThemeChange(() => charts.forEach((chart) => chart.rebuild()));

export class Chart {
  // series: [{label, color: () => css, dashed}]; format: a number as text; stacked: the rows of
  // data are sums already, and areas are drawn between them; step: 1024 where units are of it.
  constructor({ label, format, series, height = 180, stacked = false, sync = true, yMin = 1,
                step = 1000 }) {
    Object.assign(this, { label, format, series, height, stacked, sync, yMin, step });
    this.data = [[]];
    this.plot = null;
    this.values = [];
    this.place = element("div", { class: "plot", role: "img", "aria-label": label });
    this.place.style.setProperty("--plot-height", `${height}px`);
    this.legend = element("ul", { class: "legend" });
    this.root = element("figure", { class: "chart" }, this.legend, this.place);
    this.makeLegend();
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(this.place);
    charts.add(this);
  }

  setSeries(series) {
    const names = (all) => all.map((one) => one.label).join("\n");
    const same = names(series) === names(this.series);
    this.series = series;
    if (same) return;
    this.makeLegend();
    this.destroy();
  }

  makeLegend() {
    this.values = [];
    this.marks = [];
    replace(this.legend, this.series.map((one) => {
      const value = element("b", {}, "–");
      const mark = element("i", { "aria-hidden": "true" });
      mark.style.backgroundColor = one.color();
      this.values.push(value);
      this.marks.push(mark);
      return element("li", {}, mark, `${one.label} `, value);
    }));
  }

  // `shown`: the legend's columns where they aren't those that are drawn.
  show(data, shown = data) {
    this.data = data;
    this.shown = shown;
    if (!this.place.isConnected || this.place.clientWidth === 0) return;
    if (this.plot === null) this.build();
    else this.plot.setData(data);
    this.tell(this.plot.cursor.idx ?? null);
  }

  tell(index) {
    const columns = this.shown ?? this.data;
    const last = (columns[0]?.length ?? 0) - 1;
    const at = index ?? last;
    this.values.forEach((value, series) => {
      setText(value, at < 0 ? "–" : this.format(columns[series + 1]?.[at] ?? null));
    });
  }

  build() {
    const grid = color("grid");
    const axis = {
      stroke: color("muted"), font: "11px system-ui, sans-serif",
      grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1, size: 4 },
    };
    const series = this.series.map((one) => {
      const stroke = one.color();
      return { label: one.label, stroke, width: this.stacked ? 1 : 1.75,
               fill: this.stacked ? stroke : undefined, dash: one.dashed ? [5, 4] : undefined,
               points: { show: true, size: 4, fill: stroke,
                         filter: (plot, index) => alone(plot.data[index]) },
               spanGaps: false };
    });
    // The highest sum first, so that each lies before those above it.
    const ordered = this.stacked ? series.slice().reverse() : series;
    const data = this.ordered(this.data);
    const options = {
      width: Math.max(120, this.place.clientWidth), height: this.height,
      padding: [8, 26, 0, 0], legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false },
                sync: this.sync ? { key: "time" } : undefined },
      scales: { x: { time: true, range: (_, low, high) => this.timeRange(low, high) },
                y: { range: (_, low, high) => this.range(low, high) } },
      axes: [
        { ...axis, space: 70, size: 26, incrs: timeSteps,
          values: (_, splits) => splits.map((at) => this.timeLabel(at)) },
        { ...axis, size: 68, space: 36, incrs: this.step === 1024 ? binarySteps : undefined,
          values: (_, splits) => splits.map((at) => plain(this.format(at))) },
      ],
      series: [{}, ...ordered],
      hooks: { setCursor: [(plot) => this.tell(plot.cursor.idx)] },
    };
    this.plot = new uPlot(options, data, this.place);
    const set = this.plot.setData.bind(this.plot);
    this.plot.setData = (next) => set(this.ordered(next));
  }

  ordered(data) {
    return this.stacked ? [data[0], ...data.slice(1).reverse()] : data;
  }

  range(low, high) {
    const top = high === null || high === undefined ? this.yMin : Math.max(high, this.yMin);
    return [Math.min(0, low ?? 0), top * 1.08];
  }

  // A moment alone has no width, and stands in the middle of a minute.
  timeRange(low, high) {
    return this.data[0].length === 1 ? [low - 30, low + 30] : [low, high];
  }

  timeLabel(at) {
    const times = this.data[0];
    const span = times.length > 1 ? times.at(-1) - times[0] : 0;
    return span > 1200 ? clock(at).slice(0, 5) : clock(at);
  }

  resize() {
    const width = this.place.clientWidth;
    if (width === 0) return;
    if (this.plot === null) this.show(this.data, this.shown);
    else if (Math.abs(this.plot.width - width) >= 1) {
      this.plot.setSize({ width, height: this.height });
    }
  }

  rebuild() {
    this.series.forEach((one, index) => { this.marks[index].style.backgroundColor = one.color(); });
    this.destroy();
    this.show(this.data, this.shown);
  }

  destroy() {
    this.plot?.destroy();
    this.plot = null;
  }
}
