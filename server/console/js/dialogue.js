// Dialogues with the server: requests, and texts of acts and states.

import { get, post } from "./api.js";
import { meaning } from "./chips.js";
import { leaf, words } from "./format.js";
import { PAGE } from "./query.js";

const path = (id, route) => ["dialogues", id, route].filter(Boolean).map(encodeURIComponent).join("/");
const kept = (id) => `vitrine.dialogue.${id}`;

/** Stores a copy for this tab, so that a dialogue that expired on the server can be resumed. */
function keep(answer) {
  for (const name of Object.keys(sessionStorage)) if (name.startsWith(kept(""))) sessionStorage.removeItem(name);
  try {
    sessionStorage.setItem(kept(answer.id), JSON.stringify(answer.dialogue));
  } catch {
    // Without storage only the server has the dialogue.
  }
  return answer;
}

/** Starts a dialogue with a first turn. */
export async function begin(collection, text, signal) {
  const search = { limit: PAGE, highlight: true, explain: true };
  return keep((await post("dialogues", { collection, search, text }, { signal })).value);
}

/** Loads a dialogue with its first page; resumes it from the copy if it expired on the server. */
export async function resume(id, signal) {
  try {
    await get(path(id), {}, { signal });
    return keep((await post(path(id, "page"), {}, { signal })).value);
  } catch (error) {
    const copy = sessionStorage.getItem(kept(id));
    if (error.code !== "dialogue_not_found" || !copy) throw error;
    return keep((await post("dialogues", { resume: JSON.parse(copy) }, { signal })).value);
  }
}

/** A turn: `{text}`, `{like}`, `{exclude}`, `{drop}`, `{undo}` or `{reset}`. */
export const say = async (id, turn, signal) => keep((await post(path(id, "turns"), turn, { signal })).value);

/** Loads the next page. */
export const more = async (id, cursor, signal) => keep((await post(path(id, "page"), { cursor }, { signal })).value);

const BASES = { shown_median: "the median of the prices shown", liked: "the price of the similar item", named: "the price of the referenced item" };

/** Describes an act; `titleOf` names an item. */
export function describe(act, titleOf) {
  const field = words(act.field ?? "");
  switch (act.kind) {
    case "filter":
      return `${act.negated ? "not " : ""}${field}: ${meaning(act)}`;
    case "add":
      return `also ${field}: ${meaning(act)}`;
    case "drop":
      return act.values?.length ? `no longer ${act.values.map(leaf).join(", ")}` : dropped(act.field);
    case "words":
      return `text: ${act.words}`;
    case "like":
      return `similar to ${titleOf(act.item)}`;
    case "exclude":
      return `not ${titleOf(act.item)}`;
    case "cheaper":
    case "pricier":
      return `price: ${meaning(act)}, ${BASES[act.basis]}`;
    case "sort":
      return sorted(act.sort);
    case "more":
      return "more results";
    case "compare":
      return `compared ${act.items.map(titleOf).join(" and ")}`;
    case "undo":
      return "undid the previous turn";
    case "reset":
      return "cleared the search";
    default:
      return words(act.kind);
  }
}

/** Describes an order of the hits. */
const sorted = (sort) => `sorted by ${meaning({ sort })}`;

/** Describes the removal of a part. */
export function dropped(part) {
  return { sort: "without an order", text: "without the text", like: "without the similar item", excluded: "without exclusions" }[part] ?? `any ${words(part)}`;
}

/** The parts of a state, with labels. */
export function parts(state, titleOf) {
  const filters = state.filters.map((one) => ({ part: one.field, label: `${one.negated ? "not " : ""}${words(one.field)}: ${meaning(one)}`, title: one.words ? `From "${one.words}"` : undefined }));
  return [
    state.like ? { part: "like", label: `similar to ${titleOf(state.like.id)}` } : null,
    state.text ? { part: "text", label: `text: ${state.text}` } : null,
    ...filters,
    state.sort ? { part: "sort", label: sorted(state.sort) } : null,
    state.excluded?.length ? { part: "excluded", label: `not ${state.excluded.map(titleOf).join(", ")}` } : null,
  ].filter(Boolean);
}
