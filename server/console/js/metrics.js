// Parser of the Prometheus text format, as far as the console needs it.

/** Parses samples: `{name, labels, value}`. */
export function parse(text) {
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  return lines.flatMap((line) => {
    const [, name, labels, value] = /^([^\s{]+)(?:\{(.*)\})?\s+(\S+)$/.exec(line) ?? [];
    if (!name) return [];
    const pairs = [...(labels ?? "").matchAll(/([\w]+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, of]) => [key, of]);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value.replace("+Inf", "Infinity")) }];
  });
}

/** The value of a gauge without labels. */
export const one = (samples, name) => samples.find((sample) => sample.name === name)?.value;

/** Requests, failures, and upper bounds of the median and 95th percentile by route, busiest first. */
export function routes(samples) {
  const by = new Map();
  const of = (labels) => {
    const name = `${labels.method} ${labels.route}`;
    if (!by.has(name)) by.set(name, { name, count: 0, seconds: 0, buckets: [], failures: 0 });
    return by.get(name);
  };
  for (const { name, labels, value } of samples) {
    if (name === "vitrine_http_request_seconds_bucket") of(labels).buckets.push([Number(labels.le.replace("+Inf", "Infinity")), value]);
    if (name === "vitrine_http_request_seconds_count") of(labels).count = value;
    if (name === "vitrine_http_request_seconds_sum") of(labels).seconds = value;
    if (name === "vitrine_http_requests_total" && labels.status >= "500") of(labels).failures += value;
  }
  const all = [...by.values()].filter((route) => route.count);
  for (const route of all) {
    route.buckets.sort((a, b) => a[0] - b[0]);
    const bound = (part) => route.buckets.find(([, n]) => n >= part * route.count)?.[0];
    Object.assign(route, { p50: bound(0.5), p95: bound(0.95) });
  }
  return all.sort((a, b) => b.count - a.count);
}
