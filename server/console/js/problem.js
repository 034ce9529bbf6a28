// What is shown while there is nothing, and when something went wrong.

import { el } from "./dom.js";

/** A text with what stands between backticks as code. */
export function prose(text = "") {
  return text.split(/`([^`]+)`/).map((piece, at) => (at % 2 ? el("code", {}, piece) : piece));
}

/** An error with its pointer, its detail and the id to look for in the log; `mend` is a button or nothing. */
export function problem(fault, mend) {
  const rows = (fault.errors ?? []).map((one) => [el("dt", {}, el("code", {}, one.pointer || "/")), el("dd", {}, prose(one.detail))]);
  const where = [fault.status, fault.code].filter(Boolean).join(" ");
  return el(
    "div",
    { class: "problem", role: "alert" },
    el("strong", {}, titles[fault.status] ?? "That did not work"),
    rows.length ? el("dl", {}, rows) : el("p", {}, prose(fault.detail || fault.message)),
    el("p", { class: "fine" }, where, fault.requestId ? [" · request ", el("code", {}, fault.requestId)] : null),
    mend,
  );
}

const titles = {
  0: "No answer",
  400: "The request is not understood",
  401: "A key is needed",
  403: "The key does not allow this",
  404: "Not there",
  409: "That does not fit what is there",
  413: "Too large",
  429: "The server is busy",
  503: "The server has no encoders",
  504: "It took too long",
};

/** A friendly nothing. */
export function empty(title, ...more) {
  return el("div", { class: "empty" }, el("strong", {}, title), more.map((line) => (typeof line === "string" ? el("p", {}, prose(line)) : line)));
}

/** Grey places for what is to come. */
export function waiting(places = 8) {
  return Array.from({ length: places }, () => el("li", { class: "card ghost", "aria-hidden": "true" }, el("div", { class: "picture" }), el("div", { class: "line" }), el("div", { class: "line less" })));
}
