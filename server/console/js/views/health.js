// Health: contents, indexes and models of each collection, and server metrics.

import { el } from "../dom.js";
import { ask, get, of } from "../api.js";
import { bytes, count, figure, milliseconds, plural, share, time, words } from "../format.js";
import * as metrics from "../metrics.js";
import { empty, problem } from "../problem.js";
import { link } from "../route.js";

const EVERY_MS = 5_000;

export function mount(root, app) {
  const server = el("section", { class: "panel", "aria-label": "Server" });
  const cards = el("div", { class: "panels" });
  root.append(cards, server);
  let timer = 0;
  let models = new Map();

  async function look() {
    clearTimeout(timer);
    if (!document.hidden) {
      try {
        const collections = await get("collections");
        const learned = await Promise.all(collections.map((one) => (one.events.model ? modelsOf(one) : [])));
        keepOpen(cards, collections.length ? collections.map((one, n) => card(one, learned[n])) : [empty("No collection yet")]);
      } catch (error) {
        if (error.status === 401) app.needKey(error);
        cards.replaceChildren(problem(error));
      }
      await lookAtServer();
    }
    timer = setTimeout(look, EVERY_MS);
  }

  /** Loads the models again only if the active model changed. */
  async function modelsOf({ name, events }) {
    const known = models.get(name);
    if (known?.version === events.model) return known.list;
    const { models: list } = await get(of(name, "models"));
    models.set(name, { version: events.model, list });
    return list;
  }

  async function lookAtServer() {
    try {
      const text = await (await ask(new URL("../metrics", document.baseURI))).text();
      server.replaceChildren(...drawServer(metrics.parse(text)));
    } catch (error) {
      server.replaceChildren(el("h2", {}, "Server"), error.status === 403 ? el("p", { class: "fine" }, "Metrics require a key that covers all collections.") : problem(error));
    }
  }

  return {
    update: look,
    close: () => clearTimeout(timer),
  };
}

/** Replaces the content; open details stay open. */
function keepOpen(node, content) {
  const open = new Set([...node.querySelectorAll("details[open]")].map((one) => one.dataset.name));
  node.replaceChildren(...content);
  for (const one of node.querySelectorAll("details")) one.open = open.has(one.dataset.name);
}

function state(kind, text, title) {
  return el("span", { class: "state", dataset: { kind }, title }, text);
}

/** Summarizes the state of an index. */
function verdict(index) {
  if (index.unreachable > 0) return state("bad", plural(index.unreachable, "vector") + " unreachable", "No graph search reaches them; they are reconnected when the segment is rebuilt.");
  if (index.recall && index.recall.mean < 0.95) return state("bad", `recall ${share(index.recall.mean)}`);
  if (index.building) return state("busy", `building, ${share(index.building.done / Math.max(1, index.building.vectors), 0)}`);
  if (index.unreachable === undefined) return state("busy", "not checked yet");
  return state("good", "healthy");
}

function card(collection, models) {
  const { name, items, vector_counts: vectors, indexes, events, aliases } = collection;
  const used = Object.entries(indexes).filter(([space]) => vectors[space] > 0);
  const idle = Object.keys(indexes).filter((space) => !vectors[space]);
  return el(
    "section",
    { class: "panel", "aria-label": name },
    el("header", { class: "row between" }, el("h2", {}, el("a", { href: link("search", { c: name }) }, name)), aliases.length ? el("span", { class: "fine" }, `also ${aliases.join(", ")}`) : null),
    el("div", { class: "figures" }, stat(count(items), "items"), stat(bytes(collection.records_bytes + Object.values(indexes).reduce((sum, one) => sum + one.memory_bytes, 0)), "in memory"), stat(count(events.touches), "event items"), stat(count(events.users), "users")),
    used.length ? indexTable(used, vectors, collection.vectors) : el("p", { class: "fine" }, "No vectors yet."),
    idle.length ? el("p", { class: "fine" }, `No vectors in ${idle.join(", ")}.`) : null,
    behavior(name, events, models),
  );
}

function stat(value, label) {
  return el("div", { class: "stat" }, el("strong", {}, value), el("span", {}, label));
}

function table(head, rows, label) {
  const body = rows.map((cells) => el("tr", {}, cells.map((cell, n) => el(n ? "td" : "th", n ? {} : { scope: "row" }, cell))));
  return el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": label }, el("table", { class: "data" }, el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, body)));
}

function indexTable(indexes, vectors, spaces) {
  const rows = indexes.map(([space, index]) => {
    const all = index.sealed + index.unsealed;
    const recall = index.recall ? el("span", { title: `${plural(index.recall.samples, "search", "searches")} measured since ${time(index.recall.since)}` }, share(index.recall.mean)) : "";
    return [
      el("span", { title: `${spaces[space].dim} components, ${spaces[space].metric}` }, space),
      verdict(index),
      count(vectors[space]),
      el("span", { title: `${count(index.sealed)} sealed, ${count(index.unsealed)} growing` }, all ? share(index.sealed / all, 0) : ""),
      count(index.segments),
      recall,
      bytes(index.memory_bytes),
      bytes(index.file_bytes),
    ];
  });
  return table(["space", "state", "vectors", "sealed", "segments", "recall", "memory", "files"], rows, "Indexes");
}

function behavior(name, events, models) {
  if (!events.touches) return el("p", { class: "fine" }, "No events yet: search and similar items use content only.");
  const rows = models.map((one) => {
    const own = one.held_out.find((figures) => figures.model === one.model);
    return [`${one.version}${one.active ? " (active)" : ""}`, words(one.model), own ? figure(own.recall_at_20) : "", own ? figure(own.ndcg_at_20) : "", count(one.interactions), `${figure(one.seconds, 1)} s`, time(one.trained_at)];
  });
  const active = models.find((one) => one.active);
  const summary = active ? `Model ${active.version}: ${words(active.model)}, trained ${time(active.trained_at)}` : "No model trained yet";
  return el("details", { dataset: { name } }, el("summary", {}, summary), rows.length ? table(["version", "model", "recall@20", "NDCG@20", "events used", "duration", "trained"], rows, "Models") : null);
}

function drawServer(samples) {
  const one = (name) => metrics.one(samples, `vitrine_${name}`);
  const meter = (label, used, most) => {
    if (used === undefined) return null;
    const part = most ? Math.min(1, used / most) : 0;
    return el("div", { class: "meter-row" }, el("span", {}, label), most ? el("meter", { min: "0", max: "1", high: "0.85", optimum: "0.2", value: part, "aria-label": label }) : el("span", {}), el("span", { class: "fine" }, most ? `${bytes(used)} of ${bytes(most)}` : bytes(used)));
  };
  const busy = samples.filter((sample) => sample.name === "vitrine_permits_in_use" && sample.value > 0).map((sample) => `${count(sample.value)} ${sample.labels.kind ?? Object.values(sample.labels)[0]}`);
  const seconds = (s) => (s === undefined ? "" : s === Infinity ? "> 10 s" : `≤ ${milliseconds(s * 1000)}`);
  const rows = metrics.routes(samples).slice(0, 12).map((route) => [route.name, count(route.count), seconds(route.p50), seconds(route.p95), milliseconds((1000 * route.seconds) / route.count), route.failures ? state("bad", count(route.failures)) : "0"]);
  return [
    el("h2", {}, "Server"),
    el("div", { class: "meters" }, meter("Index memory", one("memory_bytes"), one("memory_limit_bytes")), meter("RocksDB, memory", one("store_memory_bytes")), meter("RocksDB, disk", one("store_disk_bytes")), meter("Free disk", one("disk_free_bytes"))),
    el("p", { class: "fine" }, busy.length ? `Running: ${busy.join(", ")}` : "No running requests."),
    table(["route", "requests", "p50", "p95", "mean", "failed"], rows, "Requests since the start"),
  ];
}
