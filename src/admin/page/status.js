// Asks api/status again and again and shows what it says. All addresses are relative, so that a path in front is no harm.

import { bytes, chart, clock, count, facts, h, ms, rate, say, span, table } from "./parts.js";

const $ = (id) => document.getElementById(id);
const MOMENTS = 450;
const PATIENCE_MS = 5000;

const cards = new Map();
let everyMs = 2000;
let last = null;
let heardAt = null;

const MIRROR = {
  complete: ["good", "✓ Copy complete"],
  idle: ["good", "✓ Nothing to copy yet"],
  behind: ["warn", "… Copy behind, nothing lost"],
  incomplete: ["bad", "✗ Copy not complete"],
};

// One primary or mirror: its section is made once, and its parts are changed from then on.
function card(kind, name, charts) {
  const id = `${kind}-${name}`;
  const badge = h("strong", { class: "badge" });
  const since = h("span", { class: "since" });
  const link = h("a", { href: `#${encodeURIComponent(id)}`, "aria-label": `Link to ${kind} ${name}` }, "#");
  const chip = h("a", { href: link.getAttribute("href") });
  $("glance").append(h("li", {}, chip));
  const title = h("h2", { id: `title-${id}` }, `${kind === "mirror" ? "Mirror" : "Primary"} ${name} `, link);
  const why = h("ul", { class: "why" });
  const quote = h("blockquote", { hidden: "" });
  const list = h("dl");
  const tables = [h("div"), h("div"), h("div"), h("div")];
  const actions = h("p", { class: "actions" });
  const section = h("section", { id, "aria-labelledby": title.id },
    h("div", { class: "head" }, title, badge, since), why, quote, list,
    h("div", { class: "charts" }, ...charts.map((one) => one.figure)),
    h("div", { class: "tables" }, ...tables), actions);
  $("sides").append(section);
  return { name, chip, badge, since, why, quote, fact: facts(list), charts, tables, actions, history: { at_ms: [] } };
}

function judge(one, tone, word, sinceMs, now) {
  one.badge.className = `badge ${tone}`;
  say(one.badge, word);
  one.chip.className = tone;
  say(one.chip, `${word.slice(0, 1)} ${one.name}`);
  one.chip.title = word;
  say(one.since, `since ${clock(sinceMs)}, for ${span(now - sinceMs)}`);
}

function reasons(list, items) {
  const text = items.join("\n");
  if (list.dataset.text === text) return;
  list.dataset.text = text;
  list.replaceChildren(...items.map((item) => h("li", {}, item)));
}

function remember(one, fresh) {
  for (const [column, values] of Object.entries(fresh ?? {})) {
    one.history[column] = [...(one.history[column] ?? []), ...values].slice(-MOMENTS);
  }
  one.charts.forEach((chart) => chart.update(one.history));
}

function primary(side, now) {
  const key = `primary-${side.name}`;
  if (!cards.has(key)) {
    cards.set(key, card("primary", side.name, [
      chart("Requests", [["requests_per_second", "answered"], ["failed_per_second", "failed"]], (n) => rate(n)),
      chart("Latency of the primary", [["p50_ms", "p50"], ["p99_ms", "p99"]], ms),
    ]));
    copyButtons(cards.get(key), "primaries", side.name);
  }
  const one = cards.get(key);
  judge(one, side.well ? "good" : "bad", side.well ? "✓ Well" : "✗ Not well", side.since_ms, now);
  reasons(one.why, side.why.map((why) => why.meaning));
  one.fact("Requests", rate(side.requests_per_second));
  one.fact("Failed", rate(side.failed_per_second));
  one.fact("Latency p50", ms(side.latency_ms.p50));
  one.fact("Latency p99", ms(side.latency_ms.p99));
  one.fact("Healthy endpoints", `${count(side.endpoints.healthy)} of ${count(side.endpoints.total)}`);
  remember(one, side.history);
}

function mirrorCard(side) {
  const one = card("mirror", side.name, [
    chart("Copies", [["received_per_second", "to copy"], ["taken_per_second", "taken"], ["missing_per_second", "lost"]], (n) => rate(n)),
    chart("Latency of the mirror", [["p50_ms", "p50"], ["p99_ms", "p99"]], ms),
    chart("Lag", [["lag_ms", "oldest copy"]], ms),
    chart("Memory", [["memory_bytes", "in use"]], bytes),
    chart("Copies that wait", [["pending_copies", "all"], ["backlog_copies", "in the backlog"]], count),
  ]);
  const target = `mirror=${encodeURIComponent(side.name)}`;
  const post = (word, path, question) => command(one.actions, "mirror_writes_allowed", word, `mirrors/${path}?${target}`, question);
  one.pause = post("Pause", "pause", `Send nothing more to mirror ${side.name}? Its copies wait, within its bounds.`);
  one.resume = post("Resume", "resume", `Send to mirror ${side.name} again?`);
  post("Skip to now", "skip", `Let go of all copies that wait for mirror ${side.name}? They are lost to it for good.`);
  copyButtons(one, "mirrors", side.name);
  return one;
}

function mirror(side, now) {
  const key = `mirror-${side.name}`;
  if (!cards.has(key)) cards.set(key, mirrorCard(side));
  const one = cards.get(key);
  const [tone, word] = MIRROR[side.state] ?? ["warn", side.state];
  judge(one, tone, side.paused ? `${word} (paused)` : word, side.since_ms, now);
  const named = (why) => [why.outcome, why.reason].filter(Boolean).join("/");
  reasons(one.why, side.why.map((why) => `${count(why.copies)} × ${named(why)}: ${why.meaning}`));
  // What it said before all this is no reason of it.
  const words = side.complete || side.last_refusal?.at_ms < side.since_ms ? null : side.last_refusal;
  one.quote.hidden = !words;
  if (words) say(one.quote, `It said at ${clock(words.at_ms)}: ${words.status ?? "no answer"} ${words.text}`);
  swap(one.pause, one.resume, side.paused);
  mirrorFacts(one, side);
  remember(one, side.history);
  const drops = side.outcomes.filter((o) => !["delivered", "deduplicated", "repeated"].includes(o.outcome));
  table(one.tables[0], "Not taken, by reason", ["Reason", "#Copies", "Meaning"], drops.map((o) => [named(o), count(o.copies), o.meaning]));
  table(one.tables[1], "What both answered", ["Primary", "Mirror", "#Copies"], side.status_pairs.map((p) => [p.primary, p.secondary, count(p.copies)]));
  table(one.tables[2], "Gaps in the copy", ["From", "To", "#Copies", "Reason"], side.gaps.map((gap) =>
    [clock(gap.from_ms), gap.open ? "still open" : clock(gap.to_ms), count(gap.copies), gap.reasons.map(named).join(", ")]));
  tenantTable(one.tables[3], side.tenants);
}

// What had the focus last, the dialog's own buttons aside: a browser may not give it back in time.
let lastUsed = null;
document.addEventListener("focusin", ({ target }) => {
  if (!target.closest("dialog")) lastUsed = target;
});

// Two buttons of which one is there. The focus goes along, or the keyboard would start from the top.
function swap(first, second, isSecond) {
  const now = document.activeElement === document.body ? lastUsed : document.activeElement;
  const had = [first, second].includes(now);
  first.hidden = isSecond;
  second.hidden = !isSecond;
  if (had) (isSecond ? second : first).focus();
}

// Where there are several: whom the mirror makes wait first, then whose copies wait, are refused or lost.
function tenantTable(place, tenants) {
  const { seen, most } = tenants;
  const name = (one) => one.name ?? "not met since the start";
  const limited = (one) => (one.limited_ms === null ? "" : `for ${span(one.limited_ms)}`);
  const numbers = (one) => [one.waiting_copies, one.rejected_copies, one.lost_copies, one.copies].map(count);
  const title = seen > most.length ? `Tenants: ${most.length} of ${count(seen)}` : "Tenants";
  const heads = ["Tenant", "#Waiting", "#Rejected", "#Lost", "#Copies", "Limited"];
  table(place, title, heads, seen > 1 ? most.map((one) => [name(one) || "none named", ...numbers(one), limited(one)]) : []);
}

function mirrorFacts(one, side) {
  one.fact("Copies taken", rate(side.taken_per_second));
  one.fact("Lost since the start", count(side.missing_copies));
  one.fact("Latency p50", ms(side.latency_ms.p50));
  one.fact("Latency p99", ms(side.latency_ms.p99));
  one.fact("Lag", span(side.lag_ms));
  one.fact("Pending copies", count(side.pending_copies));
  const { used_bytes: used, bound_bytes: bound } = side.memory;
  one.fact("Memory", `${bytes(used)} of ${bytes(bound)}`, used / bound);
  one.fact("In flight at most", `${count(side.in_flight_limit)} of ${count(side.in_flight_limit_max)}`);
  const tenants = side.limited_tenants;
  if (tenants > 0) one.fact("Tenants that wait", count(tenants));
  const backlog = side.backlog;
  if (backlog) {
    const open = backlog.open ? "" : "not open: ";
    one.fact("Backlog", `${open}${count(backlog.copies)} copies, oldest ${span(backlog.oldest_age_ms)}`);
    one.fact("Backlog on disk", `${bytes(backlog.used_bytes)} of ${bytes(backlog.bound_bytes)}`, backlog.used_bytes / backlog.bound_bytes);
  }
}

// A button that asks first, and then the proxy. It is not there for who may not press it.
function command(place, right, word, path, question) {
  const button = h("button", { type: "button", "data-right": right, click: async () => {
    if (!(await confirmed(question, word))) return;
    try {
      const answer = await fetch(path, { method: "POST", signal: AbortSignal.timeout(PATIENCE_MS) });
      say($("said"), `${word}: ${(await answer.text()).trim() || answer.status}`);
    } catch (error) {
      say($("said"), `${word}: ${error.message}`);
    }
  } }, word);
  place.append(button);
  return button;
}

let asked = 0;

function confirmed(question, word) {
  const dialog = $("confirm");
  const mine = ++asked;
  say($("question"), question);
  say($("yes"), word);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", function closed() {
      // A dialog says a little later that it was closed: by then the next question may be open.
      if (mine === asked && dialog.open) return;
      dialog.removeEventListener("close", closed);
      resolve(mine === asked && dialog.returnValue === "yes");
    });
  });
}

function copyButtons(one, side, name) {
  const numbers = () => JSON.stringify(last[side].find((other) => other.name === name), (key, value) => (key === "history" ? undefined : value), 2);
  one.actions.append(h("button", { type: "button", click: () => copy("numbers", numbers()) }, "Copy numbers"));
}

// The clipboard is a browser's to give, on secure pages only and not always; the old way works on the others.
async function copy(what, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { "aria-label": what });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) return say($("said"), `The browser does not let this page copy ${what}.`);
  }
  say($("said"), `Copied: ${what}`);
}

function whole(status) {
  const process = status.process;
  say($("process"), `version ${process.version}, ${process.state}, up ${span(process.uptime_seconds * 1000)}`);
  if (!whole.fact) {
    whole.fact = facts($("facts"));
    command($("actions"), "writes_allowed", "Fail readiness", "healthcheck/fail", "Answer 503 at /ready, so that load balancers and clients go elsewhere? Requests are still served.");
    command($("actions"), "writes_allowed", "Pass readiness", "healthcheck/ok", "Answer 200 at /ready again?");
    command($("actions"), "writes_allowed", "Drain listeners", "drain_listeners?graceful", "Ask clients to leave, and close the listeners after the drain time? They do not open again in this process.");
    $("actions").append(h("button", { type: "button", click: async () => copy("configuration", await (await fetch("config_dump")).text()) }, "Copy configuration"));
    $("whole").hidden = false;
  }
  whole.fact("Memory", bytes(process.resident_bytes));
  whole.fact("Client connections", count(process.client_connections));
  whole.fact("Workers", count(process.workers));
  whole.fact("Listening", process.listening.join(", "));
  const refused = process.configuration_refused ? " (a newer one was refused; the log says why)" : "";
  whole.fact("Configuration", `${process.configuration}, of ${clock(process.configuration_since_ms)}${refused}`);
}

// Last of all, since it hides what the others show.
function closed(process) {
  for (const button of document.querySelectorAll("[data-right]")) {
    if (!process[button.dataset.right]) button.hidden = true;
  }
  $("closed").hidden = process.writes_allowed && process.mirror_writes_allowed;
}

function show(status) {
  last = status;
  everyMs = status.every_seconds * 1000;
  whole(status);
  status.primaries.forEach((side) => primary(side, status.at_ms));
  status.mirrors.forEach((side) => mirror(side, status.at_ms));
  closed(status.process);
  const complete = status.mirrors.filter((side) => side.complete).length;
  const all = status.mirrors.length;
  const copies = all === 0 ? "no mirror" : `${complete} of ${all} ${all === 1 ? "copy" : "copies"} complete`;
  verdict($("well"), status.well, status.well ? "Primary well" : "Primary not well");
  verdict($("copies"), status.complete, copies);
  document.title = `${status.well && status.complete ? "✓" : "✗"} mimir-mirror`;
}

function verdict(element, good, words) {
  element.className = good ? "good" : "bad";
  say(element, `${good ? "✓" : "✗"} ${words}`);
}

async function ask() {
  const newest = last?.judged_at_ms ?? 0;
  try {
    const answer = await fetch(`api/status?since=${newest}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const first = last === null;
    show(await answer.json());
    heardAt = Date.now();
    say($("connection"), "");
    $("connection").className = "";
    if (first) target();
  } catch (error) {
    const ago = heardAt === null ? "" : `, the last one ${span(Date.now() - heardAt)} ago`;
    say($("connection"), `✗ The proxy does not answer${ago}: what stands here is old.`);
    $("connection").className = "bad";
  }
  setTimeout(ask, everyMs);
}

// The section of the address is made by now, but was not when the browser looked for it.
function target() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (id && $(id)) location.replace(location.hash);
}

// The plain forms ask first, too.
for (const form of document.querySelectorAll("#endpoints form")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const path = form.getAttribute("action");
    if (await confirmed(`POST to /${path}?`, "Do it")) form.submit();
  });
}

ask();
