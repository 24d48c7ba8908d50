"use strict";

// The section of the cluster. `page.js` comes after this, has the helpers, and calls what is here.

const PARTITIONS = 4096, IN_A_ROW = 64;
const COLOURS = 8; // --m0 to --m7 of the style sheet; then they come again with another shape

// ------------------------------------------------------------------ the picture

/** Outlines of a cell at (x, y) whose side is `side`: told apart without colours, too. */
const SHAPES = {
  full: (x, y, side) => `M${x} ${y}h${side}v${side}h${-side}z`,
  half: (x, y, side) => `M${x} ${y}v${side}h${side}z`,
  bar: (x, y, side) => `M${x} ${y + side / 3}h${side}v${side / 3}h${-side}z`,
  dot: (x, y, side) => `M${x + side / 3} ${y + side / 3}h${side / 3}v${side / 3}h${-side / 3}z`,
};

const looks = new Map(); // node to number: a node keeps its look while others come and go

function giveLooks(nodes) {
  const here = new Set(nodes.map((node) => node.id));
  for (const id of looks.keys()) if (!here.has(id)) looks.delete(id);
  for (const id of here) {
    const taken = new Set(looks.values());
    let number = 0;
    while (taken.has(number)) number += 1;
    if (!looks.has(id)) looks.set(id, number);
  }
}

/** How a node's partitions are drawn: class and shape. */
function look(id) {
  const number = looks.get(id), shapes = ["full", "half", "bar", "dot"];
  return [`m${number % COLOURS}`, shapes[Math.floor(number / COLOURS) % shapes.length]];
}

const ROLES = [["m", "full", "master"], ["r", "half", "replica"], ["n", "dot", "no copy"]];

/** A picture of all partitions: each kind is [class, shape, test of a partition's number]. */
function picture(label, kinds) {
  const cell = 7, side = 6;
  const paths = kinds.map(([kind, shape, test]) => {
    const cells = [];
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      if (test(partition)) {
        const column = partition % IN_A_ROW, row = Math.floor(partition / IN_A_ROW);
        cells.push(SHAPES[shape](column * cell, row * cell, side));
      }
    }
    return s("path", { class: kind, d: cells.join("") });
  });
  const size = IN_A_ROW * cell - 1;
  return s("svg", { class: "picture", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": label }, paths);
}

function sample(kind, shape) {
  return s("svg", { class: "sample", viewBox: "0 0 12 12", "aria-hidden": "true" },
    s("path", { class: kind, d: SHAPES[shape](0, 0, 12) }));
}

/** A legend of [sample, name, partitions], which says that all are there. */
function census(rows) {
  const sum = rows.reduce((total, row) => total + row[2], 0);
  return h("ul", { class: "census" },
    rows.map(([mark, name, number]) => h("li", {}, mark, h("span", {}, name), h("b", {}, count(number)))),
    h("li", { class: "sum" }, h("span", {}, "in all"), h("b", {}, count(sum))));
}

// ------------------------------------------------------------------ what is chosen

const chosen = { namespace: "", node: "" };

function chosenSpace(cluster) {
  return cluster.namespaces.find((space) => space.name === chosen.namespace) ?? cluster.namespaces[0];
}

function chooseNamespace(event) {
  chosen.namespace = event.target.value;
  drawCluster(status);
}

/** A button that leaves only one node's partitions in colour, or all of them again. */
function pick(id) {
  const button = h("button", { type: "button", class: "pick", "aria-pressed": String(chosen.node === id) }, id);
  button.addEventListener("click", () => {
    chosen.node = chosen.node === id ? "" : id;
    drawCluster(status);
    [...document.querySelectorAll(".pick")].find((each) => each.textContent === id)?.focus();
  });
  return button;
}

// ------------------------------------------------------------------ the section

function clusterFacts(cluster) {
  if (cluster.alone) return "This node is alone: it serves all partitions of its namespaces, and nothing migrates.";
  if (!cluster.nodes.length) return "This node looks for its cluster. Until it is in one, it serves nothing.";
  return [
    `${cluster.nodes.length} ${cluster.nodes.length === 1 ? "node" : "nodes"}`,
    cluster.integrity ? "whole" : "not whole",
    `principal ${cluster.principal}`,
    `key ${cluster.key}`,
    `unchanged for ${age(cluster.formed_s)}`,
    `clocks within ${count(cluster.skew_ms)} ms`,
    cluster.proxied && `${count(cluster.proxied)} requests with other nodes`,
  ].filter(Boolean).join(" · ");
}

/** What is amiss, for the top of the page. */
function clusterNotices(cluster) {
  if (cluster.alone || cluster.integrity) return [];
  return [["notice bad", cluster.nodes.length
    ? "The cluster is not whole: the nodes that this one hears are not just those of its cluster."
    : "This node has found no cluster yet, and serves nothing."]];
}

function drawCluster({ cluster }) {
  const space = chosenSpace(cluster);
  byId("cluster-facts").textContent = clusterFacts(cluster);
  const inCluster = !cluster.alone && cluster.nodes.length > 0;
  for (const id of ["members", "partitions", "pointed", "migrations"]) byId(id).hidden = !inCluster;
  byId("choice").hidden = !inCluster || cluster.namespaces.length < 2;
  if (!inCluster) return;
  show("namespace", cluster.namespaces.map((each) => each.name), (names) =>
    names.map((name) => h("option", { value: name, selected: name === space.name }, name)));
  giveLooks(cluster.nodes);
  drawMembers(cluster, space);
  show("partitions", [space.masters, space.roles, cluster.nodes.map((node) => node.id), chosen], () =>
    space.masters.length ? [mastersOf(cluster, space), roleIn(cluster, space)]
      : h("p", { class: "empty" }, "A new cluster is forming: no partition is served just now."));
  drawMigrations(cluster);
}

function drawMembers(cluster, space) {
  const rows = cluster.nodes.map((node, place) => ({
    ...node, rack: space.racks[place], lag: space.lag[place], bytes: space.lag_bytes[place],
    tags: [node.me && "this node", node.id === cluster.principal && "principal"].filter(Boolean),
  }));
  const racked = rows.some((node) => node.rack);
  const ahead = (ms) => (ms ? `${ms > 0 ? "+" : "−"}${count(Math.abs(ms))} ms` : "0 ms");
  show("members", rows, () => table("Nodes of the cluster", [
    ["node", "name", (node) => [node.id, ...node.tags.map((tag) => h("span", { class: "tag" }, tag))]],
    ["address", "name", (node) => node.addresses.join(", ") || h("span", { class: "was" }, "not known yet")],
    ...(racked ? [["rack", "n", (node) => String(node.rack)]] : []),
    ["in the cluster for", "n", (node) => age(node.since_s)],
    ["clock", "n", (node) => (node.me ? "" : ahead(node.skew_ms))],
    ["not acknowledged", "n", (node) => (node.me ? "" : node.lag ? `${count(node.lag)} writes, ${bytes(node.bytes)}` : "nothing")],
  ], rows, ""));
}

/** Who serves each partition. */
function mastersOf(cluster, space) {
  const counts = new Array(cluster.nodes.length).fill(0);
  for (const place of space.masters) counts[place] += 1;
  const kinds = cluster.nodes.map((node, place) => {
    const [kind, shape] = look(node.id);
    const dim = chosen.node && chosen.node !== node.id;
    return [dim ? "dim" : kind, shape, (partition) => space.masters[partition] === place];
  });
  const label = `Masters of ${space.name}: ${cluster.nodes.map((node, place) => `${node.id} ${count(counts[place])}`).join(", ")}`;
  return h("figure", {}, h("figcaption", {}, h("b", {}, "Masters"), h("span", { class: "muted" }, `${space.name}, ${space.copies} ${space.copies === 1 ? "copy" : "copies"}`)),
    picture(label, kinds),
    census(cluster.nodes.map((node, place) => [sample(...look(node.id)), pick(node.id), counts[place]])));
}

/** What this node is to each partition. */
function roleIn(cluster, space) {
  const [mine] = look(cluster.nodes.find((node) => node.me).id);
  const letters = [...space.roles];
  const number = (letter) => letters.filter((each) => each === letter).length;
  const moving = ROLES.reduce((sum, [letter]) => sum + number(letter.toUpperCase()), 0);
  const kinds = ROLES.flatMap(([letter, shape]) => [
    [letter === "n" ? "none" : mine, shape, (partition) => letters[partition] === letter],
    ["moving", letter === "n" ? "bar" : shape, (partition) => letters[partition] === letter.toUpperCase()],
  ]);
  const rows = ROLES.map(([letter, shape, name]) =>
    [sample(letter === "n" ? "none" : mine, shape), name, number(letter) + number(letter.toUpperCase())]);
  const label = `This node in ${space.name}: ${rows.map(([, name, all]) => `${name} ${count(all)}`).join(", ")}; ${count(moving)} migrate`;
  return h("figure", {}, h("figcaption", {}, h("b", {}, "This node's part"), h("span", { class: "muted" }, space.name)),
    picture(label, kinds), census(rows),
    h("ul", { class: "census" }, h("li", {}, sample("moving", "full"), h("span", {}, "of these migrate"), h("b", {}, count(moving)))));
}

/** Say of the partition under the pointer whose it is. */
function pointAt(event) {
  const box = event.target.closest(".picture")?.getBoundingClientRect();
  const space = status && chosenSpace(status.cluster);
  if (!box || !space?.masters.length) return;
  const place = (at, from, size) => Math.min(Math.floor(((at - from) / size) * IN_A_ROW), IN_A_ROW - 1);
  const partition = place(event.clientY, box.top, box.height) * IN_A_ROW + place(event.clientX, box.left, box.width);
  const letter = space.roles[partition];
  const [, , role] = ROLES.find(([each]) => each === letter.toLowerCase());
  byId("pointed").textContent = `Partition ${partition}: ${status.cluster.nodes[space.masters[partition]].id} serves it; `
    + `this node: ${role}${letter === letter.toLowerCase() ? "" : ", migrates"}.`;
}

function drawMigrations({ namespaces }) {
  show("migrations", namespaces.map((space) => [space.name, space.progress]), () => namespaces.flatMap(({ name, progress }) => {
    const records = `${count(progress.records_sent)} records sent and ${count(progress.records_come)} come since the last balance`;
    const ways = [
      ["to send", progress.to_send, progress.planned_to_send, progress.sending, `${count(progress.records_sent)} records sent`],
      ["to come", progress.to_come, progress.planned_to_come, progress.coming, `${count(progress.records_come)} records have come`],
    ].filter(([, left]) => left);
    if (!ways.length) return [h("p", { class: "muted" }, h("b", {}, name), ` Nothing migrates here; ${records}.`)];
    return ways.map(([way, left, planned, under_way, moved]) => bar(`${name}, ${way}`,
      `${count(left)} of ${count(planned)} partitions left, ${count(under_way)} under way; ${moved}`,
      [["process", planned - left]], planned));
  }));
}
