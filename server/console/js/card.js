// Cards of a result grid.

import { el } from "./dom.js";
import { bar } from "./bars.js";
import { leaf, price, score, titleOf, words } from "./format.js";
import * as highlight from "./highlight.js";
import { picture } from "./picture.js";

/** Brand and category in one line. */
export function facts(item) {
  return [item.brand, leaf(item.category)].filter(Boolean).join(" · ");
}

/** The same with matched words marked. */
function markedFacts(hit) {
  const brand = highlight.of(hit, "brand");
  const category = leaf(hit.item.category);
  return brand ? [brand, category ? ` · ${category}` : null] : facts(hit.item);
}

/** Name of the variant that matched, or its options. */
function variantOf(variant) {
  const options = Object.entries(variant.attributes ?? {}).filter(([name]) => name !== "sku" && name !== "gtin");
  return variant.title ?? (options.map(([, value]) => value).join(" · ") || variant.id);
}

/** A card; calls `open` with the item id. Unranked items have no score. */
export function card(collection, hit, { most, open }) {
  const { item } = hit;
  const ranked = hit.score !== undefined;
  const asked = hit.offer?.price ?? item.price;
  const stock = item.availability && item.availability !== "in_stock" ? el("span", { class: "badge" }, words(item.availability)) : null;
  const body = el(
    "button",
    { class: "card", type: "button", dataset: { id: item.id }, on: { click: () => open(item.id) } },
    picture(collection, item),
    el(
      "span",
      { class: "about" },
      el("span", { class: "title" }, highlight.of(hit, "title") ?? titleOf(item)),
      el("span", { class: "facts" }, markedFacts(hit)),
      hit.offer?.variant ? el("span", { class: "facts" }, variantOf(hit.offer.variant)) : null,
      highlight.isMarked(hit, "description") ? el("span", { class: "snippet" }, highlight.of(hit, "description")) : null,
      el("span", { class: "row" }, asked ? el("span", { class: "price" }, price(asked)) : null, stock, ranked ? el("span", { class: "score", title: "Score" }, score(hit.score)) : null),
      ranked ? bar(hit, most) : null,
      hit.reason ? el("span", { class: "reason" }, hit.reason.text) : null,
    ),
  );
  return el("li", {}, body);
}

/** Moves between the cards of a list by arrow keys, by rows and columns as displayed. */
export function arrows(list) {
  list.addEventListener("keydown", (event) => {
    const cards = [...list.querySelectorAll("button.card")];
    const at = cards.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(cards), ArrowUp: -columns(cards), Home: -at, End: cards.length - 1 - at }[event.key];
    if (at < 0 || step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const next = cards[at + step];
    if (next) {
      next.focus();
      next.scrollIntoView({ block: "nearest" });
    }
  });
}

function columns(cards) {
  const top = cards[0]?.offsetTop;
  const next = cards.findIndex((one) => one.offsetTop !== top);
  return next < 0 ? cards.length : next;
}
