// Text with marked words. The server marks them as <em>...</em>; the marks become elements, all else stays text.

import { el } from "./dom.js";

/** Pieces of a text with marks. */
export function marked(text) {
  const pieces = text.split(/<em>(.*?)<\/em>/s);
  return pieces.map((piece, at) => (at % 2 ? el("mark", {}, piece) : piece));
}

/** The highlight of a field of a hit: a text, a list of texts, or `{text, spans: [[start, end]]}` in characters. */
export function of(hit, field) {
  const found = [hit.highlights?.[field]].flat()[0];
  if (typeof found === "string") return marked(found);
  if (!found?.text || !Array.isArray(found.spans)) return null;
  const characters = [...found.text];
  const out = [];
  let at = 0;
  for (const [start, end] of found.spans) {
    out.push(characters.slice(at, start).join(""), el("mark", {}, characters.slice(start, end).join("")));
    at = end;
  }
  return [...out, characters.slice(at).join("")];
}
