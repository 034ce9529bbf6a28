// Search: box, chips, facets and results.

import { announce, el } from "../dom.js";
import { Problem } from "../api.js";
import { legend } from "../bars.js";
import { arrows, card } from "../card.js";
import * as chips from "../chips.js";
import * as facets from "../facets.js";
import { count, milliseconds, plural, words } from "../format.js";
import { empty, problem, waiting } from "../problem.js";
import * as query from "../query.js";
import { searchbar } from "../searchbar.js";
import { change, link, route } from "../route.js";
import { used } from "./rules.js";

export function mount(root, app) {
  const bar = searchbar({ failed: (error) => notice.replaceChildren(problem(error)) });
  const pieces = el("ul", { class: "chips", "aria-label": "Parts of the search" });
  const notice = el("div", { class: "notice" });
  const status = el("p", { class: "status" });
  const order = el("select", { "aria-label": "Order", on: { change: () => change({ sort: order.value, n: "" }) } });
  const side = el("aside", { class: "facets", "aria-label": "Facets" });
  const grid = el("ul", { class: "grid", "aria-label": "Results" });
  const below = el("div", { class: "below" });
  arrows(grid);
  bar.input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") grid.querySelector("button.card")?.focus();
  });
  const results = el("section", { class: "results", "aria-label": "Results" }, status, order, notice, grid, below);
  const fold = el("details", { class: "fold", open: matchMedia("(min-width: 60rem)").matches }, el("summary", {}, "Facets"), side);
  root.append(bar.form, pieces, el("div", { class: "columns" }, fold, results));

  let running = null;
  let late = 0;
  const open = (id) => change({ open: id });

  async function update(collection, params) {
    const asked = query.read(params);
    bar.refresh(asked, collection);
    drawOrder(collection, asked);
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    notice.replaceChildren();
    results.setAttribute("aria-busy", "true");
    clearTimeout(late);
    late = setTimeout(() => grid.replaceChildren(...waiting()), 150);
    try {
      await run(collection, asked, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      fail(error, asked);
    } finally {
      if (!signal.aborted) results.removeAttribute("aria-busy");
    }
  }

  async function run(collection, asked, signal) {
    const like = asked.item ? query.item(collection, asked.item, signal).catch(() => null) : null;
    const draw = async (answer) => pieces.replaceChildren(...chips.draw(collection, asked, answer?.understood, await like));
    if (!asked.text) await draw();
    if (asked.lostImage) {
      clearTimeout(late);
      grid.replaceChildren();
      below.replaceChildren(empty("The image is not available", "Links do not include the image. Choose or drop it again."));
      return;
    }
    const answer = await query.hits(collection, asked, signal);
    drawHits(collection, asked, answer);
    await draw(answer);
    const counted = facets.load(collection, asked.choice, query.counting(collection, asked, signal), answer.facets?.fields);
    const found = await counted.catch((error) => error);
    if (signal.aborted) return;
    if (found instanceof Error) side.replaceChildren(problem(found));
    else drawFacets(found, asked);
    drawStatus(collection, asked, answer, found.matching);
  }

  /** Offers the orders that the collection's fields allow. */
  function drawOrder(collection, asked) {
    const numbers = Object.entries(collection.config?.attributes ?? {}).filter(([, type]) => ["integer", "float", "datetime"].includes(type));
    const fields = ["price", "created_at", ...numbers.map(([name]) => name)];
    const both = fields.flatMap((field) => [[`${field}:asc`, `${words(field)}, lowest first`], [`${field}:desc`, `${words(field)}, highest first`]]);
    const options = [["", "Default order"], ["popularity:desc", "Most popular first"], ...both];
    if (!options.some(([value]) => value === asked.sort)) options.push([asked.sort, asked.sort]);
    order.replaceChildren(...options.map(([value, label]) => el("option", { value }, label)));
    order.value = asked.sort;
  }

  function drawFacets(found, asked) {
    const toggle = (name, value, alone) => {
      const now = route().params.getAll(name);
      const next = alone ? [value] : now.includes(value) ? now.filter((one) => one !== value) : [...now, value];
      change({ [name]: next, n: "" });
    };
    const focused = side.contains(document.activeElement) ? document.activeElement.closest("label, button")?.textContent : null;
    const closed = new Set([...side.querySelectorAll("details:not([open])")].map((one) => one.dataset.field));
    side.replaceChildren(...facets.draw(found.facets, asked.choice, toggle).filter(Boolean));
    for (const one of side.querySelectorAll("details")) if (closed.has(one.dataset.field)) one.open = false;
    if (focused) [...side.querySelectorAll("label, button")].find((one) => one.textContent === focused)?.querySelector("input")?.focus();
  }

  function drawHits(collection, asked, answer) {
    clearTimeout(late);
    const most = Math.max(...answer.hits.map((hit) => hit.score ?? 0), 0);
    grid.replaceChildren(...answer.hits.map((hit) => card(collection.name, hit, { most, open })));
    app.hits = new Map(answer.hits.map((hit) => [hit.id, { hit, most, answer }]));
    const isMore = answer.more ?? (answer.hits.length === asked.limit && asked.limit < 1000);
    const more = el("button", { type: "button", class: "more", on: { click: () => change({ n: String(Math.min(1000, asked.limit + query.PAGE)) }, { replace: true }) } }, "More");
    below.replaceChildren(...(answer.hits.length ? (isMore ? [more] : []) : [empty("Nothing matches", "Remove a condition or use fewer words.")]));
  }

  function drawStatus(collection, asked, answer, matching) {
    const n = answer.hits.length;
    const total = answer.total?.value ?? matching;
    const about = answer.total?.relation === "gte" ? "at least " : "";
    const first = total > n ? `${count(n)} of ${about}${plural(total, "item")}` : plural(n, "item");
    const how = { browse: asked.sort ? `sorted by ${asked.sort}` : answer.plan, recommend: "recommended", search: answer.plan }[answer.kind];
    const took = answer.took_ms === undefined ? milliseconds(answer.roundTripMs) : `${milliseconds(answer.took_ms)} in the engine, ${milliseconds(answer.roundTripMs)} total`;
    const facts = [first, how, answer.blend ? `blend: ${words(answer.blend.method)}` : null, took];
    const explain = answer.explain ? `${count(answer.explain.compared)} distances; ${plural(answer.explain.matching, "vector")} match the filter` : undefined;
    const refine = asked.text ? el("a", { href: link("dialogue", { c: collection.name, say: asked.text }) }, "Refine in a dialogue") : null;
    status.replaceChildren(...[el("span", { title: explain }, facts.filter(Boolean).join(" · ")), fallbacks(answer), acted(collection, answer), legend(answer.hits), refine].filter(Boolean));
    const corrections = Object.entries(answer.corrections ?? {});
    if (corrections.length) {
      const say = corrections.map(([typed, meant], n) => [n ? ", " : "", el("mark", {}, meant), ` instead of "${typed}"`]);
      notice.replaceChildren(el("p", {}, "Showing results for ", say, "."));
    }
    announce(first);
  }

  function acted(collection, { rules }) {
    return rules?.length ? el("a", { class: "acted", href: link("rules", { c: collection.name }) }, `rules: ${used(rules).join("; ")}`) : null;
  }

  function fallbacks({ fallbacks: list }) {
    return list?.length ? el("span", { class: "fine" }, `fallbacks: ${list.map(words).join(", ")}`) : null;
  }

  function fail(error, asked) {
    clearTimeout(late);
    for (const part of [grid, below, status, side]) part.replaceChildren();
    const shown = error instanceof Problem ? error : new Problem({ code: "page", detail: `The page failed: ${error.message}` });
    if (error.status === 401 || error.status === 403) app.needKey(error);
    const again = el("button", { type: "button", on: { click: () => app.refresh() } }, "Try again");
    notice.replaceChildren(problem(shown, again));
    if (!(error instanceof Problem)) console.error(error, asked);
  }

  return {
    update,
    focus: () => bar.input.focus(),
    close() {
      clearTimeout(late);
      running?.abort();
      bar.close();
    },
  };
}
