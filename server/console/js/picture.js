// Images of items. An image that is not available is replaced by a tile with the item's initials.

import { el } from "./dom.js";
import { address, ask, key, of } from "./api.js";
import { titleOf } from "./format.js";

/** Numbers of the images that the server may have: URIs are not fetched. */
export function shown(item) {
  const numbered = (item.images ?? []).map((image, n) => [image, n]);
  return numbered.filter(([image]) => !image.uri).map(([, n]) => n);
}

/** A frame with image `n` of an item, or with a tile. */
export function picture(collection, item, { n = shown(item)[0], size = 320, alt = titleOf(item) } = {}) {
  const frame = el("div", { class: "picture" });
  if (n === undefined) {
    frame.append(tile(item));
    return frame;
  }
  const url = address(of(collection, "items", item.id, "images", n), { size });
  const image = el("img", { alt, decoding: "async", loading: "lazy" });
  const fail = () => frame.replaceChildren(tile(item));
  image.addEventListener("error", fail);
  frame.append(image);
  if (key.get()) whenSeen(frame, () => withKey(url, image).catch(fail));
  else image.src = url;
  return frame;
}

/** Loads an image with the API key, which an image element cannot send. */
async function withKey(url, image) {
  const blob = await (await ask(url)).blob();
  const local = URL.createObjectURL(blob);
  image.addEventListener("load", () => URL.revokeObjectURL(local), { once: true });
  image.src = local;
}

const waiting = new WeakMap();
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      waiting.get(target)?.();
      waiting.delete(target);
    }
  },
  { rootMargin: "300px" },
);

function whenSeen(frame, then) {
  waiting.set(frame, then);
  observer.observe(frame);
}

function tile(item) {
  const initials = titleOf(item).split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? "").join("");
  return el("div", { class: "tile", dataset: { hue: hash(item.category ?? item.id) % 6 }, "aria-hidden": "true" }, initials.toUpperCase());
}

function hash(text) {
  return [...text].reduce((sum, c) => (Math.imul(sum, 31) + c.codePointAt(0)) >>> 0, 7);
}
