// Builds the requests of the address.

import { get, of, post, Problem } from "./api.js";
import * as facets from "./facets.js";
import { all, chosen } from "./filter.js";

/** Hits of the first page. */
export const PAGE = 24;

/** Image of the current search. It is too large for an address, so links to image searches cannot be shared. */
let image = null;
export const currentImage = () => image;
export function setImage(next) {
  if (image) URL.revokeObjectURL(image.url);
  image = next;
}

/** Reads an image file as base64, as the API expects it. */
export async function readImage(file) {
  const MAX_BYTES = 20 * 1024 * 1024;
  if (file.size > MAX_BYTES) throw new Error(`${file.name || "The image"} is larger than 20 MiB; choose a smaller one.`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return { name: file.name || "image", base64: btoa(text), url: URL.createObjectURL(file) };
}

/** Parses the parameters of the address. */
export function read(params) {
  const limit = Number(params.get("n"));
  return {
    text: params.get("q") ?? "",
    item: params.get("like") ?? "",
    image: params.get("image") ? image : null,
    lostImage: Boolean(params.get("image") && !image),
    user: params.get("user") ?? "",
    hand: params.get("filter") ?? "",
    space: params.get("space") ?? "",
    mmr: params.get("mmr") ?? "",
    exact: params.get("exact") === "1",
    plain: params.get("plain") === "1",
    mode: params.get("mode") ?? "",
    sort: params.get("sort") ?? "",
    without: params.getAll("undo"),
    limit: Number.isInteger(limit) && limit > 0 ? Math.min(limit, 1000) : PAGE,
    choice: facets.read(params),
  };
}

/** The search request with the facet selection; null without text, image and item. */
function search(collection, asked, choice) {
  const query = asked.image ? { image: asked.image.base64 } : asked.item ? { item: asked.item } : asked.text ? { text: asked.text } : null;
  if (!query) return null;
  return {
    query,
    filter: filter(collection, asked, choice),
    mode: (query.text && asked.mode) || undefined,
    understand: query.text && !asked.plain ? { without: asked.without } : undefined,
    user: asked.user || undefined,
    space: asked.space || undefined,
    exact: asked.exact || undefined,
    sort: sorting(asked),
  };
}

const sorting = (asked) => (asked.sort ? [asked.sort] : undefined);

const filter = (collection, asked, choice) => all(chosen(facets.typed(choice, collection)), asked.hand);

/** Loads hits by search or recommendation; a search also returns the facets without a selection. */
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
  const selected = filter(collection, asked, asked.choice);
  if (asked.user && !asked.sort) {
    const body = { user: asked.user, filter: selected, limit, diversify };
    const { value, tookMs } = await post_(["recommend"], body);
    return { ...value, roundTripMs: tookMs, request: body, kind: "recommend" };
  }
  const body = { filter: selected, limit, sort: sorting(asked), facets: facets.free(collection, asked.choice) };
  const { value, tookMs } = await post_(["search"], body);
  return { ...value, more: Boolean(value.next_cursor), roundTripMs: tookMs, request: body, kind: "browse" };
}

/** Returns a function that counts facets over the matches of the search or, without a search, of the filter. It takes a list of [facets, selection]. */
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

/** Loads an item with all stored fields. */
export const item = (collection, id, signal) => get(of(collection.name, "items", id), {}, { signal });
