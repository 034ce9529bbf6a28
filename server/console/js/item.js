// The explorer: an item, why it was found, and similar items.

import { el } from "./dom.js";
import { get, of } from "./api.js";
import * as bars from "./bars.js";
import { facts } from "./card.js";
import { dialog } from "./dialog.js";
import { count, plural, price, score, time, titleOf, words } from "./format.js";
import * as highlight from "./highlight.js";
import { picture, shown } from "./picture.js";
import { empty, problem } from "./problem.js";
import { change, go, route } from "./route.js";

const SCOPES = { any: "All", same: "Same category", cross: "Other categories", together: "Bought together" };

/** Names of the sources if the query is an item. */
const AROUND = { query: "Similar vector" };

let node = null;
let opened = null;
let scope = "any";

/** Shows the item with the id, or nothing; called whenever the address changes. */
export async function show(app, collection, id) {
  if (!id || !collection) return hide();
  if (node && opened === `${collection.name} ${id}`) return;
  opened = `${collection.name} ${id}`;
  const focused = document.activeElement;
  if (!node) {
    const content = el("div", { class: "item" });
    const closed = () => {
      const wasOpen = opened;
      node = opened = null;
      if (wasOpen) app.close();
      if (focused?.isConnected) focused.focus();
    };
    node = dialog("", { kind: "drawer", closed, label: "Item" }, content);
    node.addEventListener("keydown", (event) => step(app, event));
  }
  const content = node.querySelector(".item");
  const now = opened;
  try {
    const item = await get(of(collection.name, "items", id));
    if (opened !== now) return;
    node.setAttribute("aria-label", titleOf(item));
    content.replaceChildren(...draw(app, collection, item).filter(Boolean));
    node.querySelector(".sheet").scrollTop = 0;
  } catch (error) {
    if (opened === now) content.replaceChildren(problem(error));
  }
}

function hide() {
  opened = null;
  node?.close();
}

/** Goes to the previous or next item of the grid. */
function step(app, event) {
  const by = { "[": -1, "]": 1 }[event.key];
  if (!by || event.target.closest("input, select, textarea")) return;
  const ids = [...app.hits.keys()];
  const next = ids[ids.indexOf(route().params.get("open")) + by];
  if (next) change({ open: next }, { replace: true });
}

function draw(app, collection, item) {
  const images = shown(item);
  const main = el("div", { class: "image" }, picture(collection.name, item, { size: 1024 }));
  const choose = (n) => () => main.replaceChildren(picture(collection.name, item, { n, size: 1024 }));
  const others = images.length > 1 ? el("div", { class: "thumbs" }, images.map((n) => el("button", { type: "button", "aria-label": `Image ${n + 1}`, on: { click: choose(n) } }, picture(collection.name, item, { n, size: 128, alt: "" })))) : null;
  const likeThis = el("button", { type: "button", on: { click: () => go("search", { c: collection.name, like: item.id }) } }, "Search for similar items");
  const about = el(
    "div",
    { class: "about" },
    el("p", { class: "facts" }, item.category ?? "", item.brand ? ` · ${item.brand}` : ""),
    el("h2", {}, titleOf(item)),
    el("p", { class: "row" }, item.price ? el("span", { class: "price large" }, price(item.price)) : null, item.availability ? el("span", { class: "badge" }, words(item.availability)) : null, item.hidden ? el("span", { class: "badge" }, "hidden") : null),
    item.description ? el("p", { class: "description" }, item.description) : null,
    attributes(item),
    el("div", { class: "row" }, likeThis),
    record(item),
  );
  return [el("div", { class: "head" }, el("div", {}, main, others), about), why(app, item), similar(app, collection, item)];
}

function attributes(item) {
  const rows = Object.entries(item.attributes ?? {}).map(([name, value]) => [el("dt", {}, words(name)), el("dd", {}, [value].flat().join(", "))]);
  if (item.created_at) rows.push([el("dt", {}, "since"), el("dd", {}, time(item.created_at))]);
  if (item.expires_at) rows.push([el("dt", {}, "until"), el("dd", {}, time(item.expires_at))]);
  return rows.length ? el("dl", { class: "attributes" }, el("dt", {}, "id"), el("dd", {}, el("code", {}, item.id)), rows) : el("dl", { class: "attributes" }, el("dt", {}, "id"), el("dd", {}, el("code", {}, item.id)));
}

/** The record as stored, with the lengths of vectors. */
function record(item) {
  const short = { ...item, vectors: Object.fromEntries(Object.entries(item.vectors ?? {}).map(([name, vector]) => [name, `${vector.length} components`])) };
  return el("details", { class: "record" }, el("summary", {}, "Record"), el("pre", { tabindex: "0" }, JSON.stringify(short, null, 2)));
}

/** Explains why the item is in the results that it was opened from. */
function why(app, item) {
  const found = app.hits.get(item.id);
  if (!found || found.hit.score === undefined) return null;
  const { hit, most, answer } = found;
  const rank = [...app.hits.keys()].indexOf(item.id) + 1;
  const reason = hit.reason ? el("p", {}, hit.reason.text) : null;
  const { explain } = answer;
  const plan = explain ? `plan: ${answer.plan}; ${count(explain.compared)} distances among ${plural(explain.matching, "vector")} that match the filter` : "recommended";
  const snippet = highlight.isMarked(hit, "description") ? el("p", { class: "snippet" }, highlight.of(hit, "description")) : null;
  return el("section", { class: "why", "aria-label": "Why it was found" }, el("h3", {}, `Rank ${rank}, score ${score(hit.score)}`), reason, snippet, bars.bar(hit, most), bars.table(hit), el("p", { class: "fine" }, plan));
}

function similar(app, collection, item) {
  const list = el("ol", { class: "similar" });
  const legend = el("div", {});
  const spaces = Object.keys(item.vectors ?? {});
  const space = el("select", { "aria-label": "Space", on: { change: () => load() } }, spaces.map((name) => el("option", { value: name }, name)));
  if (spaces.includes("shared")) space.value = "shared";
  const tabs = el("div", { class: "tabs", role: "tablist", "aria-label": "Scope" }, Object.entries(SCOPES).map(([name, label]) => el("button", { type: "button", role: "tab", dataset: { scope: name }, on: { click: () => ((scope = name), load()) } }, label)));
  tabs.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const all = [...tabs.children];
    const next = by && all[(all.indexOf(document.activeElement) + by + all.length) % all.length];
    if (next) {
      next.focus();
      next.click();
    }
  });

  async function load() {
    for (const tab of tabs.children) {
      const isOn = tab.dataset.scope === scope;
      tab.setAttribute("aria-selected", String(isOn));
      tab.tabIndex = isOn ? 0 : -1;
    }
    const asked = scope;
    space.hidden = scope === "together" || spaces.length < 2;
    legend.replaceChildren();
    try {
      const path = (route) => of(collection.name, "items", item.id, route);
      const answer = scope === "together" ? await get(path("bought_together"), { limit: 12 }) : await get(path("similar"), { scope, limit: 12, space: space.value, explain: "true" });
      if (asked !== scope) return;
      const most = Math.max(...answer.hits.map((hit) => hit.score), 0);
      list.replaceChildren(...answer.hits.map((hit) => row(collection, hit, most)));
      legend.replaceChildren(...[bars.legend(answer.hits, AROUND)].filter(Boolean));
      if (!answer.hits.length) list.replaceChildren(scope === "together" ? empty("Never bought together with another item", "A basket is the purchase events of one user on one day.") : empty("No similar items"));
    } catch (error) {
      list.replaceChildren(problem(error));
    }
  }
  load();
  return el("section", { class: "like", "aria-label": "Similar items" }, el("div", { class: "row between" }, el("h3", {}, "Similar items"), space), tabs, legend, list);
}

function row(collection, hit, most) {
  const { item } = hit;
  const baskets = hit.baskets ? el("span", { class: "fine" }, `${hit.baskets} baskets`) : null;
  return el(
    "li",
    {},
    el(
      "button",
      { type: "button", class: "line-item", dataset: { id: item.id }, on: { click: () => change({ open: item.id }) } },
      picture(collection.name, item, { size: 128, alt: "" }),
      el("span", { class: "about" }, el("span", { class: "title" }, titleOf(item)), el("span", { class: "facts" }, facts(item)), el("span", { class: "reason" }, hit.reason?.text ?? "")),
      el("span", { class: "measure" }, el("span", { class: "score" }, score(hit.score)), bars.bar(hit, most, AROUND), baskets),
    ),
  );
}
