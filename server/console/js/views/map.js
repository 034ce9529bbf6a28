// Map: items of a vector space by the first two principal components, colored by category.

import { announce, el } from "../dom.js";
import { get, of } from "../api.js";
import { count, leaf, plural, share, titleOf } from "../format.js";
import { ranked } from "../palette.js";
import { picture } from "../picture.js";
import { empty, problem } from "../problem.js";
import { change } from "../route.js";
import { scatter } from "../scatter.js";

const SAMPLES = [500, 2000, 5000, 10000];

export function mount(root) {
  const space = el("select", { "aria-label": "Space", on: { change: () => change({ space: space.value === "shared" ? "" : space.value }) } });
  const sample = el("select", { "aria-label": "Items", on: { change: () => change({ sample: sample.value === "2000" ? "" : sample.value }) } }, SAMPLES.map((n) => el("option", { value: n }, `${count(n)} items`)));
  const filter = el("input", { type: "text", "aria-label": "Filter", placeholder: "Filter: price <= 300 AND brand = Acme", autocomplete: "off", spellcheck: "false" });
  const form = el("form", { class: "row tools-row", on: { submit: (event) => (event.preventDefault(), change({ filter: filter.value.trim() })) } }, space, sample, filter);
  const status = el("p", { class: "status" });
  const legend = el("ul", { class: "kinds", "aria-label": "Categories" });
  const note = el("div", { class: "note", hidden: true });
  const plot = scatter({ label: "Map of the space. Arrow keys go from item to item, Enter opens one, plus and minus zoom.", hover: point, follow, open: (one) => change({ open: one.id }) });
  const zooms = el("div", { class: "zooms" }, [["+", "Zoom in", () => plot.zoom(1.5)], ["−", "Zoom out", () => plot.zoom(1 / 1.5)], ["0", "Reset zoom (0)", plot.reset]].map(([text, label, click]) => el("button", { type: "button", "aria-label": label, title: label, on: { click } }, text)));
  plot.node.append(zooms, note);
  const nothing = el("div", {});
  const columns = el("div", { class: "map" }, plot.node, legend);
  root.append(form, status, nothing, columns);
  let shown = null;
  let running = null;

  async function update(collection, params) {
    const spaces = Object.keys(collection.vectors).filter((name) => collection.vector_counts[name]);
    space.replaceChildren(...spaces.map((name) => el("option", { value: name }, name)));
    space.value = params.get("space") || (spaces.includes("shared") ? "shared" : spaces[0]);
    sample.value = params.get("sample") || "2000";
    filter.value = params.get("filter") ?? "";
    running?.abort();
    running = new AbortController();
    nothing.replaceChildren();
    if (!spaces.length) return none(empty("No vectors", "Only items with vectors are on the map."));
    columns.hidden = false;
    columns.setAttribute("aria-busy", "true");
    try {
      const asked = { space: space.value, sample: sample.value, filter: filter.value };
      const map = await get(of(collection.name, "map"), asked, { signal: running.signal });
      draw(collection, map);
    } catch (error) {
      if (error.name !== "AbortError") none(problem(error));
    } finally {
      columns.removeAttribute("aria-busy");
    }
  }

  function none(what) {
    columns.hidden = true;
    status.replaceChildren();
    nothing.replaceChildren(what);
  }

  function draw(collection, map) {
    shown = collection;
    if (!map.points.length) return none(empty("Nothing matches", "Change the filter."));
    const depth = level(map.points);
    const named = map.points.map((one) => ({ ...one, name: (one.category ?? "no category").split(" > ").slice(0, depth).join(" > ") }));
    const kinds = ranked(named.map((one) => one.name));
    const kindOf = new Map(kinds.map((one) => [one.name, one.kind]));
    for (const one of named) one.kind = kindOf.get(one.name);
    plot.show(named, kinds.slice(0, 12).map((kind) => middle(named, kind.name)));
    drawLegend(kinds);
    const [x, y] = map.variance;
    const of_ = map.points.length < map.matching ? `a sample of ${count(map.points.length)} of ${plural(map.matching, "item")}` : plural(map.points.length, "item");
    status.replaceChildren(`${of_} · the two axes show ${share(x + y, 0)} of the variance (${share(x, 0)} and ${share(y, 0)}): items near in the space are near here, but not vice versa`);
    announce(of_);
  }

  function drawLegend(kinds) {
    const hidden = new Set();
    const row = ({ name, count: n, kind }) => {
      const box = el("input", { type: "checkbox", checked: true, on: { change: () => (box.checked ? hidden.delete(name) : hidden.add(name), plot.hide(hidden)) } });
      const light = (on) => () => plot.light(on ? name : null);
      return el("li", { on: { mouseenter: light(true), mouseleave: light(false), focusin: light(true), focusout: light(false) } }, el("label", { title: name }, box, el("span", { class: "dot", dataset: { kind } }), el("span", { class: "name" }, leaf(name)), el("span", { class: "count" }, count(n))));
    };
    legend.replaceChildren(...kinds.map(row));
  }

  function point(one, at) {
    note.hidden = !one;
    if (!one) return;
    const image = { id: one.id, title: one.title, category: one.category, images: shown.vector_counts.image ? [{}] : [] };
    note.replaceChildren(picture(shown.name, image, { size: 256, alt: "" }), el("strong", {}, titleOf(one)), el("span", { class: "fine" }, one.category ?? ""));
    follow(at);
    announce(`${titleOf(one)}, ${one.category ?? ""}`);
  }

  function follow([x, y]) {
    note.style.left = `${Math.min(Math.max(8, x + 14), Math.max(8, plot.node.clientWidth - 200))}px`;
    note.style.top = `${y > plot.node.clientHeight / 2 ? y - note.offsetHeight - 14 : y + 14}px`;
  }

  return { update, focus: () => plot.node.querySelector("canvas").focus(), close: () => (running?.abort(), plot.close()) };
}

/** The first category level with more than one value. */
function level(points) {
  const at = (depth) => new Set(points.map((one) => (one.category ?? "").split(" > ").slice(0, depth).join(" > "))).size;
  return [1, 2, 3].find((depth) => at(depth) > 1) ?? 1;
}

/** Position of a category name: the median of its points. */
function middle(points, name) {
  const own = points.filter((one) => one.name === name);
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  return { name, text: leaf(name), x: median(own.map((one) => one.x)), y: median(own.map((one) => one.y)) };
}
