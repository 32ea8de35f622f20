// Numbers and times as people read them. Pure: text out of values, always of about the same width.

const none = "–";

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

// Three significant digits, and never fewer than the whole part has.
function digits(value) {
  const size = Math.abs(Number(value.toPrecision(3))); // 0.9999 has the digits of 1
  if (size === 0) return "0";
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(size >= 1 ? 2 : 3);
}

function scaled(value, step, units) {
  let index = 0;
  // 999.6 would be written as 1000 of the smaller unit.
  while (index + 1 < units.length && Math.abs(value) >= step * 0.9995) {
    value /= step;
    index += 1;
  }
  return [value, units[index]];
}

// 12345 -> "12.3 k"; whole numbers below 10,000 are told exactly.
export function count(value) {
  if (!isNumber(value)) return none;
  if (Number.isInteger(value) && Math.abs(value) < 10_000) return String(value);
  const [number, unit] = scaled(value, 1000, ["", "k", "M", "G", "T"]);
  return unit === "" ? digits(number) : `${digits(number)} ${unit}`;
}

// All digits, in groups: "1,234,567".
export function exact(value) {
  return isNumber(value) ? Math.round(value).toLocaleString("en-US") : none;
}

export function perSecond(value) {
  return isNumber(value) ? `${count(value)}/s` : none;
}

export function bytes(value) {
  if (!isNumber(value)) return none;
  const [number, unit] = scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
  return `${unit === "B" ? number.toFixed(0) : digits(number)} ${unit}`;
}

export function bytesPerSecond(value) {
  return isNumber(value) ? `${bytes(value)}/s` : none;
}

export function percent(share) {
  if (!isNumber(share)) return none;
  const value = share * 100;
  return `${value.toFixed(Math.abs(value) >= 10 || value === 0 ? 0 : 1)} %`;
}

// Microseconds as the unit that fits.
export function micros(value) {
  if (!isNumber(value)) return none;
  const [number, unit] = scaled(value, 1000, ["µs", "ms", "s"]);
  return `${unit === "µs" && Number.isInteger(number) ? number : digits(number)} ${unit}`;
}

// Seconds as days, hours, minutes: the two largest.
export function duration(seconds) {
  if (!isNumber(seconds)) return none;
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).map(([value, unit]) => `${value} ${unit}`).join(" ");
}

const two = (value) => String(value).padStart(2, "0");

// "14:03:59" of that moment, in the reader's time zone.
export function clock(seconds) {
  if (!isNumber(seconds)) return none;
  const time = new Date(seconds * 1000);
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

export function clockMillis(seconds) {
  if (!isNumber(seconds)) return none;
  const millis = new Date(seconds * 1000).getMilliseconds();
  return `${clock(seconds)}.${String(millis).padStart(3, "0")}`;
}

export function dateTime(seconds) {
  if (!isNumber(seconds)) return none;
  const time = new Date(seconds * 1000);
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day} ${clock(seconds)}`;
}

// With a sign, for what grew: "+1.2 KiB", "-3".
export function signed(value, format) {
  if (!isNumber(value)) return none;
  return value > 0 ? `+${format(value)}` : format(value);
}

export function plural(number, one, many = `${one}s`) {
  return `${exact(number)} ${number === 1 ? one : many}`;
}

// Of a name of more than 128 bytes the server's lists have those before the character that doesn't
// fit, and an ellipsis of 3 bytes: nobody can be looked up by that.
export function isCut(name) {
  return name.endsWith("\u2026") && new TextEncoder().encode(name).length >= 128;
}

// What a client chose, with what can't be seen, or turns the rest of the line around, made visible.
export function visible(text) {
  if (text === "") return "(empty)";
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}
