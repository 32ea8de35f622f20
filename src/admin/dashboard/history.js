// What the page remembers: a row of numbers a second for a quarter of an hour, as columns, which is
// what the charts want. Pure.

export class History {
  constructor(names, seconds = 900, gapSeconds = 3.5) {
    this.names = names;
    this.seconds = seconds;
    this.gapSeconds = gapSeconds;
    this.times = [];
    this.columns = Object.fromEntries(names.map((name) => [name, []]));
  }

  // A pause is shown as one: a row of nothing parts what lies before from what comes.
  add(time, values) {
    const last = this.times.at(-1);
    if (last !== undefined && time <= last) {
      if (time === last) return;
      this.clear(); // the server's clock went back
    } else if (last !== undefined && time - last > this.gapSeconds) {
      this.push(last + 0.001, {});
    }
    this.push(time, values);
    const oldest = time - this.seconds;
    let drop = 0;
    while (this.times[drop] < oldest) drop += 1;
    if (drop > 0) {
      this.times.splice(0, drop);
      for (const name of this.names) this.columns[name].splice(0, drop);
    }
  }

  push(time, values) {
    this.times.push(time);
    for (const name of this.names) this.columns[name].push(values[name] ?? null);
  }

  clear() {
    this.times.length = 0;
    for (const name of this.names) this.columns[name].length = 0;
  }

  // [times, column, column, ...]
  data(names) {
    return [this.times, ...names.map((name) => this.columns[name])];
  }
}
