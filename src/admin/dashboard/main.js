// The page: its frame, which view is shown, and the second hand that asks while somebody looks.
import "./style.css";
import { ApiError, onTokenWanted } from "./api.js";
import { nextTheme, startTheme, theme } from "./colors.js";
import { element, replace, setText } from "./dom.js";
import { Feed } from "./feed.js";
import * as format from "./format.js";
import { askForToken } from "./token_dialog.js";
import { ClientsView } from "./view_clients.js";
import { CpuView } from "./view_cpu.js";
import { LogView } from "./view_log.js";
import { MemoryView } from "./view_memory.js";
import { OverviewView } from "./view_overview.js";
import { PublishView } from "./view_publish.js";
import { ShardsView } from "./view_shards.js";
import { TraceView } from "./view_trace.js";

const intervalMs = 1000;

class App {
  constructor() {
    this.feed = new Feed();
    this.views = {
      overview: new OverviewView(this), shards: new ShardsView(this), memory: new MemoryView(this),
      cpu: new CpuView(this), clients: new ClientsView(this), log: new LogView(this),
      trace: new TraceView(this), publish: new PublishView(this),
    };
    this.view = null;
    this.answered = null; // when the server last answered, by this clock
    this.timer = null;
    this.isAsking = false;
    for (const name of ["state", "facts", "uptime", "connections", "banner", "main", "said",
                        "nav"]) {
      this[name] = document.getElementById(name);
    }
    this.themeButton = document.getElementById("theme");
  }

  start() {
    replace(this.nav, Object.entries(this.views).map(([name, view]) =>
      element("a", { href: `#${name}` }, view.title)));
    this.themeButton.addEventListener("click", () => {
      nextTheme();
      this.tellTheme();
    });
    startTheme();
    this.tellTheme();
    onTokenWanted(askForToken);
    document.getElementById("skip").addEventListener("click", (event) => {
      event.preventDefault(); // the address is the view's
      this.main.focus();
    });
    addEventListener("hashchange", () => this.route(true));
    document.addEventListener("visibilitychange", () => this.turn());
    this.route(false);
    this.turn();
  }

  tellTheme() {
    setText(this.themeButton, `Theme: ${theme()}`);
  }

  // #view or #view/argument
  route(isByHand) {
    const [name, ...rest] = location.hash.slice(1).split("/");
    const view = this.views[name] ?? this.views.overview;
    let argument = rest.join("/");
    try {
      argument = decodeURIComponent(argument);
    } catch {
      // as it stands
    }
    for (const link of this.nav.children) {
      const isHere = this.views[link.hash.slice(1)] === view;
      if (isHere) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      if (isHere) link.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    document.title = `${view.title} · millrace`;
    if (this.view !== view) {
      this.view = view;
      replace(this.main, element("h1", { class: "hidden", tabindex: "-1" }, view.title), view.root);
      if (isByHand) this.main.firstChild.focus();
    }
    view.enter(argument);
    this.turn();
  }

  // Asks at once and goes on every second, unless nobody looks.
  turn() {
    clearTimeout(this.timer);
    if (document.visibilityState === "hidden" || this.isAsking) return;
    this.isAsking = true;
    const begin = performance.now();
    this.ask().finally(() => {
      this.isAsking = false;
      const left = Math.max(100, intervalMs - (performance.now() - begin));
      if (document.visibilityState !== "hidden") this.timer = setTimeout(() => this.turn(), left);
    });
  }

  async ask() {
    try {
      await this.feed.ask();
      this.answered = Date.now() / 1000;
      this.banner.hidden = true;
      this.header();
      this.view.update();
      await this.view.tick();
    } catch (error) {
      this.trouble(error);
    }
  }

  trouble(error) {
    const why = error instanceof ApiError ? error.message : "the page has a fault";
    if (!(error instanceof ApiError)) console.error(error);
    const since = this.answered === null ? "No answer yet"
                                         : `No answer since ${format.clock(this.answered)}`;
    setText(this.banner, `${since}: ${why}. Asking again.`);
    this.banner.hidden = false;
  }

  // Runs what a section of the page asks; an error of its own stays with it.
  async section(place, work) {
    try {
      await work();
      if (place.dataset.failed) {
        delete place.dataset.failed;
        setText(place, "");
      }
    } catch (error) {
      if (!(error instanceof ApiError) || error.status === 0 || error.status === 401) {
        this.trouble(error);
        return;
      }
      place.dataset.failed = "yes";
      setText(place, `${error.message} (${error.code})`);
    }
  }

  say(text) {
    setText(this.said, text);
    this.said.hidden = false;
    clearTimeout(this.saidTimer);
    this.saidTimer = setTimeout(() => { this.said.hidden = true; }, 5000);
  }

  header() {
    const { server, now } = this.feed;
    setText(this.state, server.state);
    this.state.dataset.state = server.state;
    setText(this.facts, [server.version, server.network,
                         format.plural(server.shards, "shard")].join(" · "));
    setText(this.uptime, `up ${format.duration(now.time - server.started)}`);
    setText(this.connections, format.plural(now.levels.connected, "connection"));
  }
}

new App().start();
