// The page's state is the part of its address after `#`: `#/search?c=shop&q=red+chair`. So a link shows what its sender saw.

let listener = () => {};

/** View and parameters of the address. */
export function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: path || "search", params: new URLSearchParams(query) };
}

/** Address of a view. */
export function link(view, params) {
  const text = new URLSearchParams(params).toString();
  return `#/${view}${text ? `?${text}` : ""}`;
}

/** Goes to a view; `replace` leaves no step back. */
export function go(view, params, { replace = false } = {}) {
  const hash = link(view, params);
  if (hash === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", hash);
  listener();
}

/** Changes some parameters: a list is set as often as it is long, an empty value is taken out. */
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

/** Calls back when the address changes, by us or by the browser. */
export function watch(callback) {
  listener = callback;
  addEventListener("popstate", callback);
}
