// Evaluation reports: the list and the selected report.

import { el } from "../dom.js";
import { get } from "../api.js";
import { bytes, time } from "../format.js";
import { empty, problem } from "../problem.js";
import * as report from "../report.js";
import { link } from "../route.js";

export function mount(root, app) {
  const list = el("ul", { class: "names", "aria-label": "Reports" });
  const shown = el("article", { class: "panel report", "aria-label": "Report" });
  const columns = el("div", { class: "columns" }, list, shown);
  root.append(columns);

  async function update(_collection, params) {
    shown.setAttribute("aria-busy", "true");
    await draw(params);
    shown.removeAttribute("aria-busy");
  }

  async function draw(params) {
    let reports = [];
    try {
      ({ reports } = await get("reports"));
    } catch (error) {
      if (error.status === 401) app.needKey(error);
      list.replaceChildren();
      const detail = error.status === 403 ? el("p", { class: "fine" }, "Reports require a key that covers all collections.") : null;
      shown.replaceChildren(...[problem(error), detail].filter(Boolean));
      return;
    }
    if (!reports.length) {
      list.replaceChildren();
      shown.replaceChildren(empty("No reports yet", "Start the server with --reports-dir DIR and write reports there:", el("code", {}, "vitrine-indexer evaluate recommend --events events.csv --json DIR/name.json")));
      return;
    }
    const name = params.get("r") ?? reports[0].name;
    const c = params.get("c");
    list.replaceChildren(...reports.map((one) => el("li", {}, el("a", { href: link("reports", c ? { c, r: one.name } : { r: one.name }), "aria-current": one.name === name ? "page" : undefined }, el("span", {}, one.name), el("span", { class: "fine" }, `${time(one.modified_at)} · ${bytes(one.bytes)}`)))));
    try {
      const found = await get(`reports/${encodeURIComponent(name)}`);
      shown.replaceChildren(el("h2", {}, name), ...report.draw(found));
    } catch (error) {
      shown.replaceChildren(problem(error));
    }
  }

  return { update };
}
