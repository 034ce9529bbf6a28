// Suggestions below the search box, as the options of its list.

import { get, of } from "./api.js";
import { el } from "./dom.js";
import { leaf, plural } from "./format.js";

/** Pause in typing after which suggestions are requested. */
const PAUSE_MS = 60;

/** Adds suggestions to an input; `collection` returns the name of the collection. Returns the list, to be put into the page. */
export function suggestions(input, collection) {
  const list = el("datalist", { id: "suggestions" });
  input.setAttribute("list", list.id);
  let running = null;
  let timer = 0;

  async function complete() {
    running?.abort();
    running = new AbortController();
    try {
      const { suggestions: found } = await get(of(collection(), "suggest"), { q: input.value }, { signal: running.signal });
      list.replaceChildren(...found.map((one) => el("option", { value: one.text }, `${one.category ? `in ${leaf(one.category)}` : one.kind}, ${plural(one.items, "item")}`)));
    } catch {
      // Suggestions are optional: the search itself shows what is wrong.
      list.replaceChildren();
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    if (collection()) timer = setTimeout(complete, PAUSE_MS);
  });
  return list;
}
