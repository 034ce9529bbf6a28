// Facets: counts of items by value, and the selected values. The selection of a field does not narrow
// its own counts, so that more values can be added.

import { el } from "./dom.js";
import { count, leaf, words } from "./format.js";

/** Maximum number of fields that the server counts in one request. */
const MAX_FIELDS = 50;

const COUNTED = new Set(["keyword", "bool", "category"]);
const RANGED = new Set(["integer", "float"]);

/** Fields of a collection to count, most useful first. */
export function fields(collection) {
  const own = Object.entries(collection.attributes ?? {}).filter(([, type]) => COUNTED.has(type) || RANGED.has(type));
  return [["category", "category"], ["price", "float"], ["brand", "keyword"], ["availability", "keyword"], ...own].map(([name, type]) => ({ name, type }));
}

/** Parses the selection of the address: `f.brand=Acme`, `r.price=50..100`. */
export function read(params) {
  const values = {};
  const ranges = {};
  for (const [name, value] of params) {
    if (name.startsWith("f.")) (values[name.slice(2)] ??= []).push(value);
    if (name.startsWith("r.")) {
      const [from, to] = value.split("..");
      const range = {};
      if (from) range.gte = Number(from);
      if (to) range.lt = Number(to);
      if (Object.values(range).every(Number.isFinite)) (ranges[name.slice(2)] ??= []).push(range);
    }
  }
  return { values, ranges };
}

/** The selection without one field. */
function without({ values, ranges }, name) {
  const rest = (from) => Object.fromEntries(Object.entries(from).filter(([key]) => key !== name));
  return { values: rest(values), ranges: rest(ranges) };
}

/** Converts values of boolean fields to booleans. */
export function typed(choice, collection) {
  const values = Object.entries(choice.values).map(([name, list]) => [name, collection.attributes?.[name] === "bool" ? list.map((one) => one === "true") : list]);
  return { ...choice, values: Object.fromEntries(values) };
}

/** Round bounds of about five ranges between min and max, finer for small values. */
export function bounds(least, greatest) {
  if (!(greatest > least)) return [];
  const steps = [1, 2.5, 5, 10];
  const power = 10 ** Math.floor(Math.log10((greatest - least) / 5));
  const found = [];
  if (least > 0 && greatest / least > 50) {
    for (let at = 10 ** Math.floor(Math.log10(least)); at < greatest; at *= 10) found.push(at, at * 2.5, at * 5);
    const inside = found.filter((at) => at > least * 2 && at < greatest / 1.5);
    const every = Math.ceil(inside.length / 6);
    return inside.filter((_, n) => n % every === 0);
  }
  const step = power * steps.find((s) => (greatest - least) / (power * s) <= 6);
  for (let at = Math.ceil(least / step) * step; at < greatest; at += step) if (at > least) found.push(Number(at.toPrecision(6)));
  return found;
}

function spec({ name, type }, choice) {
  if (type === "category") {
    const at = choice.values[name]?.[0];
    return at ? { field: name, under: at, depth: 1, limit: 30 } : { field: name, depth: 1, limit: 30 };
  }
  return { field: name, limit: 12 };
}

const hasOwn = (choice, { name, type }) => type !== "category" && Boolean(choice.values[name] || choice.ranges[name]);

/** Facets of the fields without a selection: they are counted within the whole selection. */
export const free = (collection, choice) => wanted(collection).filter((f) => !hasOwn(choice, f)).map((f) => spec(f, choice));

const wanted = (collection) => fields(collection).slice(0, MAX_FIELDS);

/** Counts all fields by `ask`; `counted` has the facets without a selection, if known. */
export async function load(collection, choice, ask, counted) {
  const all = wanted(collection);
  const own = all.filter((f) => hasOwn(choice, f));
  const answers = await ask([...(counted ? [] : [[free(collection, choice), choice]]), ...own.map((f) => [[spec(f, choice)], without(choice, f.name)])]);
  const found = new Map([...(counted ?? []), ...answers.flatMap((answer) => answer.facets)].map((facet) => [facet.field, facet]));
  const cuts = new Map(all.filter((f) => RANGED.has(f.type)).map((f) => [f.name, bounds(found.get(f.name)?.min, found.get(f.name)?.max)]));
  const ranged = all.filter((f) => cuts.get(f.name)?.length);
  const ranges = ({ name }) => [undefined, ...cuts.get(name)].map((from, n) => ({ from, to: cuts.get(name)[n] }));
  for (const { facets } of await ask(ranged.map((f) => [[{ field: f.name, ranges: ranges(f) }], without(choice, f.name)]))) found.set(facets[0].field, facets[0]);
  return { matching: counted ? undefined : answers[0]?.matching, facets: all.map((f) => ({ ...f, ...found.get(f.name) })) };
}

/** Draws the facets as lists; calls `toggle(name, value)` on a click. */
export function draw(facets, choice, toggle) {
  return facets.map((facet) => {
    if (facet.type === "category") return group(facet, categories(facet, choice, toggle));
    const rows = facet.ranges?.length ? ranges(facet, choice, toggle) : values(facet, choice, toggle);
    return rows.length ? group(facet, rows) : null;
  });
}

function group(facet, rows) {
  if (!rows.length) return null;
  const more = facet.more_values ? el("p", { class: "fine" }, `and ${count(facet.more_values)} more values`) : null;
  return el("details", { class: "facet", open: true, dataset: { field: facet.field ?? facet.name } }, el("summary", {}, words(facet.name)), el("ul", {}, rows), more);
}

function row({ label, of: n, most, isChosen, click, title }) {
  const box = el("input", { type: "checkbox", checked: isChosen, on: { change: click } });
  const fullness = el("span", { class: "fill", style: { width: most ? `${(100 * n) / most}%` : "0" } });
  return el("li", {}, el("label", { title }, box, el("span", { class: "name" }, label), el("span", { class: "count" }, count(n)), fullness));
}

function values(facet, choice, toggle) {
  const given = choice.values[facet.name] ?? [];
  const listed = facet.values ?? [];
  const gone = given.filter((value) => !listed.some((one) => one.value === value)).map((value) => ({ value, count: 0 }));
  const most = Math.max(...listed.map((one) => one.count), 0);
  return [...gone, ...listed].map((one) => row({ label: one.value, of: one.count, most, isChosen: given.includes(one.value), click: () => toggle(`f.${facet.name}`, one.value) }));
}

function ranges(facet, choice, toggle) {
  const given = choice.ranges[facet.name] ?? [];
  const most = Math.max(...facet.ranges.map((one) => one.count));
  return facet.ranges
    .map(({ from, to, count: n }) => {
      const isChosen = given.some((one) => (one.gte ?? null) === (from ?? null) && (one.lt ?? null) === (to ?? null));
      const label = from === undefined ? `under ${count(to)}` : to === undefined ? `${count(from)} and more` : `${count(from)} to ${count(to)}`;
      return n || isChosen ? row({ label, of: n, most, isChosen, click: () => toggle(`r.${facet.name}`, `${from ?? ""}..${to ?? ""}`) }) : null;
    })
    .filter(Boolean);
}

/** One level of the category tree, with links to the levels above. */
function categories(facet, choice, toggle) {
  const at = choice.values[facet.name]?.[0];
  const step = (label, path, up) => el("li", {}, el("button", { type: "button", class: up ? "link up" : "link at", on: { click: () => toggle(`f.${facet.name}`, path, true) } }, label));
  const levels = at ? at.split(" > ") : [];
  const path = levels.map((level, n) => step(level, levels.slice(0, n + 1).join(" > "), n < levels.length - 1));
  const most = Math.max(...(facet.values ?? []).map((one) => one.count), 0);
  const below = (facet.values ?? []).filter((one) => one.value !== at).map((one) => row({ label: leaf(one.value), title: one.value, of: one.count, most, isChosen: false, click: () => toggle(`f.${facet.name}`, one.value, true) }));
  return [at ? step("All categories", "", true) : null, ...path, ...below].filter(Boolean);
}
