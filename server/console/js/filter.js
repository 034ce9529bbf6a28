// Filters: the filter object of a facet selection, and its string form, to be combined with a filter typed by the user.

const NAME = /^[A-Za-z_][\w.]*$/;
const RESERVED = new Set(["AND", "OR", "NOT", "IN", "IS", "EMPTY", "EXISTS"]);

const quoted = (text) => `"${String(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
const value = (scalar) => (typeof scalar === "string" ? quoted(scalar) : String(scalar));
const field = (name) => (NAME.test(name) && !RESERVED.has(name.toUpperCase()) ? name : quoted(name));
const list = (values) => `[${values.map(value).join(", ")}]`;

function condition(one) {
  if (one.match) {
    const key = field(one.key);
    if (one.match.any) return `${key} IN ${list(one.match.any)}`;
    if (one.match.except) return `(${key} EXISTS AND ${key} NOT IN ${list(one.match.except)})`;
    return `${key} = ${value(one.match.value)}`;
  }
  if (one.range) {
    const signs = { gt: ">", gte: ">=", lt: "<", lte: "<=" };
    const bounds = Object.entries(signs).filter(([name]) => one.range[name] !== undefined);
    return bounds.map(([name, sign]) => `${field(one.key)} ${sign} ${value(one.range[name])}`).join(" AND ");
  }
  if (one.is_empty) return `${field(one.is_empty.key)} IS EMPTY`;
  return `(${text(one)})`;
}

/** Formats a filter object as a string; empty for an empty filter. */
export function text({ must = [], should = [], must_not = [] }) {
  const all = must.map(condition);
  if (should.length) all.push(`(${should.map(condition).join(" OR ")})`);
  all.push(...must_not.map((one) => `NOT (${condition(one)})`));
  return all.join(" AND ");
}

/** Filter of a facet selection: the `values` and the `ranges` of a field are alternatives. */
export function chosen({ values, ranges }) {
  const must = [];
  for (const [key, any] of Object.entries(values)) {
    if (any.length) must.push({ key, match: { any } });
  }
  for (const [key, bounds] of Object.entries(ranges)) {
    const should = bounds.map((range) => ({ key, range }));
    if (should.length === 1) must.push(should[0]);
    if (should.length > 1) must.push({ should });
  }
  return { must };
}

/** Combines filter objects and strings by AND into a string; undefined without any. */
export function all(...parts) {
  const texts = parts.map((part) => (typeof part === "string" ? part.trim() : part ? text(part) : ""));
  const given = texts.filter(Boolean);
  return given.length > 1 ? given.map((one) => `(${one})`).join(" AND ") : given[0];
}
