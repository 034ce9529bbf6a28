// A dialogue with the server: what is said, what was understood, what is searched for.

import { get, post } from "./api.js";
import { meaning } from "./chips.js";
import { leaf, words } from "./format.js";
import { PAGE } from "./query.js";

const path = (id, route) => ["dialogues", id, route].filter(Boolean).map(encodeURIComponent).join("/");
const kept = (id) => `vitrine.dialogue.${id}`;

/** A copy for this tab, so that a dialogue goes on that the server has forgotten. */
function keep(answer) {
  for (const name of Object.keys(sessionStorage)) if (name.startsWith(kept(""))) sessionStorage.removeItem(name);
  try {
    sessionStorage.setItem(kept(answer.id), JSON.stringify(answer.dialogue));
  } catch {
    // A tab that keeps nothing has the server's.
  }
  return answer;
}

/** Begins one with its first turn. */
export async function begin(collection, text, signal) {
  const search = { limit: PAGE, highlight: true, explain: true };
  return keep((await post("dialogues", { collection, search, text }, { signal })).value);
}

/** What was said and what is found now; gone on with from the copy where the server has none. */
export async function resume(id, signal) {
  try {
    await get(path(id), {}, { signal });
    return keep((await post(path(id, "page"), {}, { signal })).value);
  } catch (fault) {
    const copy = sessionStorage.getItem(kept(id));
    if (fault.code !== "dialogue_not_found" || !copy) throw fault;
    return keep((await post("dialogues", { resume: JSON.parse(copy) }, { signal })).value);
  }
}

/** A turn: `{text}`, `{like}`, `{exclude}`, `{drop}`, `{undo}` or `{reset}`. */
export const say = async (id, turn, signal) => keep((await post(path(id, "turns"), turn, { signal })).value);

/** The page after the one whose answer had the cursor. */
export const more = async (id, cursor, signal) => keep((await post(path(id, "page"), { cursor }, { signal })).value);

const BASES = { shown_median: "the median of the prices shown", liked: "the price of the item searched by", named: "the price of the item named" };

/** What a piece of a turn does, for people; `titleOf` names an item. */
export function describe(act, titleOf) {
  const field = words(act.field ?? "");
  switch (act.kind) {
    case "filter":
      return `${act.negated ? "not " : ""}${field}: ${meaning(act)}`;
    case "add":
      return `also ${field}: ${meaning(act)}`;
    case "drop":
      return act.values?.length ? `need not be ${act.values.map(leaf).join(", ")}` : dropped(act.field);
    case "words":
      return `words: ${act.words}`;
    case "like":
      return `like ${titleOf(act.item)}`;
    case "exclude":
      return `not ${titleOf(act.item)}`;
    case "cheaper":
    case "pricier":
      return `price: ${meaning(act)}, ${BASES[act.basis]}`;
    case "undo":
      return "the turn before was taken back";
    case "reset":
      return "all taken away";
    default:
      return words(act.kind);
  }
}

/** What it is to take a part away. */
export function dropped(part) {
  return { text: "without the words", like: "not like an item any more", excluded: "no item left out" }[part] ?? `any ${words(part)}`;
}

/** The parts of a state: what to call them and what takes them away. */
export function parts(state, titleOf) {
  const filters = state.filters.map((one) => ({ part: one.field, label: `${one.negated ? "not " : ""}${words(one.field)}: ${meaning(one)}`, title: one.words ? `From "${one.words}"` : undefined }));
  return [
    state.like ? { part: "like", label: `like ${titleOf(state.like.id)}` } : null,
    state.text ? { part: "text", label: `words: ${state.text}` } : null,
    ...filters,
    state.excluded?.length ? { part: "excluded", label: `not ${state.excluded.map(titleOf).join(", ")}` } : null,
  ].filter(Boolean);
}
