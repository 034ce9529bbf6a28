// Scatter plot on a canvas with zoom, pan and keyboard navigation, independent of the data.

import { el } from "./dom.js";
import { colors } from "./palette.js";

const NEAR = 14;
const MAX_ZOOM = 200;

/** Creates a plot of `{x, y, kind, label}`. Calls `hover(point, at)` with a point or null, `follow(at)`
 * when the point has moved, `open(point)` when it was chosen. */
export function scatter({ label, hover, follow, open }) {
  const canvas = el("canvas", { tabindex: "0", role: "application", "aria-label": label });
  const node = el("div", { class: "scatter" }, canvas);
  const pen = canvas.getContext("2d");
  let points = [];
  let labels = [];
  let hidden = new Set();
  let lit = null;
  let chosen = null;
  let [width, height] = [0, 0];
  let fit = { scale: 1, x: 0, y: 0 };
  let view = { zoom: 1, x: 0, y: 0 };
  let frame = 0;
  let paint = null;

  const shown = () => points.filter((point) => !hidden.has(point.name));
  const at = (point) => [(point.x - fit.x) * fit.scale * view.zoom + width / 2 + view.x, height / 2 - (point.y - fit.y) * fit.scale * view.zoom + view.y];
  const ask = () => (frame ||= requestAnimationFrame(draw));

  function measure() {
    if (!points.length) return;
    const [xs, ys] = [points.map((p) => p.x), points.map((p) => p.y)];
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const room = 0.88;
    const by = (size, span) => (span > 0 ? (size * room) / span : Infinity);
    const scale = Math.min(by(width, right - left), by(height, high - low));
    fit = { scale: Number.isFinite(scale) ? scale : 1, x: (left + right) / 2, y: (low + high) / 2 };
  }

  function draw() {
    frame = 0;
    const { kinds, ink, ground } = (paint ??= colors(node));
    const ratio = devicePixelRatio || 1;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const size = Math.min(9, Math.max(2.5, 60 / Math.sqrt(points.length + 1)) * Math.sqrt(view.zoom) ** 0.6);
    for (const point of shown()) {
      const [x, y] = at(point);
      if (x < -size || y < -size || x > width + size || y > height + size) continue;
      pen.globalAlpha = lit && lit !== point.name ? 0.12 : 0.78;
      pen.fillStyle = kinds[point.kind];
      pen.beginPath();
      pen.arc(x, y, size, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    if (chosen) {
      const [x, y] = at(chosen);
      pen.strokeStyle = ink;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(x, y, size + 3, 0, 7);
      pen.stroke();
      follow([x, y]);
    }
    write(ink, ground);
  }

  /** Draws names at the middle of their points, unless they overlap. */
  function write(ink, ground) {
    if (lit) return;
    pen.font = "600 13px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.lineJoin = "round";
    const taken = [];
    for (const one of labels) {
      if (hidden.has(one.name)) continue;
      const [x, y] = at(one);
      const half = pen.measureText(one.text).width / 2 + 4;
      const box = [x - half, y - 10, x + half, y + 10];
      if (taken.some((b) => box[0] < b[2] && box[2] > b[0] && box[1] < b[3] && box[3] > b[1])) continue;
      taken.push(box);
      pen.strokeStyle = ground;
      pen.lineWidth = 4;
      pen.strokeText(one.text, x, y + 4);
      pen.fillStyle = ink;
      pen.fillText(one.text, x, y + 4);
    }
  }

  function zoom(factor, x = width / 2, y = height / 2) {
    const next = Math.min(MAX_ZOOM, Math.max(0.5, view.zoom * factor));
    const by = next / view.zoom;
    const [dx, dy] = [x - width / 2, y - height / 2];
    view = { zoom: next, x: dx - (dx - view.x) * by, y: dy - (dy - view.y) * by };
    ask();
  }

  function pan(dx, dy) {
    view = { ...view, x: view.x + dx, y: view.y + dy };
    ask();
  }

  function reset() {
    view = { zoom: 1, x: 0, y: 0 };
    ask();
  }

  function nearest(x, y, most = Infinity, may = () => true) {
    let best = null;
    let least = most;
    for (const point of shown()) {
      const [px, py] = at(point);
      const distance = Math.hypot(px - x, py - y);
      if (distance < least && may(px - x, py - y)) [best, least] = [point, distance];
    }
    return best;
  }

  function choose(point) {
    if (chosen === point) return;
    chosen = point;
    hover(point, point ? at(point) : null);
    ask();
  }

  // Pointers: one drags, two pinch; a click opens.
  const down = new Map();
  let moved = 0;
  const place = (event) => [event.offsetX, event.offsetY];
  canvas.addEventListener("pointerdown", (event) => {
    if (!down.size) moved = 0;
    down.set(event.pointerId, place(event));
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    const before = down.get(event.pointerId);
    if (!before) return choose(nearest(x, y, NEAR));
    const others = [...down].filter(([id]) => id !== event.pointerId).map(([, where]) => where);
    down.set(event.pointerId, [x, y]);
    moved += Math.hypot(x - before[0], y - before[1]);
    if (others.length) {
      const [ox, oy] = others[0];
      const spread = (p) => Math.max(1, Math.hypot(p[0] - ox, p[1] - oy));
      zoom(spread([x, y]) / spread(before), (x + ox) / 2, (y + oy) / 2);
    } else if (moved > 3) {
      choose(null);
      pan(x - before[0], y - before[1]);
    }
  });
  const up = (event) => {
    const wasDown = down.delete(event.pointerId);
    if (event.type !== "pointerup" || !wasDown || moved > 3) return;
    const [x, y] = place(event);
    const point = nearest(x, y, event.pointerType === "touch" ? NEAR * 1.6 : NEAR);
    choose(point);
    if (point) open(point);
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => down.size || choose(null));
  canvas.addEventListener("wheel", (event) => (event.preventDefault(), zoom(Math.exp(-event.deltaY * 0.0016), ...place(event))), { passive: false });
  canvas.addEventListener("dblclick", (event) => zoom(2, ...place(event)));

  const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    if (step && event.shiftKey) pan(-step[0] * 60, -step[1] * 60);
    else if (step) walk(step);
    else if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else if (event.key === "0") reset();
    else if (event.key === "Enter" && chosen) open(chosen);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  /** To the nearest point that lies more in this direction than beside it. */
  function walk([sx, sy]) {
    const [x, y] = chosen ? at(chosen) : [width / 2, height / 2];
    const ahead = (dx, dy) => dx * sx + dy * sy > Math.abs(dx * sy) + Math.abs(dy * sx);
    const next = chosen ? nearest(x, y, Infinity, ahead) : nearest(x, y);
    if (!next) return;
    const [nx, ny] = at(next);
    if (nx < 20 || ny < 20 || nx > width - 20 || ny > height - 20) pan(width / 2 - nx, height / 2 - ny);
    choose(next);
  }

  const resized = new ResizeObserver(() => {
    [width, height] = [node.clientWidth, node.clientHeight];
    const ratio = devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    measure();
    ask();
  });
  resized.observe(node);
  const repaint = () => ((paint = null), ask());
  const themed = new MutationObserver(repaint);
  themed.observe(document.documentElement, { attributes: true });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", repaint);

  return {
    node,
    zoom,
    reset,
    show(all, named) {
      [points, labels, chosen, hidden] = [all, named, null, new Set()];
      measure();
      reset();
    },
    hide(names) {
      hidden = names;
      ask();
    },
    light(name) {
      lit = name;
      ask();
    },
    close() {
      resized.disconnect();
      themed.disconnect();
      dark.removeEventListener("change", repaint);
    },
  };
}
