// Dialogs: API key and keyboard shortcuts.

import { el, icon, ICONS } from "./dom.js";
import { key } from "./api.js";
import { problem, prose } from "./problem.js";

/** Opens a dialog; `Esc`, the close button and a click outside close it. */
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

/** Asks for the API key; calls `done` when it was changed. */
export function askForKey(done, error) {
  const input = el("input", { type: "password", name: "key", autocomplete: "off", autofocus: true, value: key.get(), placeholder: "vitrine_...", "aria-label": "API key" });
  const set = (event) => {
    event.preventDefault();
    key.set(input.value.trim());
    node.close();
    done();
  };
  const forget = el("button", { type: "button", on: { click: (event) => ((input.value = ""), set(event)) } }, "Remove key");
  const form = el("form", { class: "stack", on: { submit: set } }, input, el("p", { class: "fine" }, prose("Stored for this tab only and sent to this server only. Create a key with `vitrine-server keys create`; the console requires the action `read`.")), el("div", { class: "row end" }, key.get() ? forget : null, el("button", { type: "submit", class: "primary" }, "Save")));
  const node = dialog("API key", {}, error && key.get() ? problem(error) : null, form);
}

const KEYS = [
  ["/", "go to the search box"],
  ["↓", "go from the search box to the results"],
  ["← → ↑ ↓", "move between results or map points"],
  ["Enter", "open the result"],
  ["Esc", "close the item or dialog"],
  ["[ ]", "previous or next item"],
  ["+ - 0", "zoom in, zoom out, reset the map"],
  ["g then s d u a m h r", "go to search, dialogue, rules, analytics, map, health, reports"],
  ["t", "switch colors: light, dark, system setting"],
  ["?", "show this list"],
];

/** Shows the keyboard shortcuts. */
export function help() {
  const rows = KEYS.map(([keys, text]) => [el("dt", {}, keys.split(" ").map((one) => (one === "then" ? " then " : el("kbd", {}, one)))), el("dd", {}, text)]);
  const node = dialog("Keyboard", {}, el("dl", { class: "keys" }, rows), el("p", { class: "fine" }, "Documents: ", el("a", { href: "../docs/" }, "/docs"), ", API reference: ", el("a", { href: "../docs/api/" }, "/docs/api"), "."));
  return node;
}
