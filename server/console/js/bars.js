// Score bars: one segment per candidate source.

import { el } from "./dom.js";
import { figure, score, words } from "./format.js";

/** Names of the sources in the order of the legend; other sources get the last color. */
export const SOURCES = {
  query: "Vector",
  lexical: "Full text",
  behavior: "Item neighbors",
  session: "Similar sessions",
  content: "Content",
  popularity: "Popular",
  transition: "Category transition",
  newest: "New",
  rules: "Rules",
  ranker: "Ranker",
  sequence: "Next items",
  network: "Sequence network",
  following: "Followed",
  freshness: "Freshness",
};

export const sourceName = (source) => SOURCES[source] ?? words(source);

/** Contributions to the score of a hit; a hit of a single source has one. */
export function parts(hit) {
  const given = (hit.contributions ?? []).filter((part) => part.score !== 0);
  return given.length ? given : [{ source: "query", score: hit.score, raw: hit.score }];
}

/** The bar of a hit; `most` is the score of a full bar, `names` overrides names of sources. */
export function bar(hit, most, names = {}) {
  const all = parts(hit);
  const label = all.map((part) => `${names[part.source] ?? sourceName(part.source)} ${score(part.score)}`).join(", ");
  const width = (part) => `${most > 0 ? Math.max(0, Math.min(100, (100 * part.score) / most)) : 0}%`;
  return el(
    "div",
    { class: "bar", role: "img", "aria-label": `Score ${score(hit.score)}: ${label}`, title: label },
    all.map((part) => el("span", { class: "segment", dataset: { source: part.source }, style: { width: width(part) } })),
  );
}

/** The same as a table: source, rank in its list, raw score and contribution. */
export function table(hit) {
  const rows = parts(hit).map((part) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, el("span", { class: "dot", dataset: { source: part.source } }), sourceName(part.source)),
      el("td", {}, part.rank ? `${part.rank}.` : ""),
      el("td", {}, figure(part.raw)),
      el("td", {}, score(part.score)),
    ),
  );
  const head = ["", "rank", "raw score", "contribution"].map((name) => el("th", { scope: "col" }, name));
  return el("table", { class: "parts" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
}

/** Legend of the sources in use. */
export function legend(hits, names = {}) {
  const used = new Set(hits.flatMap((hit) => parts(hit).map((part) => part.source)));
  if (used.size < 2) return null;
  return el("ul", { class: "legend", "aria-label": "Sources" }, [...used].map((source) => el("li", {}, el("span", { class: "dot", dataset: { source } }), names[source] ?? sourceName(source))));
}
