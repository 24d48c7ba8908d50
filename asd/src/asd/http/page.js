"use strict";

const REFRESH_MS = 2000;
const CONFIGURATION_EVERY = 10; // refreshes
const KINDS = [["read", "reads"], ["write", "writes"], ["batch", "batch rows"], ["query", "queries"]];
const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);

// ------------------------------------------------------------------ making elements

/** An element with attributes and children; texts are never read as markup. */
function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function s(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child != null));
  return element;
}

const shown = new Map();

/** Put what `make` returns into an element, if `value` is another than the last time. */
function show(id, value, make) {
  const text = JSON.stringify(value);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  byId(id).replaceChildren(...[make(value)].flat());
}

/** A table of [title, class, cell of a row]; the first column names the row. */
function table(caption, columns, rows, empty) {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  const head = columns.map(([title, kind]) => h("th", { scope: "col", class: kind }, title));
  const body = rows.map((row) => h("tr", {}, columns.map(([, kind, cell], place) => {
    const attributes = { class: kind };
    const content = cell(row);
    return place ? h("td", attributes, content) : h("th", { ...attributes, scope: "row" }, content);
  })));
  return h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, head)), h("tbody", {}, body));
}

// ------------------------------------------------------------------ figures as text

function count(value, longest = 1e5) {
  if (value < longest) return Math.round(value).toLocaleString("en");
  const [factor, unit] = value < 1e6 ? [1e3, "k"] : value < 1e9 ? [1e6, "M"] : [1e9, "G"];
  return `${+(value / factor).toPrecision(3)} ${unit}`;
}

function rate(value) {
  return value < 10 && !Number.isInteger(value) ? value.toFixed(1) : count(value);
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let power = 0;
  while (value >= 1024 && power < units.length - 1) { value /= 1024; power += 1; }
  return `${power ? value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0) : value} ${units[power]}`;
}

function duration(ms) {
  if (ms < 1) return `${+(ms * 1000).toPrecision(2)} µs`;
  return ms < 1000 ? `${+ms.toPrecision(ms < 100 ? 2 : 3)} ms` : `${+(ms / 1000).toPrecision(3)} s`;
}

function age(seconds) {
  const [days, hours, minutes] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60].map(Math.floor);
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

function percent(part, whole) {
  return whole ? (100 * part) / whole : 0;
}

// ------------------------------------------------------------------ the sections

function drawHead(status) {
  const { node } = status;
  document.title = `${node.cluster_name || "Citrusleaf"} · ${node.id}`;
  byId("node-id").textContent = node.id;
  const facts = [
    node.cluster_name && `cluster ${node.cluster_name}`,
    `serves ${node.address}:${node.port}`,
    `${node.edition} ${node.build}`,
    `up ${age(node.uptime_s)}`,
  ];
  byId("node-facts").textContent = facts.filter(Boolean).join(" · ");
  const notices = [];
  for (const space of status.namespaces) {
    if (space.stop_writes) notices.push(["notice bad", `Writes to ${space.name} are refused: memory or room for records is short.`]);
    if (space.evicting) notices.push(["notice", `Records of ${space.name} are evicted before they expire: a threshold is reached.`]);
  }
  notices.push(...clusterNotices(status.cluster));
  const failed = node.failed_practices;
  if (failed.length) notices.push(["notice", `The machine is not set up as recommended: ${failed.join(", ")}. See “best practices” in the operating manual.`]);
  show("notices", notices, () => notices.map(([kind, text]) => h("p", { class: kind }, text)));
}

function drawTiles(status) {
  const last = (kind) => status.history[kind].at(-1) ?? 0;
  const records = status.namespaces.reduce((sum, space) => sum + space.objects, 0);
  const { clients, limits, machine } = status;
  const owed = Object.keys(limits).filter((name) => name.startsWith("memory_"));
  const running = status.queries.filter((query) => query.status.startsWith("active")).length;
  const tiles = [
    ...KINDS.slice(0, 3).map(([kind, label]) => [label, rate(last(kind)), "per second"]),
    ["queries", rate(last("query")), `per second, ${running} running`],
    ["records", count(records), `in ${status.namespaces.length} namespaces`],
    ["clients", count(clients.connected), `of at most ${count(clients.most)}`],
    ["longest hold", duration(limits.longest_hold_ms), "of everybody, since the start"],
    ["heavy requests", count(limits.heavy_requests), `${limits.heavy_queue ?? 0} wait, ${limits.heavy_workers_busy ?? 0} workers`],
    ["kept for peers", bytes(owed.reduce((sum, name) => sum + limits[name], 0)), "frames, replies, caches, metadata"],
    ["process", bytes(machine.process_memory), `${machine.process_threads} threads`],
    ["processor", `${Math.round(machine.process_cpu_pct)} %`, `of one core; machine ${Math.round(machine.cpu_pct)} %`],
  ];
  show("tiles", tiles, () => tiles.map(([label, value, more]) =>
    h("div", { class: "tile" }, h("dt", {}, label), h("dd", {}, value), h("dd", { class: "more" }, more))));
}

/** A round number at or above `value`, and how many grid lines cut it evenly. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 10)));
  for (const [factor, lines] of [[1, 5], [1.5, 3], [2, 4], [3, 3], [4, 4], [5, 5], [7.5, 3], [10, 5]]) {
    if (value <= factor * power) return [factor * power, lines];
  }
  return [10 * power, 5];
}

const chart = { points: null };

function drawChart(history) {
  const box = byId("chart");
  const width = Math.max(box.clientWidth, 200), height = box.clientHeight;
  const [left, right, top, bottom] = [46, width - 4, 8, height - 22];
  const [most, lines] = ceiling(Math.max(0, ...KINDS.flatMap(([kind]) => history[kind])));
  const LENGTH = 300, samples = history.time.length;
  const x = (sample) => right - ((samples - 1 - sample) / (LENGTH - 1)) * (right - left);
  const y = (value) => bottom - (value / most) * (bottom - top);
  const parts = [];
  for (let line = 0; line <= lines; line += 1) {
    const value = (most * line) / lines;
    parts.push(s("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
      s("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, most < 10 ? rate(value) : count(value, 1e4)));
  }
  for (let minutes = 0; minutes <= 5; minutes += width < 480 ? 5 : 1) {
    const place = right - (minutes / 5) * (right - left);
    const anchor = minutes === 0 ? "end" : minutes === 5 ? "start" : "middle";
    parts.push(s("text", { x: place, y: height - 4, "text-anchor": anchor }, minutes ? `${minutes} min ago` : "now"));
  }
  for (const [kind] of KINDS) {
    const values = history[kind];
    if (!values.some(Boolean)) continue;
    const points = values.map((value, sample) => `${x(sample).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    parts.push(s("polygon", { class: `area ${kind}`, points: `${x(0)},${bottom} ${points} ${x(samples - 1)},${bottom}` }),
      s("polyline", { class: `series ${kind}`, points }));
  }
  const cursor = s("line", { class: "cursor", y1: top, y2: bottom, visibility: "hidden" });
  const summary = KINDS.map(([kind, label]) => `${rate(history[kind].at(-1) ?? 0)} ${label} per second`).join(", ");
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Now ${summary}.` }, parts, cursor);
  const tip = chart.tip ?? (chart.tip = h("ul", { class: "tip", hidden: true }));
  box.replaceChildren(svg, tip);
  Object.assign(chart, { history, cursor, x, left, right, width });
  point();
  show("legend", KINDS.map(([kind, label]) => [kind, label, rate(history[kind].at(-1) ?? 0)]), (rows) =>
    rows.map(([kind, label, now]) => h("li", {}, h("span", { class: `key ${kind}` }), label, " ", h("b", {}, now))));
}

/** Show the figures under the pointer. */
function point() {
  const { history, cursor, x, left, right, tip, at } = chart;
  const samples = history?.time.length ?? 0;
  if (at == null || !samples) { if (tip) tip.hidden = true; return; }
  const back = Math.round(((right - at) / (right - left)) * 299);
  const sample = Math.min(Math.max(samples - 1 - back, 0), samples - 1);
  const place = x(sample);
  cursor.setAttribute("x1", place);
  cursor.setAttribute("x2", place);
  cursor.setAttribute("visibility", "visible");
  const ago = samples - 1 - sample;
  tip.replaceChildren(h("li", { class: "muted" }, ago ? `${ago} s ago` : "now"), ...KINDS.map(([kind, label]) =>
    h("li", {}, h("span", { class: `key ${kind}` }), label, h("b", {}, rate(history[kind][sample])))));
  tip.hidden = false;
  const beside = place + 12 + tip.offsetWidth > chart.width ? place - 12 - tip.offsetWidth : place + 12;
  tip.style.left = `${beside}px`;
}

/** The time within which a share of the requests was answered, spread evenly within a bucket. */
function quantile(bounds, counts, total, share) {
  let below = 0;
  for (let bucket = 0; bucket < counts.length; bucket += 1) {
    if (counts[bucket] && below + counts[bucket] >= share * total) {
      const from = bucket ? bounds[bucket - 1] : 0;
      return from + (bounds[bucket] - from) * ((share * total - below) / counts[bucket]);
    }
    below += counts[bucket];
  }
  return bounds.at(-1);
}

const FIRST = 4, LAST = 18; // the buckets drawn: up to 16 microseconds, up to 256 milliseconds

function spread(row) {
  const columns = row.recent.slice(FIRST, LAST + 1);
  columns[0] += row.recent.slice(0, FIRST).reduce((a, b) => a + b, 0);
  columns[columns.length - 1] += row.recent.slice(LAST + 1).reduce((a, b) => a + b, 0);
  const most = Math.max(...columns);
  const width = 100 / columns.length;
  const bars = columns.map((value, place) => {
    const height = value ? Math.max(1.5, (30 * value) / most) : 0;
    return s("rect", { x: `${place * width + .3}%`, width: `${width - .6}%`, y: 32 - height, height, rx: 1.5 });
  });
  const p99 = Math.log2(row.quantiles[2] / row.bounds_ms[FIRST]) + 1;
  const mark = `${Math.min(Math.max(p99, 0), columns.length) * width}%`;
  return s("svg", { role: "img", "aria-label": `99 of 100 within ${duration(row.quantiles[2])}` },
    s("line", { class: "base", x1: 0, x2: "100%", y1: 32.5, y2: 32.5 }), bars,
    s("line", { class: "p99", x1: mark, x2: mark, y1: 0, y2: 33 }));
}

/** A bound in few letters: they are powers of two, or nearly. */
function mark(ms) {
  return ms < 1 ? `${Math.round(ms * 1000)} µs` : `${Math.round(ms)} ms`;
}

function scale(bounds) {
  const width = 100 / (LAST - FIRST + 1);
  const marks = [4, 7, 10, 13, 16].map((bucket) =>
    s("text", { x: `${(bucket - FIRST + 1) * width}%`, y: 11, "text-anchor": "middle" }, mark(bounds[bucket])));
  return s("svg", { "aria-hidden": "true" }, marks);
}

function drawLatencies(latencies) {
  const rows = latencies.map((each) => ({ ...each, total: each.recent.reduce((a, b) => a + b, 0) }));
  const busy = rows.filter((row) => row.total);
  for (const row of busy) {
    row.quantiles = [.5, .95, .99, .999].map((share) => quantile(row.bounds_ms, row.recent, row.total, share));
  }
  const idle = rows.filter((row) => !row.total).map((row) => row.name);
  const quantiles = [["half", 0], ["95 %", 1], ["99 %", 2], ["99.9 %", 3]];
  show("latencies", rows, () => [
    table("Latency of the last ten seconds", [
      ["kind", "name", (row) => row.name],
      ["answered", "n", (row) => count(row.total)],
      ...quantiles.map(([title, place]) => [`${title} within`, "n", (row) => duration(row.quantiles[place])]),
      [busy.length ? scale(busy[0].bounds_ms) : "", "spread", spread],
    ], busy, "Nothing was asked in the last ten seconds."),
    ...(busy.length && idle.length ? [h("p", { class: "empty" }, `idle: ${idle.join(", ")}`)] : []),
  ]);
}

function bar(title, more, parts, whole) {
  const spans = parts.map(([kind, value]) => {
    const span = h("span", { class: kind });
    span.style.width = `${percent(value, whole)}%`;
    return span;
  });
  return h("div", { class: "bar" }, h("p", {}, h("b", {}, title), h("span", { class: "muted" }, more)),
    h("div", { class: "track", role: "img", "aria-label": `${title}: ${more}` }, spans));
}

function drawBars({ machine, namespaces }) {
  const used = machine.memory_total - machine.memory_free;
  show("bars", [machine.memory_total, used, machine.process_memory, namespaces], () => [
    ...namespaces.map((space) => {
      const indexes = space.sindex_bytes + space.set_index_bytes;
      const whole = space.data_limited
        ? space.data_total + space.index_bytes + indexes
        : Math.max(space.data_bytes + space.index_bytes + indexes, 1);
      const limit = space.data_limited ? `${bytes(space.data_bytes)} of ${bytes(space.data_total)} for records` : `${bytes(space.data_bytes)} of records, no limit set`;
      const more = [limit, `${bytes(space.index_bytes)} primary index`];
      if (indexes) more.push(`${bytes(indexes)} secondary and set indexes`);
      return bar(space.name, `${space.engine}: ${more.join(", ")}`,
        [["data", space.data_bytes], ["index", space.index_bytes], ["sindex", indexes]], whole);
    }),
    ...(machine.memory_total ? [bar("machine",
      `${bytes(machine.memory_free)} free of ${bytes(machine.memory_total)}; this process ${bytes(machine.process_memory)}`,
      [["process", machine.process_memory], ["others", Math.max(0, used - machine.process_memory)]], machine.memory_total)] : []),
  ]);
}

function drawRecords(status) {
  const failed = (value) => h("span", value ? { class: "bad" } : {}, count(value));
  const work = (name, outcome) => (space) => {
    const value = space.work.find((row) => row.name === name)[outcome];
    return outcome === "failed" ? failed(value) : count(value);
  };
  show("namespaces", status.namespaces, (rows) => table("Namespaces", [
    ["namespace", "name", (space) => space.name],
    ["records", "n", (space) => count(space.objects)],
    ["tombstones", "n", (space) => count(space.tombstones)],
    ["expired", "n", (space) => count(space.expired)],
    ["evicted", "n", (space) => count(space.evicted)],
    ["reads", "n", work("read", "ok")],
    ["not found", "n", work("read", "missing")],
    ["read errors", "n", work("read", "failed")],
    ["writes", "n", work("write", "ok")],
    ["write errors", "n", work("write", "failed")],
    ["deletes", "n", work("delete", "ok")],
    ["UDF calls", "n", work("udf", "ok")],
    ["UDF errors", "n", work("udf", "failed")],
  ], rows, "There is no namespace."));
  show("sets", status.sets, (rows) => table("Sets", [
    ["namespace", "", (set) => set.namespace],
    ["set", "name", (set) => set.name || h("span", { class: "was" }, "(no set)")],
    ["records", "n", (set) => count(set.objects)],
    ["tombstones", "n", (set) => count(set.tombstones)],
    ["size", "n", (set) => bytes(set.data_used_bytes)],
    ["", "", (set) => (set.truncating ? "being truncated" : "")],
  ], rows, "No record has been written yet."));
  show("indexes", status.indexes, (rows) => table("Secondary indexes", [
    ["index", "name", (index) => index.name],
    ["of", "name", (index) => [index.namespace, index.set, index.of].filter(Boolean).join(" · ")],
    ["values", "", (index) => [index.type, index.source !== "default" && index.type && index.source].filter(Boolean).join(" in ")],
    ["entries", "n", (index) => count(index.entries)],
    ["size", "n", (index) => bytes(index.bytes)],
    ["built", "n", (index) => `${index.load_pct} %`],
  ], rows, "No index has been created."));
}

function drawShipping({ shipping }) {
  byId("shipping").hidden = !shipping.length;
  show("links", shipping, (rows) => table("Change shipping", [
    ["data center", "name", (link) => link.connector ? `${link.dc} (connector)` : link.dc],
    ["namespace", "name", (link) => link.namespace],
    ["nodes", "n", (link) => h("span", link.nodes ? {} : { class: "bad" }, count(link.nodes))],
    ["behind", "n", (link) => h("span", link.lag < 60 ? {} : { class: "bad" }, age(link.lag))],
    ["per second", "n", (link) => rate(link.throughput)],
    ["waiting", "n", (link) => count(link.in_queue + link.in_progress)],
    ["to scan", "n", (link) => count(link.recoveries_pending)],
    ["shipped", "n", (link) => count(link.success)],
    ["tried again", "n", (link) => count(link.retried)],
    ["abandoned", "n", (link) => h("span", link.abandoned ? { class: "bad" } : {}, count(link.abandoned))],
  ], rows, "Nothing is shipped."));
}

function drawQueries({ queries, clients }) {
  const target = (query) => [query.ns, query.set, query["sindex-name"]].filter(Boolean).join(" · ");
  show("jobs", queries, (rows) => table("Queries", [
    ["query", "name", target],
    ["kind", "", (query) => query["job-type"]],
    ["state", "", (query) => h("span", query.status.match(/^(active|done)\(ok\)$/) ? {} : { class: "bad" }, query.status)],
    ["progress", "n", (query) => `${Math.round(query["job-progress"])} %`],
    ["records", "n", (query) => count(+query["recs-succeeded"])],
    ["sent", "n", (query) => bytes(+query["net-io-bytes"])],
    ["time", "n", (query) => duration(+query["run-time"])],
    ["client", "name", (query) => query.from.split("+")[0]],
  ], rows, "None is running, and none has run lately."));
  byId("client-count").textContent = `${count(clients.connected)} connected, ${count(clients.opened)} since start`;
  show("agents", clients.agents, (rows) => table("Client libraries", [
    ["library and application", "name", (agent) => agent.name],
    ["connections", "n", (agent) => count(agent.count)],
  ], rows, "Nobody is connected."));
}

let parameters = [];

function drawConfiguration() {
  const wanted = byId("wanted").value.trim().toLowerCase();
  const all = byId("all").checked || wanted !== "";
  const changed = parameters.filter((row) => "default" in row);
  byId("changed").textContent = `${changed.length} of ${parameters.length} parameters differ from their defaults`;
  const rows = parameters.filter((row) => (all || "default" in row)
    && `${row.context} ${row.name} ${row.value}`.toLowerCase().includes(wanted));
  show("parameters", rows, () => table("Configuration", [
    ["parameter", "name", (row) => row.name],
    ["context", "", (row) => row.context],
    ["value", "name", (row) => ("default" in row ? h("b", {}, row.value || "null") : row.value)],
    ["default", "name was", (row) => ("default" in row ? row.default || "null" : "")],
  ], rows, wanted ? "No parameter is called so." : "Everything is as by default."));
}

// ------------------------------------------------------------------ refreshing

let paused = false, refreshes = 0, status = null, lastAnswer = null;

function say(text, kind) {
  const badge = byId("live");
  if (badge.textContent !== text) badge.textContent = text;
  badge.className = `badge ${kind}`;
}

function draw() {
  drawHead(status);
  drawTiles(status);
  drawCluster(status);
  drawChart(status.history);
  drawLatencies(status.latencies);
  drawBars(status);
  drawRecords(status);
  drawShipping(status);
  drawQueries(status);
}

async function load(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

async function refresh() {
  if (!paused && !document.hidden) {
    try {
      status = await load("status.json");
      if (refreshes % CONFIGURATION_EVERY === 0) {
        parameters = await load("configuration.json");
        drawConfiguration();
      }
      refreshes += 1;
      lastAnswer = new Date();
      draw();
      say("live", "on");
    } catch (error) {
      console.error(error);
      say(lastAnswer ? `no answer since ${lastAnswer.toLocaleTimeString()}` : "no answer", "off");
    }
  }
  setTimeout(refresh, REFRESH_MS);
}

byId("pause").addEventListener("click", (event) => {
  paused = !paused;
  event.target.setAttribute("aria-pressed", String(paused));
  event.target.textContent = paused ? "Resume" : "Pause";
  say(paused ? "paused" : "live", paused ? "" : "on");
});
byId("namespace").addEventListener("change", chooseNamespace);
byId("partitions").addEventListener("pointermove", pointAt);
byId("filter").addEventListener("submit", (event) => event.preventDefault());
byId("filter").addEventListener("input", drawConfiguration);
byId("chart").addEventListener("pointermove", (event) => {
  chart.at = event.clientX - byId("chart").getBoundingClientRect().left;
  point();
});
byId("chart").addEventListener("pointerleave", () => {
  chart.at = null;
  chart.cursor?.setAttribute("visibility", "hidden");
  point();
});
new ResizeObserver(() => status && drawChart(status.history)).observe(byId("chart"));
refresh();
