// What made a score: one bar, a segment for each source.

import { el } from "./dom.js";
import { figure, score, words } from "./format.js";

/** In the order of the legend; a source that is not listed gets the last colour. */
export const SOURCES = {
  query: "Near to the query",
  lexical: "Words",
  behavior: "Same people",
  session: "Visits like this",
  content: "Near to the history",
  popularity: "Popular",
  transition: "Category people go to",
  newest: "New",
  rules: "Rules",
};

export const sourceName = (source) => SOURCES[source] ?? words(source);

/** Parts of a hit's score; a hit of one source is all of that. */
export function parts(hit) {
  const given = (hit.contributions ?? []).filter((part) => part.score !== 0);
  return given.length ? given : [{ source: "query", score: hit.score, raw: hit.score }];
}

/** The bar of a hit; `most` is the score that fills it, `names` are other names of sources than the common ones. */
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

/** The same as a table: source, its place in that source's list, its own score and its part. */
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
  const head = ["", "rank", "own score", "adds"].map((name) => el("th", { scope: "col" }, name));
  return el("table", { class: "parts" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
}

/** Names of the colours in use. */
export function legend(hits, names = {}) {
  const used = new Set(hits.flatMap((hit) => parts(hit).map((part) => part.source)));
  if (used.size < 2) return null;
  return el("ul", { class: "legend", "aria-label": "Sources" }, [...used].map((source) => el("li", {}, el("span", { class: "dot", dataset: { source } }), names[source] ?? sourceName(source))));
}
