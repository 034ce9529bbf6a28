// Charts of evaluation reports.

import { el, svg } from "./dom.js";
import { figure } from "./format.js";

const ROW = 30;

/** Sizes in drawing units; smaller on phones, so that text stays readable. */
const frame = () => (matchMedia("(max-width: 40rem)").matches ? { width: 370, left: 118, right: 66, most: 17 } : { width: 640, left: 190, right: 90, most: 26 });

/** Tick marks of an axis: round numbers between two bounds. */
export function marks(low, high, about = 5) {
  const span = high - low || 1;
  const power = 10 ** Math.floor(Math.log10(span / about));
  const step = power * [1, 2, 5, 10].find((s) => span / (power * s) <= about);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, n) => Number(((first + n) * step).toPrecision(12)));
}

function cut(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** Draws a value with its interval per row: `{name, mean, low, high, kind}`. With `zero`, a line at 0. */
export function intervals(rows, { label, zero = false }) {
  const { width, left, right, most } = frame();
  const values = rows.flatMap((row) => [row.low, row.high]);
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  const room = (high - low || 1) * 0.04;
  const [from, to] = [low < 0 ? low - room : 0, high + room];
  const x = (value) => left + ((value - from) / (to - from)) * (width - left - right);
  const height = rows.length * ROW + 26;
  const grid = marks(from, to, width / 130).map((mark) => [svg("line", { class: "gridline", x1: x(mark), x2: x(mark), y1: 4, y2: height - 22 }), svg("text", { class: "tick", x: x(mark), y: height - 6, "text-anchor": "middle" }, figure(mark))]);
  const drawn = rows.map((row, n) => {
    const y = n * ROW + ROW / 2 + 4;
    return svg(
      "g",
      { class: "series", "data-kind": row.kind },
      svg("title", {}, `${row.name}: ${figure(row.mean)} (${figure(row.low)} to ${figure(row.high)})`),
      svg("text", { class: "name", x: left - 12, y: y + 4, "text-anchor": "end" }, cut(row.name, most)),
      svg("line", { class: "whisker", x1: x(row.low), x2: x(row.high), y1: y, y2: y }),
      svg("circle", { cx: x(row.mean), cy: y, r: 5 }),
      svg("text", { class: "value", x: x(row.high) + 10, y: y + 4 }, `${zero && row.mean > 0 ? "+" : ""}${figure(row.mean)}`),
    );
  });
  const line = zero ? svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 4, y2: height - 22 }) : null;
  return figureOf(label, svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": describe(label, rows) }, grid, line, drawn));
}

/** Draws lines over bins: `series` are `{name, kind, values}`, one value per bin; missing values are gaps. */
export function lines(bins, series, { label }) {
  const { width } = frame();
  const [height, top, bottom, left] = [230, 12, 42, 54];
  const high = Math.max(...series.flatMap((one) => one.values.filter(Number.isFinite)), 1e-9) * 1.08;
  const x = (n) => left + ((n + 0.5) / bins.length) * (width - left - 12);
  const y = (value) => height - bottom - (value / high) * (height - bottom - top);
  const grid = marks(0, high, 4).map((mark) => [svg("line", { class: "gridline", x1: left, x2: width - 12, y1: y(mark), y2: y(mark) }), svg("text", { class: "tick", x: left - 8, y: y(mark) + 4, "text-anchor": "end" }, figure(mark))]);
  const names = bins.map(({ name, note }, n) => [svg("text", { class: "name", x: x(n), y: height - 22, "text-anchor": "middle" }, name), svg("text", { class: "tick", x: x(n), y: height - 6, "text-anchor": "middle" }, note)]);
  const drawn = series.map((one) => {
    const known = one.values.map((value, n) => ({ value, bin: bins[n].name, cx: x(n), cy: y(value) })).filter(({ value }) => Number.isFinite(value));
    const line = svg("polyline", { points: known.map(({ cx, cy }) => `${cx},${cy}`).join(" ") });
    const dots = known.map(({ value, bin, cx, cy }) => svg("circle", { cx, cy, r: 4 }, svg("title", {}, `${one.name}, ${bin}: ${figure(value)}`)));
    return svg("g", { class: "series", "data-kind": one.kind }, line, dots);
  });
  return figureOf(label, svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": describe(label, series) }, grid, names, drawn));
}

function describe(label, rows) {
  return `${label}: ${rows.map((row) => `${row.name} ${row.mean === undefined ? row.values.map((v) => figure(v)).join(", ") : figure(row.mean)}`).join("; ")}`;
}

function figureOf(label, drawing) {
  return el("figure", { class: "chart" }, el("figcaption", {}, label), drawing);
}

/** Legend of the series. */
export function legend(series) {
  return el("ul", { class: "legend" }, series.map((one) => el("li", {}, el("span", { class: "dot", dataset: { kind: one.kind } }), one.name)));
}
