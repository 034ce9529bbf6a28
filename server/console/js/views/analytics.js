// Search analytics: totals, queries with figures, clicks by position, and results of experiments.

import { get, of } from "../api.js";
import { intervals, lines } from "../chart.js";
import { el } from "../dom.js";
import { count, figure, plural, share } from "../format.js";
import { empty, problem } from "../problem.js";
import { change, link } from "../route.js";

const PAGE = 20;
const DAYS = { 7: "7 days", 30: "30 days", 90: "90 days" };
const LISTS = {
  all: { label: "Top queries", params: {} },
  without_results: { label: "Without results", params: { only: "without_results", order: "without_results" } },
  without_clicks: { label: "Without clicks", params: { only: "without_clicks" } },
  revenue: { label: "By revenue", params: { order: "revenue" } },
};

const since = (days) => new Date(Date.now() - days * 86_400_000).toISOString();

export function mount(root) {
  const days = el("select", { name: "days", "aria-label": "Range of time", on: { change: () => change({ days: days.value, n: "" }) } }, Object.entries(DAYS).map(([value, text]) => el("option", { value }, text)));
  const tabs = el("nav", { class: "row", "aria-label": "Lists of queries" });
  const status = el("p", { class: "status" });
  const notice = el("div", { class: "notice" });
  const totals = el("section", { class: "panel", "aria-label": "Totals" });
  const queries = el("section", { class: "panel", "aria-label": "Queries" });
  const positions = el("section", { class: "panel", "aria-label": "Positions" });
  const experiments = el("section", { class: "panel", "aria-label": "Experiments" });
  root.append(el("div", { class: "row between" }, tabs, el("label", { class: "field narrow" }, el("span", {}, "Last"), days)), status, notice, totals, queries, positions, experiments);
  let running = null;

  async function update(collection, params) {
    running?.abort();
    running = new AbortController();
    const options = { signal: running.signal };
    const list = LISTS[params.get("list")] ? params.get("list") : "all";
    const offset = PAGE * (Number.parseInt(params.get("n"), 10) || 0);
    days.value = DAYS[params.get("days")] ? params.get("days") : "30";
    tabs.replaceChildren(...Object.entries(LISTS).map(([name, { label }]) => el("a", { href: link("analytics", { c: collection.name, days: days.value, list: name }), "aria-current": name === list ? "page" : null }, label)));
    root.setAttribute("aria-busy", "true");
    try {
      const from = since(days.value);
      const route = (part, more = {}) => get(of(collection.name, "analytics", part), { from, ...more }, options);
      const [summary, page, shown] = await Promise.all([route("summary"), route("queries", { ...LISTS[list].params, limit: PAGE, offset }), route("positions")]);
      notice.replaceChildren();
      totals.replaceChildren(...drawTotals(summary));
      queries.replaceChildren(...drawQueries(collection, page, offset));
      positions.replaceChildren(...drawPositions(shown.positions));
      experiments.replaceChildren(...(await drawExperiments(collection.name, from, options)));
      const { stored, dropped } = summary.log;
      status.textContent = `${plural(stored, "search", "searches")} in the log${dropped ? `, ${count(dropped)} dropped` : ""}`;
      if (!stored) notice.replaceChildren(empty("No searches yet", collection.search_log?.enabled === false ? "Recording is off: `search_log.enabled` of the collection." : "Searches are recorded as they are answered."));
    } catch (error) {
      if (error.name === "AbortError") return;
      for (const section of [totals, queries, positions, experiments]) section.replaceChildren();
      notice.replaceChildren(error.status === 403 ? empty("Analytics require a key with the action `admin`.") : problem(error));
    } finally {
      root.removeAttribute("aria-busy");
    }
  }

  return { update, close: () => running?.abort() };
}

function drawTotals({ total, days }) {
  const facts = [
    ["Searches", count(total.searches)],
    ["Users", count(total.users)],
    ["Without results", share(total.searches ? total.without_results / total.searches : 0)],
    ["Click-through", share(total.click_through)],
    ["Conversion", share(total.conversion)],
    ["Revenue", figure(total.revenue)],
    ["Mean position of clicks", total.click_position ? figure(total.click_position) : "none"],
  ];
  const list = el("dl", {}, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  if (days.length < 2) return [el("h2", {}, "Searches"), list];
  const step = Math.ceil(days.length / 8);
  const bins = days.map(({ day }, n) => ({ name: n % step ? "" : day.slice(5), note: "" }));
  return [el("h2", {}, "Searches"), list, lines(bins, [{ name: "Searches", kind: "query", values: days.map((one) => one.searches) }], { label: "Searches by day" })];
}

function drawQueries(collection, { total, queries }, offset) {
  const head = ["query", "searches", "users", "no results", "click-through", "position", "conversion", "revenue"].map((name) => el("th", { scope: "col" }, name));
  const rows = queries.map((one) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, el("a", { href: link("search", { c: collection.name, q: one.query }) }, one.query)),
      [count(one.searches), count(one.users), count(one.without_results), share(one.click_through), one.click_position ? figure(one.click_position) : "", share(one.conversion), one.revenue ? figure(one.revenue) : ""].map((text) => el("td", {}, text)),
    ),
  );
  const page = offset / PAGE;
  const turn = (label, n, shown) => (shown ? el("button", { type: "button", on: { click: () => change({ n: n ? String(n) : "" }) } }, label) : null);
  return [
    el("h2", {}, plural(total, "query", "queries")),
    rows.length ? el("table", { class: "parts" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)) : el("p", { class: "fine" }, "None in this range."),
    el("div", { class: "row" }, turn("Previous", page - 1, page > 0), turn("Next", page + 1, offset + PAGE < total)),
  ];
}

function drawPositions(positions) {
  const first = positions.slice(0, 20);
  if (!first.length) return [];
  const bins = first.map(({ position, shown }) => ({ name: String(position), note: count(shown) }));
  return [el("h2", {}, "Positions"), lines(bins, [{ name: "Click-through", kind: "query", values: first.map((one) => one.click_through) }], { label: "Click-through by position (below: times shown)" })];
}

const METRICS = { click_through: "Click-through", conversion: "Conversion", revenue_per_search: "Revenue per search" };

async function drawExperiments(collection, from, options) {
  const { experiments } = await get(of(collection, "experiments"), {}, options);
  const results = await Promise.all(experiments.map(({ id }) => get(of(collection, "experiments", id, "results"), { from }, options)));
  if (!experiments.length) return [];
  return [el("h2", {}, "Experiments"), experiments.map((one, n) => experiment(one, results[n]))];
}

function experiment({ id, description, kind, enabled, variants }, { variants: figures, interleaving }) {
  const head = el("div", { class: "row between" }, el("h3", {}, id), el("span", { class: "badge", dataset: { state: enabled ? "on" : "off" } }, enabled ? kind : "off"));
  return el("div", { class: "experiment", dataset: { id } }, head, description ? el("p", {}, description) : null, kind === "interleaving" ? preference(variants, interleaving) : split(figures));
}

function split(figures) {
  if (!figures.length) return el("p", { class: "fine" }, "No searches in this range.");
  const head = ["variant", "searches", "users", "click-through", "conversion", "revenue per search"].map((name) => el("th", { scope: "col" }, name));
  const rows = figures.map((one) => el("tr", {}, el("th", { scope: "row" }, one.name), [count(one.searches), count(one.users), share(one.click_through), share(one.conversion), figure(one.revenue_per_search)].map((text) => el("td", {}, text))));
  const compared = figures.filter((one) => one.differences);
  const charts = Object.entries(METRICS).map(([metric, label]) => {
    const series = compared.map(({ name, differences }) => {
      const { difference: mean, low, high, significant } = differences[metric];
      return { name: significant ? `${name} (significant)` : name, mean, low, high, kind: "query" };
    });
    return series.length ? intervals(series, { label: `${label}: difference to ${figures[0].name}`, zero: true }) : null;
  });
  return [el("table", { class: "parts" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)), charts];
}

function preference([control, variant], results) {
  if (!results) return el("p", { class: "fine" }, "No searches in this range.");
  const facts = [
    ["Searches", count(results.searches)],
    [`Users who prefer ${control.name}`, count(results.control_wins)],
    [`Users who prefer ${variant.name}`, count(results.variant_wins)],
    ["Users without a preference", count(results.ties)],
    [`Preference for ${variant.name}`, `${share(results.preference)} (${share(results.low)} to ${share(results.high)}), p = ${figure(results.p_value)}${results.significant ? ", significant" : ""}`],
  ];
  return el("dl", {}, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}
