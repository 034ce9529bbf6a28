// The state of the page is in the fragment of its address, so that it can be linked: `#/search?c=shop&q=red+chair`.

let listener = () => {};

/** View and parameters of the address. */
export function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: path || "search", params: new URLSearchParams(query) };
}

/** Link to a view. */
export function link(view, params) {
  const text = new URLSearchParams(params).toString();
  return `#/${view}${text ? `?${text}` : ""}`;
}

/** Goes to a view; `replace` adds no history entry. */
export function go(view, params, { replace = false } = {}) {
  const hash = link(view, params);
  if (hash === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", hash);
  listener();
}

/** Changes parameters: a list sets a parameter repeatedly, an empty value removes it. */
export function change(changes, options) {
  const { view, params } = route();
  for (const [name, value] of Object.entries(changes)) {
    params.delete(name);
    for (const one of [value].flat()) {
      if (one !== undefined && one !== null && one !== "") params.append(name, one);
    }
  }
  go(view, params, options);
}

/** Calls back when the address changes, by the page or by the browser. */
export function watch(callback) {
  listener = callback;
  addEventListener("popstate", callback);
}
