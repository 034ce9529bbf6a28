// Chips: the parts of a search; each can be removed.

import { el, icon, ICONS } from "./dom.js";
import { count, figure, leaf, words } from "./format.js";
import { picture } from "./picture.js";
import { currentImage } from "./query.js";
import { change, route } from "./route.js";

/** A chip with a remove button. */
export function chip(kind, label, undo, { before, title, name = label } = {}) {
  const remove = el("button", { type: "button", "aria-label": `Remove ${name}`, on: { click: undo } }, icon(ICONS.close, 14));
  return el("li", { class: "chip", dataset: { kind }, title }, before, el("span", {}, label), remove);
}

/** Formats values, a range or an order. */
export function meaning(part) {
  const { range, sort } = part;
  if (sort) return `${words(sort.field)}, ${sort.order === "desc" ? "highest" : "lowest"} first`;
  if (part.is !== undefined) return part.is ? "yes" : "no";
  if (range) {
    const names = { gt: "above", gte: "from", lt: "below", lte: "up to" };
    const { gte, lte } = range;
    // Times are text.
    const bound = (value) => (typeof value === "string" ? value.slice(0, 10) : figure(value));
    if (gte !== undefined && lte !== undefined) return `${bound(gte)} to ${bound(lte)}`;
    return Object.keys(names).filter((name) => range[name] !== undefined).map((name) => `${names[name]} ${bound(range[name])}`).join(", ");
  }
  const values = (part.values ?? []).map(leaf);
  const shown = values.slice(0, 3).join(" or ");
  return values.length > 3 ? `${shown} or ${count(values.length - 3)} more` : shown;
}

/** One chip per interpreted part of the query; removing it returns its words to the search. */
function understood(parts, asked, kind = "understood", lead = "") {
  return parts.map((part) => {
    const label = [lead, part.negated ? "not " : "", words(part.field), ": ", meaning(part)].join("");
    const undo = () => change({ undo: [...asked.without, part.field] });
    return chip(kind, label, undo, { title: `From "${part.words}"` });
  });
}

function undone(asked) {
  return asked.without.map((field) => {
    const redo = () => change({ undo: asked.without.filter((one) => one !== field) });
    const button = el("button", { type: "button", on: { click: redo } }, "extract again");
    return el("li", { class: "chip", dataset: { kind: "undone" } }, el("span", {}, `${words(field)} not extracted`), button);
  });
}

function facets({ values, ranges }) {
  const { params } = route();
  const drop = (name, value) => () => change({ [name]: params.getAll(name).filter((one) => one !== value), n: "" });
  const ofValues = Object.entries(values).flatMap(([field, list]) => list.map((value) => chip("facet", `${words(field)}: ${leaf(value)}`, drop(`f.${field}`, value), { title: value })));
  const ofRanges = Object.entries(ranges).flatMap(([field, list]) =>
    list.map(({ gte, lt }) => {
      const text = gte === undefined ? `under ${figure(lt)}` : lt === undefined ? `from ${figure(gte)}` : `${figure(gte)} to ${figure(lt)}`;
      return chip("facet", `${words(field)}: ${text}`, drop(`r.${field}`, `${gte ?? ""}..${lt ?? ""}`));
    }),
  );
  return [...ofValues, ...ofRanges];
}

/** All chips. `like` is the item that is searched by, if any. */
export function draw(collection, asked, answer, like) {
  const all = [];
  const image = currentImage();
  if (asked.image && image) {
    const before = el("img", { src: image.url, alt: "", class: "mini" });
    all.push(chip("image", "similar to the image", () => change({ image: "" }), { before, title: image.name }));
  }
  if (asked.item) {
    const before = like ? picture(collection.name, like, { size: 64, alt: "" }) : null;
    all.push(chip("item", `similar to ${like?.title ?? asked.item}`, () => change({ like: "" }), { before }));
  }
  const preferred = understood(answer?.preferred ?? [], asked, "preferred", "rather ");
  all.push(...understood(answer?.parts ?? [], asked), ...preferred, ...undone(asked), ...facets(asked.choice));
  if (asked.user) all.push(chip("user", `for ${asked.user}`, () => change({ user: "" })));
  if (asked.hand) all.push(chip("filter", asked.hand, () => change({ filter: "" }), { name: "the filter" }));
  if (all.length > 1) all.push(el("li", {}, el("button", { type: "button", class: "link", on: { click: clear } }, "clear all")));
  return all;
}

function clear() {
  const { params } = route();
  const kept = ["c", "q"];
  change(Object.fromEntries([...params.keys()].filter((name) => !kept.includes(name)).map((name) => [name, ""])));
}
