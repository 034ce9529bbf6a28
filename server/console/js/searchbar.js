// The search box with image upload, and the search options.

import { el, icon, ICONS } from "./dom.js";
import { microphone } from "./microphone.js";
import { readImage, setImage } from "./query.js";
import { change } from "./route.js";
import { suggestions } from "./suggest.js";

/** Creates the form; `refresh(asked, collection)` shows the state of the address, `failed` gets errors of images. */
export function searchbar({ failed }) {
  const text = el("input", { type: "search", id: "query", name: "q", placeholder: "Search by text, or drop an image", "aria-label": "Search", autocomplete: "off", spellcheck: "false", enterkeyhint: "search", "aria-keyshortcuts": "/" });
  const file = el("input", { type: "file", id: "image", accept: "image/*", class: "hidden", "aria-label": "Search by image" });
  const options = el("button", { type: "button", class: "quiet", title: "Options", "aria-label": "Options", "aria-expanded": "false", "aria-controls": "options", on: { click: () => unfold(panel.hidden) } }, icon(ICONS.sliders));
  const box = el("div", { class: "box" }, icon(ICONS.search), text, suggestions(text, () => completed), el("label", { class: "quiet", for: "image", title: "Search by image" }, icon(ICONS.image), file), microphone({ heard, failed }), options, el("button", { type: "submit", class: "primary" }, "Search"));
  const user = field("user", "User", "user id, as in events: personalizes the ranking");
  const filter = field("filter", "Filter", 'price <= 300 AND NOT brand = "Acme"');
  const space = select("space", "Space", []);
  const mode = select("mode", "Mode", [["", "hybrid"], ["lexical", "full text"], ["vector", "vector"]]);
  const mmr = select("mmr", "Diversity", [["", "none"], ["0.8", "low"], ["0.6", "medium"], ["0.4", "high"]]);
  const exact = check("exact", "Exact", "Compare with all vectors");
  const plain = check("plain", "No query understanding", "Do not extract prices, colors and so on from the query");
  const panel = el("div", { class: "options", id: "options", hidden: true }, user.row, filter.row, mode.row, space.row, mmr.row, exact.row, plain.row);
  const form = el("form", { class: "searchbar", role: "search", on: { submit } }, box, panel);

  function unfold(open) {
    panel.hidden = !open;
    options.setAttribute("aria-expanded", String(open));
  }

  function submit(event) {
    event.preventDefault();
    const asked = { q: text.value.trim(), user: user.input.value.trim(), filter: filter.input.value.trim(), space: space.input.value, mode: mode.input.value, mmr: mmr.input.value, exact: exact.input.checked ? "1" : "", plain: plain.input.checked ? "1" : "" };
    const isNew = asked.q !== shown;
    // Another text is another query: undone interpretations of the old one are dropped.
    change({ ...asked, n: "", ...(isNew ? { undo: [] } : {}), ...(isNew && asked.q ? { like: "", image: "" } : {}) });
  }

  function heard(words) {
    text.value = words;
    form.requestSubmit();
  }

  let shown = "";
  let completed = "";
  for (const one of [mode, space, mmr, exact, plain]) one.input.addEventListener("change", () => form.requestSubmit());

  async function take(image) {
    if (!image) return;
    try {
      setImage(await readImage(image));
      change({ image: String(Date.now()), q: "", like: "", undo: [], n: "" });
    } catch (error) {
      failed(error);
    }
  }
  file.addEventListener("change", () => take(file.files[0]).then(() => (file.value = "")));

  const drop = (event) => {
    const image = [...(event.dataTransfer?.files ?? [])].find((one) => one.type.startsWith("image/"));
    document.body.classList.remove("dropping");
    if (!image) return;
    event.preventDefault();
    take(image);
  };
  const over = (event) => {
    if (![...(event.dataTransfer?.items ?? [])].some((one) => one.kind === "file")) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  };
  const leave = (event) => event.relatedTarget || document.body.classList.remove("dropping");
  const paste = (event) => take([...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/")));
  const listeners = { drop, dragover: over, dragleave: leave, paste };
  for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);

  return {
    form,
    input: text,
    refresh(asked, collection) {
      shown = asked.text;
      completed = collection.name;
      text.value = asked.text;
      user.input.value = asked.user;
      filter.input.value = asked.hand;
      const spaces = Object.keys(collection.vectors);
      space.input.replaceChildren(...spaces.map((name) => el("option", { value: name === "shared" ? "" : name }, name)));
      space.input.value = asked.space;
      mode.input.value = asked.mode;
      mmr.input.value = asked.mmr;
      exact.input.checked = asked.exact;
      plain.input.checked = asked.plain;
      if (asked.user || asked.hand || asked.space || asked.mode || asked.mmr || asked.exact || asked.plain) unfold(true);
    },
    close() {
      for (const [name, listener] of Object.entries(listeners)) removeEventListener(name, listener);
    },
  };
}

function field(name, label, placeholder) {
  const input = el("input", { type: "text", name, placeholder, autocomplete: "off", spellcheck: "false" });
  return { input, row: el("label", { class: "field" }, el("span", {}, label), input) };
}

function select(name, label, options) {
  const input = el("select", { name }, options.map(([value, text]) => el("option", { value }, text)));
  return { input, row: el("label", { class: "field narrow" }, el("span", {}, label), input) };
}

function check(name, label, title) {
  const input = el("input", { type: "checkbox", name });
  return { input, row: el("label", { class: "check", title }, input, el("span", {}, label)) };
}
