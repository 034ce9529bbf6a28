// The page: collection, view, and the item that is open.

import { el, icon, ICONS } from "./dom.js";
import { get, key } from "./api.js";
import { askForKey, help } from "./dialog.js";
import { short } from "./format.js";
import * as explorer from "./item.js";
import { listen } from "./keyboard.js";
import { empty, problem } from "./problem.js";
import { change, go, link, route, watch } from "./route.js";
import * as analytics from "./views/analytics.js";
import * as dialogue from "./views/dialogue.js";
import * as health from "./views/health.js";
import * as map from "./views/map.js";
import * as reports from "./views/reports.js";
import * as rules from "./views/rules.js";
import * as search from "./views/search.js";

const VIEWS = {
  search: { label: "Search", module: search },
  dialogue: { label: "Dialogue", module: dialogue },
  rules: { label: "Rules", module: rules },
  analytics: { label: "Analytics", module: analytics },
  map: { label: "Map", module: map },
  health: { label: "Health", module: health, withoutCollection: true },
  reports: { label: "Reports", module: reports, withoutCollection: true },
};

/** Second key of the shortcut `g X` of views whose first letter is taken. */
const KEYS = { rules: "u" };

const main = document.getElementById("main");
const picker = document.getElementById("collection");
const app = { hits: new Map(), collections: [], refresh, needKey: (error) => document.querySelector("dialog") ?? askForKey(start, error) };
let current = null;

/** Loads the collections, then shows the view of the address. */
async function start() {
  drawTools();
  picker.parentElement.hidden = true;
  try {
    app.collections = await get("collections");
  } catch (error) {
    leave();
    main.replaceChildren(problem(error, el("button", { type: "button", on: { click: start } }, "Try again")));
    if (error.status === 401) app.needKey(error);
    return;
  }
  picker.replaceChildren(...app.collections.map((one) => el("option", { value: one.name }, `${one.name} (${short(one.items)})`)));
  picker.parentElement.hidden = !app.collections.length;
  leave();
  refresh();
}

/** The collection of the address, by name or alias; by default the first with images, or the first. */
function collection(params) {
  const wanted = params.get("c");
  if (!wanted) return app.collections.find((one) => one.vector_counts.image) ?? app.collections[0];
  return app.collections.find((one) => one.name === wanted || one.aliases.includes(wanted));
}

function refresh() {
  const { view, params } = route();
  const shown = collection(params);
  if (!VIEWS[view]) return go("search", {}, { replace: true });
  for (const one of document.querySelectorAll("#views a")) {
    const name = one.dataset.view;
    one.href = link(name, params.get("c") ? { c: params.get("c") } : {});
    one.toggleAttribute("aria-current", name === view);
    if (name === view) one.setAttribute("aria-current", "page");
  }
  document.title = `${VIEWS[view].label} · Vitrine`;
  document.getElementById("view").textContent = VIEWS[view].label;
  if (!shown && !VIEWS[view].withoutCollection) {
    leave();
    const wanted = params.get("c");
    const what = wanted ? empty(`No collection "${wanted}"`, "Choose another collection above.") : empty("No collection yet", "Fill a collection with `vitrine-indexer index`, or send items to the API.", el("a", { href: "../docs/quick-start.html" }, "Quick start"));
    main.replaceChildren(what);
    return;
  }
  if (shown) picker.value = shown.name;
  if (current?.view !== view) {
    leave();
    current = { view, ...VIEWS[view].module.mount(main, app) };
  }
  // The open item does not change the view.
  const below = new URLSearchParams(params);
  below.delete("open");
  const text = `${shown?.name} ${below}`;
  if (current.text !== text || current.isStale) current.update(shown, below);
  Object.assign(current, { text, isStale: false });
  explorer.show(app, shown, params.get("open"));
}

function leave() {
  current?.close?.();
  current = null;
  main.replaceChildren();
}

picker.addEventListener("change", () => {
  const { view, params } = route();
  const kept = ["q", "n"].filter((name) => params.get(name)).map((name) => [name, params.get(name)]);
  go(view, view === "search" ? [["c", picker.value], ...kept] : { c: picker.value });
});

const THEMES = { "": ["half", "system setting"], light: ["sun", "light"], dark: ["moon", "dark"] };

function theme() {
  const { dataset } = document.documentElement;
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(dataset.theme ?? "") + 1) % names.length];
  if (next) dataset.theme = next;
  else delete dataset.theme;
  if (next) localStorage.setItem("vitrine.theme", next);
  else localStorage.removeItem("vitrine.theme");
  drawTools();
}

function drawTools() {
  const [name, title] = THEMES[document.documentElement.dataset.theme ?? ""];
  const button = (label, drawing, click, props = {}) => el("button", { type: "button", class: "quiet", "aria-label": label, title: label, on: { click }, ...props }, icon(ICONS[drawing]));
  document.getElementById("tools").replaceChildren(
    button(key.get() ? "API key (set)" : "API key", "key", () => askForKey(start), { dataset: { set: key.get() ? "yes" : "no" } }),
    button(`Colors: ${title}`, name, theme),
    button("Keyboard", "help", help, { "aria-keyshortcuts": "?" }),
  );
}

const to = (view) => () => go(view, route().params.get("c") ? { c: route().params.get("c") } : {});
listen({
  "/": () => (current?.focus ? current.focus() : to("search")()),
  "?": help,
  t: theme,
  ...Object.fromEntries(Object.keys(VIEWS).map((view) => [`g ${KEYS[view] ?? view[0]}`, to(view)])),
});
document.getElementById("views").replaceChildren(...Object.entries(VIEWS).map(([view, { label }]) => el("a", { href: link(view), dataset: { view } }, label)));
document.querySelector(".brand").addEventListener("click", (event) => {
  event.preventDefault();
  to("search")();
});
app.again = () => {
  if (current) current.isStale = true;
  refresh();
};
app.refresh = app.again;
app.close = () => change({ open: "" });
watch(refresh);
start();
