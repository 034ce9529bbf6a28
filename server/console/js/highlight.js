// Text with marked words, as in a response: `highlights: [{field, fragments: [{text, is_match}]}]`.

import { el } from "./dom.js";

/** The field of a hit with matched words marked; null if the response has no highlight of it. */
export function of(hit, field) {
  const found = hit.highlights?.find((one) => one.field === field);
  return found?.fragments.map(({ text, is_match: isMatch }) => (isMatch ? el("mark", {}, text) : text)) ?? null;
}

/** True if a word of the field is marked. */
export const isMarked = (hit, field) => Boolean(hit.highlights?.some((one) => one.field === field && one.fragments.some((piece) => piece.is_match)));
