// Text with marked words, as an answer has it: `highlights: [{field, fragments: [{text, is_match}]}]`.

import { el } from "./dom.js";

/** The field of a hit with its words marked; nothing where the answer marks none. */
export function of(hit, field) {
  const found = hit.highlights?.find((one) => one.field === field);
  return found?.fragments.map(({ text, is_match: isMatch }) => (isMatch ? el("mark", {}, text) : text)) ?? null;
}

/** Whether a word of the field is marked. */
export const isMarked = (hit, field) => Boolean(hit.highlights?.some((one) => one.field === field && one.fragments.some((piece) => piece.is_match)));
