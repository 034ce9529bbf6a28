// From the address to the requests that answer it.

import { get, of, post, Problem } from "./api.js";
import * as facets from "./facets.js";
import { all, chosen } from "./filter.js";

/** Hits of a first page. */
export const PAGE = 24;

/** The photo that is searched by. It is too large for an address, so a link to a search by photo cannot be shared. */
let photo = null;
export const currentPhoto = () => photo;
export function setPhoto(next) {
  if (photo) URL.revokeObjectURL(photo.url);
  photo = next;
}

/** A photo from a file, as the API takes it. */
export async function readPhoto(file) {
  const MOST = 20 * 1024 * 1024;
  if (file.size > MOST) throw new Error(`${file.name || "The photo"} has more than 20 MiB; choose a smaller one.`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return { name: file.name || "photo", base64: btoa(text), url: URL.createObjectURL(file) };
}

/** What the address asks for. */
export function read(params) {
  const limit = Number(params.get("n"));
  return {
    text: params.get("q") ?? "",
    item: params.get("like") ?? "",
    photo: params.get("photo") ? photo : null,
    lostPhoto: Boolean(params.get("photo") && !photo),
    user: params.get("user") ?? "",
    hand: params.get("filter") ?? "",
    space: params.get("space") ?? "",
    mmr: params.get("mmr") ?? "",
    exact: params.get("exact") === "1",
    plain: params.get("plain") === "1",
    mode: params.get("mode") ?? "",
    without: params.getAll("undo"),
    limit: Number.isInteger(limit) && limit > 0 ? Math.min(limit, 1000) : PAGE,
    choice: facets.read(params),
  };
}

/** The search that is asked for with what was chosen in facets; nothing where there are neither words, nor a photo, nor an item. */
function search(collection, asked, choice) {
  const query = asked.photo ? { image: asked.photo.base64 } : asked.item ? { item: asked.item } : asked.text ? { text: asked.text } : null;
  if (!query) return null;
  return {
    query,
    filter: filter(collection, asked, choice),
    mode: (query.text && asked.mode) || undefined,
    understand: query.text && !asked.plain ? { without: asked.without } : undefined,
    user: asked.user || undefined,
    space: asked.space || undefined,
    exact: asked.exact || undefined,
  };
}

const filter = (collection, asked, choice) => all(chosen(facets.typed(choice, collection)), asked.hand);

/** The hits, by search, recommendation, or as the items lie; those of a search with counts of the facets that nothing was chosen of. */
export async function hits(collection, asked, signal) {
  const { limit } = asked;
  const diversify = asked.mmr ? { mmr: Number(asked.mmr) } : undefined;
  const post_ = (route, body) => post(of(collection.name, ...route), body, { signal });
  const found = search(collection, asked, asked.choice);
  if (found) {
    const body = { ...found, limit, diversify, explain: true, highlight: Boolean(found.query.text) || undefined, facets: facets.free(collection, asked.choice) };
    const { value, tookMs } = await post_(["search"], body);
    return { ...value, roundTripMs: tookMs, request: body, kind: "search" };
  }
  const own = filter(collection, asked, asked.choice);
  if (asked.user) {
    const body = { user: asked.user, filter: own, limit, diversify };
    const { value, tookMs } = await post_(["recommend"], body);
    return { ...value, roundTripMs: tookMs, request: body, kind: "recommend" };
  }
  const body = { filter: own, limit };
  const { value, tookMs } = await post_(["items", "scroll"], body);
  return { hits: value.items.map((item) => ({ id: item.id, item })), more: Boolean(value.next_cursor), roundTripMs: tookMs, request: body, kind: "browse" };
}

/** What counts facets: of what a search matches, where there is one, else of what the filter lets through. It takes a list of what to count and what is chosen meanwhile. */
export function counting(collection, asked, signal) {
  if (!search(collection, asked, asked.choice)) {
    const one = async ([counted, choice]) => (await post(of(collection.name, "facets"), { filter: filter(collection, asked, choice), facets: counted }, { signal })).value;
    return (list) => Promise.all(list.map(one));
  }
  return async (list) => {
    if (!list.length) return [];
    const searches = list.map(([counted, choice]) => ({ collection: collection.name, search: { ...search(collection, asked, choice), limit: 1, facets: counted } }));
    const { value } = await post("multi_search", { searches }, { signal });
    return value.results.map(({ answer, problem }) => {
      if (problem) throw new Problem(problem);
      return { facets: answer.facets.fields, matching: answer.facets.items };
    });
  };
}

/** An item with all that is stored of it. */
export const item = (collection, id, signal) => get(of(collection.name, "items", id), {}, { signal });
