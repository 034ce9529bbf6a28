// Requests to the server. All errors are `Problem`s (RFC 9457), including network errors.

const BASE = new URL("../v1/", document.baseURI);
const KEY = "vitrine.key";

/** An error response: detail, pointers, and the request id in the server log. */
export class Problem extends Error {
  constructor({ status = 0, code = "network", detail = "", errors = [], request_id = "" }) {
    super(detail);
    Object.assign(this, { status, code, detail, errors, requestId: request_id });
  }
}

/** The API key, stored for this tab only. */
export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

/** Path of a collection route, with escaped parts. */
export function of(collection, ...parts) {
  return ["collections", collection, ...parts].map(encodeURIComponent).join("/");
}

/** URL of a route below `/v1`. */
export function address(path, params = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

/** Requests a URL, with the API key if there is one. */
export async function ask(url, options = {}) {
  const headers = new Headers(options.headers);
  if (key.get()) headers.set("authorization", `Bearer ${key.get()}`);
  let answer;
  try {
    answer = await fetch(url, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: "The server cannot be reached. Is it running?" });
  }
  if (answer.ok) return answer;
  let problem = {};
  try {
    problem = await answer.json();
    // Routes of the OpenAI API have errors in its form.
    if (problem.error) problem = { code: problem.error.code, detail: problem.error.message };
  } catch {
    problem = { detail: `The server responded with status ${answer.status} without details.` };
  }
  throw new Problem({ code: "error", ...problem, status: answer.status });
}

/** GET of JSON. */
export async function get(path, params, options) {
  return (await ask(address(path, params), options)).json();
}

/** POST of JSON; `tookMs` is the round-trip time. */
export async function post(path, body, options = {}) {
  const started = performance.now();
  const headers = { "content-type": "application/json" };
  const answer = await ask(address(path), { method: "POST", headers, body: JSON.stringify(body), ...options });
  const value = await answer.json();
  return { value, tookMs: performance.now() - started };
}
