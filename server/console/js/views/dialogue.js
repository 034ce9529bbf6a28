// Dialogue: text box, turns with their interpretation, removable parts of the search, and results.

import { Problem } from "../api.js";
import { arrows, card } from "../card.js";
import { chip } from "../chips.js";
import * as dialogue from "../dialogue.js";
import { announce, el } from "../dom.js";
import { count, milliseconds, plural, titleOf } from "../format.js";
import { empty, problem, waiting } from "../problem.js";
import { change } from "../route.js";

const HINTS = ["cheaper", "in blue", "more like the second", "under 50", "any brand", "便宜一点", "要蓝色的", "更像第二个"];

export function mount(root, app) {
  const input = el("input", { type: "search", id: "say", name: "say", placeholder: "Describe what you look for, then refine: cheaper, in blue, more like the second", "aria-label": "Message", autocomplete: "off", spellcheck: "false", enterkeyhint: "send", "aria-keyshortcuts": "/" });
  const undo = el("button", { type: "button", on: { click: () => send({ undo: true }) } }, "Undo");
  const reset = el("button", { type: "button", on: { click: () => send({ reset: true }) } }, "Start over");
  const form = el("form", { class: "searchbar", on: { submit } }, el("div", { class: "box" }, input, undo, reset, el("button", { type: "submit", class: "primary" }, "Send")));
  const hints = el("ul", { class: "hints", "aria-label": "Examples" }, HINTS.map((text) => el("li", {}, el("button", { type: "button", class: "link", on: { click: () => ((input.value = text), form.requestSubmit()) } }, text))));
  const state = el("ul", { class: "chips", "aria-label": "Current search" });
  const log = el("ol", { class: "turns", "aria-label": "Turns" });
  const notice = el("div", { class: "notice" });
  const status = el("p", { class: "status" });
  const grid = el("ul", { class: "grid", "aria-label": "Results" });
  const below = el("div", { class: "below" });
  arrows(grid);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") grid.querySelector("button.card")?.focus();
  });
  const results = el("section", { class: "results", "aria-label": "Results" }, status, notice, grid, below);
  const said = el("aside", { class: "said", "aria-label": "Dialogue" }, el("h2", { class: "small" }, "Turns"), log);
  root.append(form, hints, state, el("div", { class: "columns talk" }, said, results));

  let collection = null;
  let answer = null;
  let hits = [];
  let running = null;
  const titles = new Map();
  const nameOf = (id) => titles.get(id) ?? id;

  function submit(event) {
    event.preventDefault();
    const text = input.value.trim();
    if (text) send({ text });
  }

  /** Runs a request; `ask` gets a signal and returns a response of the dialogue. */
  async function run(ask, { adds = false } = {}) {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    results.setAttribute("aria-busy", "true");
    const late = setTimeout(() => answer || grid.replaceChildren(...waiting()), 150);
    try {
      const started = performance.now();
      const next = await ask(signal);
      hits = [...(adds ? hits : []), ...(next.answer?.hits ?? [])];
      answer = { ...next, turn: next.turn ?? (adds ? answer?.turn : undefined), tookMs: performance.now() - started };
      for (const { item } of hits) titles.set(item.id, titleOf(item));
      input.value = "";
      draw();
      change({ d: answer.id, say: "" }, { replace: true });
    } catch (error) {
      if (error.name !== "AbortError") fail(error);
    } finally {
      clearTimeout(late);
      if (!signal.aborted) results.removeAttribute("aria-busy");
    }
  }

  function send(turn) {
    const id = answer?.id;
    if (id) return run((signal) => dialogue.say(id, turn, signal));
    if (turn.text) return run((signal) => dialogue.begin(collection.name, turn.text, signal));
    return undefined;
  }

  function update(shown, params) {
    const [id, say] = [params.get("d"), params.get("say")];
    const isOther = collection && collection.name !== shown.name;
    collection = shown;
    if (say) return run((signal) => dialogue.begin(collection.name, say, signal));
    if (id && !isOther) {
      if (id !== answer?.id) run((signal) => dialogue.resume(id, signal));
      return undefined;
    }
    if (id) change({ d: "" }, { replace: true });
    answer = null;
    hits = [];
    draw();
    return undefined;
  }

  function draw() {
    notice.replaceChildren(...[...unclear(), relaxed()].filter(Boolean));
    const parts = answer ? dialogue.parts(answer.dialogue.state, nameOf) : [];
    state.replaceChildren(...parts.map(({ part, label, title }) => chip("understood", label, () => send({ drop: [part] }), { title })));
    undo.disabled = !answer?.dialogue.turns.length;
    reset.disabled = !parts.length;
    hints.hidden = Boolean(answer?.dialogue.turns.length > 2);
    said.hidden = !answer?.dialogue.turns.length;
    log.replaceChildren(...(answer?.dialogue.turns ?? []).map(turn));
    log.lastElementChild?.scrollIntoView({ block: "nearest" });
    drawHits();
  }

  function turn({ text, acts }) {
    const pieces = acts.map((act) => el("li", {}, dialogue.describe(act, nameOf)));
    return el("li", {}, text ? el("p", { class: "words" }, text) : null, el("ul", { class: "acts" }, pieces));
  }

  function unclear() {
    return (answer?.turn?.unclear ?? []).map(({ words, detail }) => el("p", { class: "unclear", role: "status" }, el("strong", {}, words || "That"), `: ${detail}.`));
  }

  /** Suggestions if nothing was found. */
  function relaxed() {
    const { relaxations = [] } = answer ?? {};
    if (!relaxations.length) return null;
    const offers = relaxations.map(({ drop, matches }) => el("li", {}, el("button", { type: "button", on: { click: () => send({ drop }) } }, `${drop.map(dialogue.dropped).join(", ")} (${plural(matches, "item")})`)));
    return el("div", { class: "relaxed" }, el("strong", {}, "No item matches all conditions. Try:"), el("ul", { class: "row" }, offers));
  }

  function drawHits() {
    const found = answer?.answer;
    const most = Math.max(...hits.map((hit) => hit.score ?? 0), 0);
    grid.replaceChildren(...hits.map((hit, at) => place(hit, at, most)));
    app.hits = new Map(hits.map((hit) => [hit.id, { hit, most, answer: found }]));
    const next = found?.next_cursor;
    const more = next ? el("button", { type: "button", class: "more", on: { click: () => run((signal) => dialogue.more(answer.id, next, signal), { adds: true }) } }, "More") : null;
    const nothing = !found ? empty("No search yet", "Describe what you look for, in English or Chinese.") : hits.length ? null : answer.relaxations?.length ? null : empty("Nothing matches", "Undo, or start over.");
    below.replaceChildren(...[more, nothing].filter(Boolean));
    const total = found?.total;
    const about = total?.relation === "gte" ? "at least " : "";
    const first = total?.value > hits.length ? `${count(hits.length)} of ${about}${plural(total.value, "item")}` : plural(hits.length, "item");
    status.replaceChildren(found ? [first, found.plan, `${milliseconds(answer.tookMs)} total`].join(" · ") : "");
    if (found) announce([first, ...dialogue.parts(answer.dialogue.state, nameOf).map(({ label }) => label)].join("; "));
  }

  /** A card with the position that a turn can refer to, and two controls. */
  function place(hit, at, most) {
    const made = card(collection.name, hit, { most, open: (id) => change({ open: id }) });
    const name = titleOf(hit.item);
    made.classList.add("placed");
    made.append(
      el("span", { class: "place", "aria-hidden": "true" }, String(at + 1)),
      el("span", { class: "controls" }, el("button", { type: "button", "aria-label": `More like ${at + 1}, ${name}`, on: { click: () => send({ like: hit.id }) } }, "like this"), el("button", { type: "button", "aria-label": `Not ${at + 1}, ${name}`, on: { click: () => send({ exclude: hit.id }) } }, "not this")),
    );
    return made;
  }

  function fail(error) {
    const shown = error instanceof Problem ? error : new Problem({ code: "page", detail: `The page failed: ${error.message}` });
    if (error.status === 401 || error.status === 403) app.needKey(error);
    if (error.code === "dialogue_not_found") {
      answer = null;
      hits = [];
      draw();
    }
    notice.replaceChildren(problem(shown));
    if (!(error instanceof Problem)) console.error(error);
  }

  return {
    update,
    focus: () => input.focus(),
    close: () => running?.abort(),
  };
}
