// CPU profiles: those that are kept, one taken now, what a function costs, and what grew.
import { get, post } from "./api.js";
import { card, element, named, notice, replace, setText, Table } from "./dom.js";
import { FlameView } from "./flame_view.js";
import * as format from "./format.js";
import { View } from "./view.js";

const number = (title, cell) => ({ title, class: "number", cell });
const path = (id, what) => `/api/v1/profiles/${encodeURIComponent(id)}/${what}`;
const points = (share) => `${format.signed(share * 100, (value) => value.toFixed(1))} points`;

export class CpuView extends View {
  constructor(app) {
    super(app, "CPU");
    this.profiles = [];
    this.keepsNone = false;
    this.isTaking = false;
    this.chosen = null;
    this.asked = -Infinity;
    this.notice = notice();
    this.flameNotice = notice();
    this.keptNote = element("p", { class: "note", id: "profiles-kept" });
    this.growthNotice = notice();
    this.flame = new FlameView();
    this.seconds = element("select", { id: "profile-seconds" }, [2, 5, 10, 30].map((value) =>
      element("option", { value, selected: value === 5 }, `${value} s`)));
    this.take = element("button", { id: "profile-take", onclick: () => this.takeProfile() },
                        "Take a profile");
    this.list = new Table("CPU profiles", [
      { title: "Time", heading: true, cell: (row) => element("button",
          { class: "link", onclick: () => this.choose(row.id) }, format.dateTime(row.time)) },
      number("Seconds", (row) => format.count(row.seconds)),
      number("Samples", (row) => format.exact(row.samples)),
      { title: "Shown", cell: (row, cell) => {
        cell.parentElement.toggleAttribute("data-chosen", row.id === this.chosen);
        return row.id === this.chosen ? "shown" : "";
      } },
    ], { none: "no profile was taken yet", key: (row) => row.id, class: "tall" });
    this.list.root.id = "profiles";
    this.functions = new Table("Functions of this profile", [
      { title: "Function", class: "wide", heading: true, cell: (row) => named(row.name) },
      number("Itself", (row) => this.shareOf(row.self)),
      number("With callees", (row) => this.shareOf(row.total)),
    ], { key: (row) => row.name, class: "tall" });
    this.functions.root.id = "profile-functions";
    this.from = element("select", { id: "profile-from", onchange: () => this.compare() });
    this.to = element("select", { id: "profile-to", onchange: () => this.compare() });
    this.growth = new Table("What grew between two profiles", [
      { title: "Function", class: "wide", heading: true, cell: (row) => named(row.name) },
      number("Before", (row) => format.percent(row.self_share_from)),
      number("After", (row) => format.percent(row.self_share_to)),
      number("Change", (row) => points(row.change)),
    ], { none: "nothing changed", key: (row) => row.name, class: "tall" });
    this.growth.root.id = "profile-growth";
    this.root = this.build();
  }

  build() {
    const actions = [element("label", {}, "for ", this.seconds), this.take];
    return element("div", { class: "view" },
      element("div", { class: "columns" },
        card("Profiles", { id: "profiles-title", actions }, this.notice, this.keptNote,
          this.list.root),
        card("Functions", { id: "functions-title", note: "of the profile that is shown" },
          this.functions.root)),
      card("Flame graph",
        { id: "flame-title", note: "a box is a function, below the one that called it" },
        this.flameNotice, this.flame.root),
      card("What grew between two profiles", { id: "cpu-growth-title" },
        element("div", { class: "fields" },
          element("label", {}, "from ", this.from), element("label", {}, "to ", this.to)),
        this.growthNotice, this.growth.root));
  }

  shareOf(samples) {
    return format.percent(samples / (this.samples || 1));
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
    const before = this.profiles.map((one) => one.id).join();
    const { profiles, kept_max: keptMax } = await get("/api/v1/profiles");
    this.tellKept(keptMax);
    this.profiles = [...profiles].sort((a, b) => b.time - a.time);
    if (this.profiles.map((one) => one.id).join() !== before) {
      this.offer();
      await this.compare();
    }
    if (!this.profiles.some((one) => one.id === this.chosen)) {
      await this.choose(this.profiles[0]?.id ?? null);
    }
    this.list.show(this.profiles);
  }

  tellKept(keptMax) {
    this.keepsNone = keptMax === 0;
    this.take.disabled = this.keepsNone || this.isTaking;
    setText(this.keptNote, this.keepsNone
      ? "This server keeps no profiles: set admin.history_dir to a directory." : "");
  }

  offer() {
    const fill = (select, otherwise) => {
      const chosen = select.value;
      replace(select, this.profiles.map(({ id, time }) =>
        element("option", { value: id }, format.dateTime(time))));
      select.value = this.profiles.some(({ id }) => id === chosen) ? chosen : otherwise;
    };
    fill(this.from, this.profiles.at(-1)?.id ?? "");
    fill(this.to, this.profiles[0]?.id ?? "");
  }

  async choose(id) {
    this.chosen = id;
    this.list.show(this.profiles);
    if (id === null) return;
    await this.app.section(this.flameNotice, async () => {
      const tree = await get(path(id, "flame"));
      const { functions, samples } = await get(path(id, "functions"), { limit: 50 });
      if (this.chosen !== id) return;
      this.samples = samples;
      this.functions.show(functions);
      this.flame.show(tree);
      setText(this.flameNotice, samples === 0 ? "Nothing ran while it was taken." : "");
    });
  }

  async compare() {
    if (this.profiles.length < 2 || this.from.value === this.to.value) {
      this.growth.show([]);
      setText(this.growthNotice, this.profiles.length < 2 ? "It takes two profiles." : "");
      return;
    }
    await this.app.section(this.growthNotice, async () => {
      const { functions } = await get("/api/v1/profiles/growth",
        { from: this.from.value, to: this.to.value, limit: 50 });
      this.growth.show(functions);
    });
  }

  async takeProfile() {
    const seconds = Number(this.seconds.value);
    this.take.disabled = this.isTaking = true;
    setText(this.take, `Sampling for ${seconds} s …`);
    await this.app.section(this.notice, async () => {
      const { id } = await post("/api/v1/profiles", { seconds },
                                { milliseconds: (seconds + 30) * 1000 });
      await this.load();
      await this.choose(id);
    });
    this.isTaking = false;
    this.take.disabled = this.keepsNone;
    setText(this.take, "Take a profile");
  }
}
