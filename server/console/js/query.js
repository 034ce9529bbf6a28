// From the address to the requests that answer it.

import { get, of, post } from "./api.js";
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
    without: params.getAll("undo"),
    limit: Number.isInteger(limit) && limit > 0 ? Math.min(limit, 1000) : PAGE,
    choice: facets.read(params),
  };
}

/** What the words of a query mean; nothing where there are none or where they are to be taken as they are. */
export async function understand(collection, asked, signal) {
  if (!asked.text || asked.plain) return null;
  const { value } = await post(of(collection.name, "understand"), { text: asked.text, without: asked.without }, { signal });
  return value;
}

/** Everything that has to hold beside what was chosen in facets. */
export const beside = (asked, understood) => all(understood?.filter, asked.hand);

/** The hits, by search, recommendation, or as the items lie. */
export async function hits(collection, asked, understood, signal) {
  const filter = all(chosen(facets.typed(asked.choice, collection)), beside(asked, understood));
  const { limit } = asked;
  const diversify = asked.mmr ? { mmr: Number(asked.mmr) } : undefined;
  const post_ = (route, body) => post(of(collection.name, ...route), body, { signal });
  const query = asked.photo ? { image: asked.photo.base64 } : asked.item ? { item: asked.item } : asked.text ? { text: understood?.text || asked.text } : null;
  if (query) {
    const body = { query, filter, limit, explain: true, highlight: Boolean(query.text) || undefined, diversify, user: asked.user || undefined, space: asked.space || undefined, exact: asked.exact || undefined };
    const { value, tookMs } = await post_(["search"], body);
    return { ...value, roundTripMs: tookMs, request: body, kind: "search" };
  }
  if (asked.user) {
    const body = { user: asked.user, filter, limit, diversify };
    const { value, tookMs } = await post_(["recommend"], body);
    return { ...value, roundTripMs: tookMs, request: body, kind: "recommend" };
  }
  const body = { filter, limit };
  const { value, tookMs } = await post_(["items", "scroll"], body);
  return { hits: value.items.map((item) => ({ id: item.id, item })), more: Boolean(value.next_cursor), roundTripMs: tookMs, request: body, kind: "browse" };
}

/** An item with all that is stored of it. */
export const item = (collection, id, signal) => get(of(collection.name, "items", id), {}, { signal });
