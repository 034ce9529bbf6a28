// Evaluation reports: reports of recommenders as charts, all others as tables.

import { el } from "./dom.js";
import * as chart from "./chart.js";
import { count, figure, time, words } from "./format.js";

const NAMES = { ndcg: "NDCG", mrr: "MRR", map: "MAP", f1: "F1", hit_rate: "hit rate" };
const nameOf = (metric) => NAMES[metric] ?? words(metric);
const isInterval = (value) => value && typeof value === "object" && ["mean", "low", "high"].every((key) => Number.isFinite(value[key]));

/** True if a report is one of `evaluate recommend`. */
const isOfRecommenders = (report) => Array.isArray(report.models) && report.models.every((model) => Array.isArray(model.at) && model.at.length) && report.models.length > 0;

/** Draws a report; unknown formats are shown generically. */
export function draw(report) {
  return isOfRecommenders(report) ? recommenders(report) : generic(report);
}

function recommenders(report) {
  const depths = report.models[0].at.map((at) => at.k);
  const metrics = Object.keys(report.models[0].at[0]).filter((name) => isInterval(report.models[0].at[0][name]));
  const by = { k: depths[0], metric: metrics.includes("ndcg") ? "ndcg" : metrics[0] };
  const body = el("div", { class: "stack" });
  const pick = (label, name, options, text) =>
    el("label", { class: "field narrow" }, el("span", {}, label), el("select", { on: { change: (event) => ((by[name] = name === "k" ? Number(event.target.value) : event.target.value), redraw()) } }, options.map((value) => el("option", { value, selected: value === by[name] }, text(value)))));
  const kinds = report.models.map((model, kind) => ({ name: model.model, kind }));
  const kindOf = (name) => kinds.find((one) => one.name === name)?.kind ?? 0;

  function redraw() {
    const rows = report.models.map((model, kind) => ({ name: model.model, kind, ...model.at.find((at) => at.k === by.k)?.[by.metric] }));
    const compared = (report.comparisons ?? []).filter((one) => one.k === by.k && one.metric === by.metric);
    const title = `${nameOf(by.metric)}@${by.k}`;
    body.replaceChildren(
      ...[
        chart.intervals(rows, { label: `${title}, with 95 % intervals` }),
        compared.length ? chart.intervals(compared.map((one) => ({ name: one.model, kind: kindOf(one.model), ...one.difference })), { label: `${title}: difference to ${compared[0].against}, paired by user`, zero: true }) : null,
        compared.length ? el("ul", { class: "verdicts" }, compared.map(verdict)) : null,
        el("h3", {}, `All metrics at ${by.k}`),
        figures(report.models, by.k, metrics),
      ].filter(Boolean),
    );
  }
  redraw();
  return [
    facts(report),
    el("div", { class: "row" }, pick("Metric", "metric", metrics, nameOf), pick("Depth", "k", depths, String)),
    body,
    breakdown(report.models, "by_user", "users", "Recall by events of the user", kinds),
    breakdown(report.models, "by_item", "held_out", "Recall by events of the held-out item", kinds),
    settings(report.models),
  ].filter(Boolean);
}

function verdict({ model, against, verdict: said, difference }) {
  const range = `${figure(difference.mean)} (${figure(difference.low)} to ${figure(difference.high)})`;
  const text = said === "undecided" ? `no significant difference between ${model} and ${against}: ${range}` : `${model} is ${said} than ${against}: ${range}`;
  return el("li", { dataset: { verdict: said } }, text);
}

function facts({ data = {}, protocol = {} }) {
  const ranking = typeof protocol.ranking === "object" ? `SAMPLED: ${count(Object.values(protocol.ranking)[0])} negatives, not comparable with a full ranking` : protocol.ranking && `${words(protocol.ranking)} ranking`;
  const rows = [
    ["source", data.source],
    ["events", data.interactions && `${count(data.interactions)} of ${count(data.users)} users with ${count(data.items)} items`],
    ["time", data.first_event && `${time(data.first_event)} to ${time(data.last_event)}`],
    ["split", protocol.split && `${protocol.split}${protocol.cut ? `, from ${time(protocol.cut)} on` : ""}`],
    ["tested", protocol.users_tested && `${count(protocol.users_tested)} users, ${count(protocol.relevant)} held-out items${protocol.new_only ? ", new to them" : ", repeats too"}`],
    ["ranking", ranking],
  ];
  return el("dl", { class: "attributes" }, rows.filter(([, value]) => value).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function figures(models, k, metrics) {
  const plain = ["coverage", "novelty", "diversity", "cross_category"];
  const rows = models.map((model) => ({ model, at: model.at.find((at) => at.k === k) ?? {} }));
  const columns = [...metrics, ...plain.filter((name) => rows.some(({ at }) => Number.isFinite(at[name])))];
  const value = (at, name) => (isInterval(at[name]) ? at[name].mean : at[name]);
  const best = Object.fromEntries(metrics.map((name) => [name, Math.max(...rows.map(({ at }) => value(at, name) ?? -Infinity))]));
  const cell = (at, name) => {
    const of = value(at, name);
    const title = isInterval(at[name]) ? `${figure(at[name].low)} to ${figure(at[name].high)}` : undefined;
    return el("td", { class: of === best[name] ? "best" : undefined, title }, Number.isFinite(of) ? figure(of) : "");
  };
  const speed = (model) => [el("td", {}, figure(model.fit_seconds, 1)), el("td", {}, figure(model.users_per_second, 0))];
  return scroll(
    el(
      "table",
      { class: "data" },
      el("thead", {}, el("tr", {}, ["model", ...columns.map(nameOf), "fit, s", "users/s"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows.map(({ model, at }) => el("tr", {}, el("th", { scope: "row" }, model.model), columns.map((name) => cell(at, name)), speed(model)))),
    ),
    "All metrics",
  );
}

function breakdown(models, name, size, label, kinds) {
  const bins = (models[0][name] ?? []).map((bin) => ({ name: bin.events, note: `n = ${count(bin[size])}` }));
  if (!bins.length) return null;
  const value = (bin) => (isInterval(bin?.recall) ? bin.recall.mean : bin?.recall);
  const series = models.map((model, n) => ({ ...kinds[n], values: bins.map((bin) => value(model[name].find((one) => one.events === bin.name))) }));
  return el("div", {}, chart.lines(bins, series, { label: `${label}, at ${models[0].at[0].k}` }), chart.legend(series));
}

function settings(models) {
  return el("details", {}, el("summary", {}, "Settings of the models"), el("dl", { class: "attributes" }, models.map((model) => [el("dt", {}, model.model), el("dd", {}, el("code", {}, model.settings), model.note ? el("p", { class: "fine" }, model.note) : null)])));
}

const scroll = (node, label) => el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": label }, node);

/** Draws any value: numbers as they are, lists of objects as tables, the rest recursively. */
function generic(value) {
  const isPlain = (one) => one === null || typeof one !== "object";
  const text = (one) => (typeof one === "number" ? figure(one) : isInterval(one) ? `${figure(one.mean)} (${figure(one.low)} to ${figure(one.high)})` : String(one ?? ""));
  const isShown = (one) => isPlain(one) || isInterval(one);
  const plain = Object.entries(value).filter(([, one]) => isShown(one));
  const others = Object.entries(value).filter(([, one]) => !isShown(one));
  const table = (rows) => {
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => rows.some((row) => isShown(row[name]) && row[name] !== undefined));
    const body = rows.slice(0, 500).map((row) => el("tr", {}, columns.map((name) => el("td", {}, isShown(row[name]) ? text(row[name]) : "..."))));
    return scroll(el("table", { class: "data" }, el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col" }, words(name))))), el("tbody", {}, body)), "Figures");
  };
  const part = ([name, one]) => {
    const isTable = Array.isArray(one) && one.length && one.every((row) => !isPlain(row) && !Array.isArray(row));
    const content = isTable ? table(one) : Array.isArray(one) ? el("p", {}, one.slice(0, 200).map(text).join(", ")) : generic(one);
    return el("section", { class: "stack" }, el("h3", {}, words(name)), content);
  };
  const list = plain.length ? el("dl", { class: "attributes" }, plain.map(([name, one]) => [el("dt", {}, words(name)), el("dd", {}, text(one))])) : null;
  return [list, ...others.map(part)].filter(Boolean);
}
