// What a search consists of, piece by piece; each piece can be taken away.

import { el, icon, ICONS } from "./dom.js";
import { count, figure, leaf, words } from "./format.js";
import { picture } from "./picture.js";
import { currentPhoto } from "./query.js";
import { change, route } from "./route.js";

/** A piece with a button that takes it away. */
export function chip(kind, label, undo, { before, title, name = label } = {}) {
  const remove = el("button", { type: "button", "aria-label": `Remove ${name}`, on: { click: undo } }, icon(ICONS.close, 14));
  return el("li", { class: "chip", dataset: { kind }, title }, before, el("span", {}, label), remove);
}

/** Values or bounds, for people. */
export function meaning(part) {
  const { range } = part;
  if (range) {
    const names = { gt: "above", gte: "from", lt: "below", lte: "up to" };
    const { gte, lte } = range;
    if (gte !== undefined && lte !== undefined) return `${figure(gte)} to ${figure(lte)}`;
    return Object.keys(names).filter((name) => range[name] !== undefined).map((name) => `${names[name]} ${figure(range[name])}`).join(", ");
  }
  const values = part.values.map(leaf);
  const shown = values.slice(0, 3).join(" or ");
  return values.length > 3 ? `${shown} or ${count(values.length - 3)} more` : shown;
}

/** One chip a piece of the query that was understood; undoing it leaves its words to the search. */
function understood(parts, asked) {
  return parts.map((part) => {
    const label = [part.negated ? "not " : "", words(part.field), ": ", meaning(part)].join("");
    const undo = () => change({ undo: [...asked.without, part.field] });
    return chip("understood", label, undo, { title: `Understood from "${part.words}"` });
  });
}

function undone(asked) {
  return asked.without.map((field) => {
    const redo = () => change({ undo: asked.without.filter((one) => one !== field) });
    const button = el("button", { type: "button", on: { click: redo } }, "understand again");
    return el("li", { class: "chip", dataset: { kind: "undone" } }, el("span", {}, `${words(field)} left in the words`), button);
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

/** All of them. `like` is the item that is searched by, where there is one. */
export function draw(collection, asked, answer, like) {
  const all = [];
  const photo = currentPhoto();
  if (asked.photo && photo) {
    const before = el("img", { src: photo.url, alt: "", class: "mini" });
    all.push(chip("photo", "like the photo", () => change({ photo: "" }), { before, title: photo.name }));
  }
  if (asked.item) {
    const before = like ? picture(collection.name, like, { size: 64, alt: "" }) : null;
    all.push(chip("item", `like ${like?.title ?? asked.item}`, () => change({ like: "" }), { before }));
  }
  all.push(...understood(answer?.parts ?? [], asked), ...undone(asked), ...facets(asked.choice));
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
