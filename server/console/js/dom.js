// Elements. Texts always become text nodes, so item data is never interpreted as markup.

const SVG = "http://www.w3.org/2000/svg";

/** Creates an element. `props`: `class`, `on` (listeners), `style` (properties), `dataset`; `true` and `false` set and omit an attribute. */
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** Creates an SVG element. */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "style") for (const [key, of] of Object.entries(value)) node.style.setProperty(key, of);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "value" || name === "checked") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

/** An icon: one path on a 24 x 24 grid. */
export function icon(path, size = 18) {
  return svg("svg", { viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true", class: "icon" }, svg("path", { d: path }));
}

export const ICONS = {
  search: "M10.5 17a6.5 6.5 0 1 1 0-13 6.5 6.5 0 0 1 0 13z M15.5 15.5L21 21",
  image: "M4 7h3l2-2h6l2 2h3v12H4z M12 16a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
  microphone: "M12 14a3 3 0 0 1-3-3V6a3 3 0 0 1 6 0v5a3 3 0 0 1-3 3z M6 11a6 6 0 0 0 12 0 M12 17v4",
  close: "M6 6l12 12 M18 6L6 18",
  back: "M14 6l-6 6 6 6",
  key: "M8 16a4 4 0 1 1 0-8 4 4 0 0 1 0 8z M12 12h9v3 M17 12v2.500",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8z M12 3v2 M12 19v2 M3 12h2 M19 12h2 M5.6 5.6L7 7 M17 17l1.4 1.4 M5.6 18.4L7 17 M17 7l1.4-1.4",
  moon: "M19 14.5A7.5 7.5 0 0 1 9.5 5a7.5 7.5 0 1 0 9.500 9.500z",
  half: "M12 4a8 8 0 1 0 0 16z M12 4a8 8 0 0 1 0 16",
  help: "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z M9.500 9.500a2.500 2.500 0 1 1 3.500 2.300c-.7.3-1 .8-1 1.700 M12 16.600v.2",
  sliders: "M4 7h9 M17 7h3 M15 5v4 M4 17h3 M11 17h9 M9 15v4",
};

/** Announces a text to screen readers. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}
