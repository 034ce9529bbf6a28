// Dialogs: one for the key, one with the keys of the keyboard.

import { el, icon, ICONS } from "./dom.js";
import { key } from "./api.js";
import { problem, prose } from "./problem.js";

/** An open dialog; `Esc`, the cross and a click beside it close it. */
export function dialog(title, { kind = "small", closed, label = title } = {}, ...content) {
  const close = el("button", { type: "button", class: "quiet", "aria-label": "Close", on: { click: () => node.close() } }, icon(ICONS.close));
  const heading = title ? el("h2", {}, title) : null;
  const node = el("dialog", { class: kind, "aria-label": label }, el("div", { class: "sheet" }, el("header", {}, heading, close), content));
  node.addEventListener("click", (event) => event.target === node && node.close());
  node.addEventListener("close", () => {
    node.remove();
    closed?.();
  });
  document.body.append(node);
  node.showModal();
  return node;
}

/** Asks for the key of the API; `done` is called once it was changed. */
export function askForKey(done, fault) {
  const input = el("input", { type: "password", name: "key", autocomplete: "off", autofocus: true, value: key.get(), placeholder: "vitrine_...", "aria-label": "API key" });
  const set = (event) => {
    event.preventDefault();
    key.set(input.value.trim());
    node.close();
    done();
  };
  const forget = el("button", { type: "button", on: { click: (event) => ((input.value = ""), set(event)) } }, "Forget it");
  const form = el("form", { class: "stack", on: { submit: set } }, input, el("p", { class: "fine" }, prose("Kept for this tab, and sent to this server only. `vitrine-server keys create` makes one; the console needs the action `read`.")), el("div", { class: "row end" }, key.get() ? forget : null, el("button", { type: "submit", class: "primary" }, "Use it")));
  const node = dialog("API key", {}, fault && key.get() ? problem(fault) : null, form);
}

const KEYS = [
  ["/", "to the search box"],
  ["↓", "from the search box to the results"],
  ["← → ↑ ↓", "between results, or over the map"],
  ["Enter", "open the result"],
  ["Esc", "close what is open"],
  ["[ ]", "item before, item after, in the explorer"],
  ["+ - 0", "nearer, farther, all of the map"],
  ["g then s d u m h r", "to search, dialogue, rules, map, health, reports"],
  ["t", "light, dark, or as the system has it"],
  ["?", "this list"],
];

/** The keys of the keyboard. */
export function help() {
  const rows = KEYS.map(([keys, text]) => [el("dt", {}, keys.split(" ").map((one) => (one === "then" ? " then " : el("kbd", {}, one)))), el("dd", {}, text)]);
  const node = dialog("Keyboard", {}, el("dl", { class: "keys" }, rows), el("p", { class: "fine" }, "The API is described at ", el("a", { href: "../docs/" }, "/docs"), "."));
  return node;
}
