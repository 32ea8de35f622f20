// The memory ledger over the snapshots, as columns to stack. Pure.

// {class, objects, bytes, reserved_bytes} of each class, over the shards and what they share.
export function classes(memory) {
  const sums = new Map();
  for (const lines of [...memory.shards.map((shard) => shard.lines), memory.shared ?? []]) {
    for (const line of lines) {
      const sum = sums.get(line.class) ??
        { class: line.class, objects: 0, bytes: 0, reserved_bytes: 0 };
      for (const name of ["objects", "bytes", "reserved_bytes"]) sum[name] += line[name];
      sums.set(line.class, sum);
    }
  }
  return [...sums.values()];
}

// The heap has a line for each length, "heap 512": the same objects again, so they aren't stacked.
const isKind = (one) => !/^heap \d+$/.test(one.class);
const bytesByClass = (memory) =>
  new Map(classes(memory).filter(isKind).map((one) => [one.class, one.bytes]));

// The `classesMax` largest classes by the largest that each was, then "others": [{name, values}].
export function stackedSeries(memories, classesMax = 7) {
  const maps = memories.map(bytesByClass);
  const largest = new Map();
  for (const map of maps) {
    for (const [name, bytes] of map) largest.set(name, Math.max(largest.get(name) ?? 0, bytes));
  }
  const names = [...largest].filter(([, bytes]) => bytes > 0)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
  const shown = names.slice(0, classesMax);
  const rest = names.slice(classesMax);
  const series = shown.map((name) => ({ name, values: maps.map((map) => map.get(name) ?? 0) }));
  if (rest.length > 0) {
    series.push({
      name: "others",
      values: maps.map((map) => rest.reduce((all, name) => all + (map.get(name) ?? 0), 0)),
    });
  }
  return series;
}

// What is drawn: each series on top of those before it.
export function stack(series) {
  const sums = [];
  let below = null;
  for (const { values } of series) {
    const top = values.map((value, index) => value + (below ? below[index] : 0));
    sums.push(top);
    below = top;
  }
  return sums;
}
