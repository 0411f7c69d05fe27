// What the page is made of: elements, numbers in words, charts. Nothing here asks the proxy.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const NS = "http://www.w3.org/2000/svg";

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Text changes only where it differs, so that a screen reader hears news and a selection stays.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const count = (n) => (n ?? 0).toLocaleString("en-GB");
export const rate = (n) => `${(n ?? 0).toLocaleString("en-GB", { maximumFractionDigits: n < 10 ? 1 : 0 })}/s`;

export function ms(n) {
  if (n === null || n === undefined) return "no data";
  return n < 10 ? `${n.toFixed(1)} ms` : n < 1000 ? `${Math.round(n)} ms` : `${(n / 1000).toFixed(1)} s`;
}

export function bytes(n) {
  if (n === null || n === undefined) return "unknown";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(n) ? n : n.toFixed(1)} ${units[unit]}`;
}

export function span(milliseconds) {
  const seconds = Math.max(0, milliseconds / 1000);
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const whole = (big) => Math.floor(seconds / big);
  if (seconds < 3600) return `${whole(60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${whole(3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${whole(86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

export function clock(at) {
  const date = new Date(at);
  const sameDay = date.toDateString() === new Date().toDateString();
  return sameDay ? date.toLocaleTimeString("en-GB") : date.toLocaleString("en-GB");
}

// A list of names with values; the elements stay, their text changes.
export function facts(list) {
  const known = new Map();
  return (name, text, share) => {
    if (!known.has(name)) {
      const value = h("span");
      const bar = h("progress", { max: 1, "aria-label": `${name}: share in use`, hidden: "" });
      list.append(h("div", {}, h("dt", {}, name), h("dd", {}, value, bar)));
      known.set(name, { value, bar });
    }
    const { value, bar } = known.get(name);
    say(value, text);
    if (share !== undefined) {
      bar.hidden = false;
      bar.value = Math.min(1, share);
    }
  };
}

export function table(place, title, heads, rows) {
  fill(place, title, heads, rows);
  // What scrolls sideways must be reachable with a keyboard.
  if (place.scrollWidth > place.clientWidth) {
    place.tabIndex = 0;
    place.setAttribute("role", "region");
    place.setAttribute("aria-label", title);
  } else {
    for (const name of ["tabindex", "role", "aria-label"]) place.removeAttribute(name);
  }
}

function fill(place, title, heads, rows) {
  const text = JSON.stringify(rows);
  if (place.dataset.rows === text) return;
  place.dataset.rows = text;
  place.hidden = rows.length === 0;
  const numeric = (i) => (heads[i].startsWith("#") ? { class: "n" } : {});
  const row = (cells) => h("tr", {}, ...cells.map((cell, i) => h("td", numeric(i), cell)));
  const head = heads.map((name, i) => h("th", { scope: "col", ...numeric(i) }, name.replace("#", "")));
  place.replaceChildren(
    h("h3", {}, title),
    h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows.map(row))),
  );
}

// A chart of some columns of a history, in a viewBox of 1000 by 100.
export function chart(title, columns, show) {
  const paths = columns.map((_, i) => svg("path", { class: `s${i}` }));
  const mark = svg("line", { y1: 0, y2: 100, x1: -9, x2: -9 });
  const plot = svg("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img" }, ...paths, mark);
  const top = h("span", { class: "top", "aria-hidden": "true" });
  const values = columns.map(() => h("span"));
  const sample = (i) => svg("svg", { viewBox: "0 0 32 8", "aria-hidden": "true" }, svg("line", { class: `s${i}`, x1: 0, x2: 32, y1: 4, y2: 4 }));
  const legend = columns.map(([, name], i) => h("li", {}, sample(i), `${name}: `, values[i]));
  const [from, to] = [h("span"), h("span")];
  const figure = h("figure", {}, h("h3", {}, title), h("div", { class: "plot" }, plot, top),
    h("div", { class: "axis", "aria-hidden": "true" }, from, to), h("ul", { class: "legend" }, ...legend));
  let history = { at_ms: [] };
  let pointed = null;

  const index = (x) => {
    const all = history.at_ms;
    const at = all[0] + x * (all[all.length - 1] - all[0]);
    return all.findIndex((time) => time >= at);
  };
  const tell = () => {
    const all = history.at_ms;
    const i = pointed === null ? all.length - 1 : index(pointed);
    columns.forEach(([column], n) => say(values[n], show(history[column]?.[i])));
    const x = pointed === null || i < 0 ? -9 : position(all, i);
    mark.setAttribute("x1", x);
    mark.setAttribute("x2", x);
    say(to, pointed === null || i < 0 ? "now" : clock(all[i]));
  };
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    pointed = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    tell();
  });
  plot.addEventListener("pointerleave", () => {
    pointed = null;
    tell();
  });

  const update = (now) => {
    history = now;
    const all = columns.flatMap(([column]) => history[column] ?? []).filter((value) => value !== null);
    const most = ceiling(Math.max(0, ...all), show === bytes);
    columns.forEach(([column], n) => paths[n].setAttribute("d", line(history.at_ms, history[column] ?? [], most)));
    say(top, show(most));
    say(from, history.at_ms.length > 1 ? `${span(history.at_ms.at(-1) - history.at_ms[0])} ago` : "");
    tell();
    const latest = columns.map(([column, name]) => `${name} ${show(history[column]?.at(-1))}`);
    plot.setAttribute("aria-label", `${title}: ${latest.join(", ")}; the scale ends at ${show(most)}`);
  };
  return { figure, update };
}

const position = (all, i) => (1000 * (all[i] - all[0])) / Math.max(1, all[all.length - 1] - all[0]);

// 1, 2 or 5 times a power of ten; of bytes a power of two.
function ceiling(most, binary) {
  if (most <= 0) return 1;
  if (binary) return 2 ** Math.ceil(Math.log2(most));
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most);
}

function line(at, values, most) {
  let path = "";
  let pen = "M";
  values.forEach((value, i) => {
    if (value === null) {
      pen = "M";
      return;
    }
    const [x, y] = [position(at, i).toFixed(1), (98 - (96 * value) / most).toFixed(1)];
    // A value between gaps still shows, as a dot.
    path += `${pen}${x} ${y}${pen === "M" ? "h0.1" : ""}`;
    pen = "L";
  });
  return path;
}
