// Formatting of numbers, prices and names.

const whole = new Intl.NumberFormat("en");
const cents = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (n) => whole.format(n);
export const short = (n) => (Math.abs(n) < 10_000 ? whole.format(n) : compact.format(n));
export const share = (x, digits = 1) => `${(100 * x).toFixed(digits)} %`;
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** Formats a number with significant digits. */
export function figure(x, digits = 3) {
  if (!Number.isFinite(x)) return "";
  const size = Math.abs(x);
  if (size >= 1000) return whole.format(Math.round(x));
  return String(Number(size < 1 ? x.toFixed(digits + 1) : x.toPrecision(digits + 1)));
}

/** Formats a score with enough digits for comparison: scores of rank fusion are small. */
export const score = (x) => x.toFixed(Math.abs(x) < 0.1 ? 4 : 3);

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) [n, at] = [n / 1024, at + 1];
  return `${n < 10 && at ? n.toFixed(1) : Math.round(n)} ${units[at]}`;
}

export function milliseconds(ms) {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

export function price({ amount, currency }) {
  if (currency) {
    try {
      return new Intl.NumberFormat("en", { style: "currency", currency }).format(amount);
    } catch {
      // The browser does not know the currency.
      return `${cents.format(amount)} ${currency}`;
    }
  }
  return cents.format(amount);
}

export function time(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? text : at.toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
}

/** Last level of a category. */
export const leaf = (category) => category?.split(" > ").at(-1) ?? "";

/** Formats an identifier such as `in_stock` as words. */
export const words = (name) => name.replaceAll("_", " ");

export const titleOf = (item) => item.title || item.id;
