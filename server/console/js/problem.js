// Placeholders: errors, empty results, loading.

import { el } from "./dom.js";

/** Formats a text; parts between backticks become code. */
export function prose(text = "") {
  return text.split(/`([^`]+)`/).map((piece, at) => (at % 2 ? el("code", {}, piece) : piece));
}

/** Shows an error with pointers, details and request id; `action` is a button or nothing. */
export function problem(error, action) {
  const rows = (error.errors ?? []).map((one) => [el("dt", {}, el("code", {}, one.pointer || "/")), el("dd", {}, prose(one.detail))]);
  const where = [error.status, error.code].filter(Boolean).join(" ");
  return el(
    "div",
    { class: "problem", role: "alert" },
    el("strong", {}, titles[error.status] ?? "Request failed"),
    rows.length ? el("dl", {}, rows) : el("p", {}, prose(error.detail || error.message)),
    el("p", { class: "fine" }, where, error.requestId ? [" · request ", el("code", {}, error.requestId)] : null),
    action,
  );
}

const titles = {
  0: "No response",
  400: "Invalid request",
  401: "API key required",
  403: "The key does not allow this",
  404: "Not found",
  409: "Conflict",
  413: "Request too large",
  429: "The server is busy",
  503: "The server has no encoders",
  504: "Timeout",
};

/** Shows that there is nothing, with a hint. */
export function empty(title, ...more) {
  return el("div", { class: "empty" }, el("strong", {}, title), more.map((line) => (typeof line === "string" ? el("p", {}, prose(line)) : line)));
}

/** Gray placeholders while loading. */
export function waiting(places = 8) {
  return Array.from({ length: places }, () => el("li", { class: "card ghost", "aria-hidden": "true" }, el("div", { class: "picture" }), el("div", { class: "line" }), el("div", { class: "line less" })));
}
