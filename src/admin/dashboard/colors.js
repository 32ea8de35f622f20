// The charts' colours, read from the style sheet, so that light and dark have their own.

export function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export const seriesCount = 8;
export const seriesColor = (index) => color(`series-${(index % seriesCount) + 1}`);

// "auto", "light" or "dark": kept in this browser.
const key = "millrace-theme";
const order = ["auto", "light", "dark"];
const watchers = new Set();

export function onThemeChange(tell) {
  watchers.add(tell);
}

export function theme() {
  const kept = localStorage.getItem(key);
  return order.includes(kept) ? kept : "auto";
}

function apply() {
  const wanted = theme();
  if (wanted === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", wanted);
  for (const tell of watchers) tell();
}

export function nextTheme() {
  localStorage.setItem(key, order[(order.indexOf(theme()) + 1) % order.length]);
  apply();
}

export function startTheme() {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  apply();
}
