// Photos of items. A photo that cannot be had leaves a tile with the item's initials in its place.

import { el } from "./dom.js";
import { address, ask, key, of } from "./api.js";
import { titleOf } from "./format.js";

/** Photos that the server may have: web addresses are fetched by nobody. */
export function shown(item) {
  const numbered = (item.images ?? []).map((image, n) => [image, n]);
  return numbered.filter(([image]) => !image.uri).map(([, n]) => n);
}

/** A frame with photo `n` of an item, or with its tile. */
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

/** A photo's address can carry no key, so its bytes are asked for. */
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
