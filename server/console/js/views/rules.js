// Merchandising rules of a collection: effects, conditions and validity, and a test with a query.

import { get, of, post } from "../api.js";
import { el } from "../dom.js";
import { text as filterText } from "../filter.js";
import { leaf, plural, time, words } from "../format.js";
import { empty, problem } from "../problem.js";

const INACTIVE_REASONS = { disabled: "disabled", not_yet_valid: "not valid yet", expired: "expired", path: "other kinds of requests", query: "query does not match", category: "other categories" };

const selection = (items) => (Array.isArray(items) ? plural(items.length, "item") : typeof items === "string" ? items : filterText(items));

/** Describes the effects of a rule, one line each. */
function effects({ pin = [], boost = [], bury, hide, filter }) {
  return [
    ...pin.map(({ id, position }) => `pins ${id} at ${position}`),
    ...boost.map(({ items, factor }) => `multiplies ${selection(items)} by ${factor}`),
    bury ? `buries ${selection(bury)}` : null,
    hide ? `hides ${selection(hide)}` : null,
    filter ? `only ${selection(filter)}` : null,
  ].filter(Boolean);
}

function condition({ query, categories = [], paths = [] }) {
  const texts = query ? Object.entries(query).map(([kind, list]) => `the query ${kind} ${list.map((one) => `"${one}"`).join(" or ")}`) : [];
  const all = [...texts, categories.length ? `in ${categories.map(leaf).join(" or ")}` : null, paths.length ? `on ${paths.map(words).join(", ")}` : null].filter(Boolean);
  return all.length ? all.join(", ") : "all requests";
}

/** State of a rule at a point in time, and its validity. */
function validity({ enabled, valid_from: from, valid_until: until }, now = Date.now()) {
  const span = [from ? `from ${time(from)}` : null, until ? `until ${time(until)}` : null].filter(Boolean).join(" ") || "always";
  if (!enabled) return ["off", span];
  if (from && Date.parse(from) > now) return ["later", span];
  if (until && Date.parse(until) <= now) return ["over", span];
  return ["on", span];
}

export function mount(root) {
  const input = el("input", { type: "search", name: "question", placeholder: "Which rules apply to a query?", "aria-label": "Query to test", autocomplete: "off" });
  const form = el("form", { class: "searchbar", on: { submit: tryOut } }, el("div", { class: "box" }, input, el("button", { type: "submit", class: "primary" }, "Test")));
  const status = el("p", { class: "status" });
  const notice = el("div", { class: "notice" });
  const list = el("ul", { class: "rules", "aria-label": "Rules" });
  root.append(form, status, notice, list);
  let collection = null;
  let rules = [];
  let running = null;

  async function update(shown) {
    collection = shown;
    running?.abort();
    running = new AbortController();
    root.setAttribute("aria-busy", "true");
    try {
      ({ rules } = await get(of(collection.name, "rules"), {}, { signal: running.signal }));
      notice.replaceChildren();
      draw(new Map());
      const on = rules.filter((rule) => validity(rule)[0] === "on").length;
      status.textContent = rules.length ? `${plural(rules.length, "rule")}, ${on} on` : "";
      if (!rules.length) notice.replaceChildren(empty("No rules", "Rules pin, boost, bury, hide and filter: `PUT /v1/collections/{c}/rules/{id}`."));
    } catch (error) {
      if (error.name !== "AbortError") notice.replaceChildren(problem(error));
    } finally {
      root.removeAttribute("aria-busy");
    }
  }

  async function tryOut(event) {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return draw(new Map());
    try {
      const { value } = await post(of(collection.name, "rules", "test"), { text });
      draw(new Map(value.rules.map((one) => [one.id, one.inactive_reason ?? ""])));
      notice.replaceChildren();
    } catch (error) {
      notice.replaceChildren(problem(error));
    }
    return undefined;
  }

  function draw(results) {
    list.replaceChildren(...rules.map((rule) => item(rule, results.get(rule.id))));
  }

  function item(rule, reason) {
    const [state, span] = validity(rule);
    const outcome = reason === undefined ? null : el("span", { class: "outcome", dataset: { acts: reason ? "no" : "yes" } }, reason ? `does not apply: ${INACTIVE_REASONS[reason] ?? words(reason)}` : "applies");
    return el(
      "li",
      { class: "rule", dataset: { id: rule.id, state } },
      el("div", { class: "row between" }, el("h2", {}, rule.id), outcome, el("span", { class: "badge", dataset: { state } }, state)),
      rule.description ? el("p", {}, rule.description) : null,
      el("dl", {}, el("dt", {}, "When"), el("dd", {}, condition(rule.when ?? {})), el("dt", {}, "Then"), el("dd", {}, effects(rule.then).map((line) => el("div", {}, line))), el("dt", {}, "Valid"), el("dd", {}, span)),
    );
  }

  return { update, focus: () => input.focus(), close: () => running?.abort() };
}

/** Describes the effects of rules on a response, one line each. */
export function used(list = []) {
  return list.map(({ id, pinned = [], boosted, buried, hidden }) => {
    const did = [pinned.length ? `pinned ${pinned.length}` : null, boosted ? `boosted ${boosted}` : null, buried ? `buried ${buried}` : null, hidden ? `hid ${hidden}` : null].filter(Boolean);
    return `${id}: ${did.join(", ") || "applied"}`;
  });
}
