// Colorblind-safe colors of categories (after Paul Tol's schemes). The numbers are those of `--k0` and
// following in views.css.

export const KINDS = 10;

/** Color number by name: most frequent first; all beyond the last color share the gray one. */
export function ranked(names) {
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return sorted.map(([name, count], at) => ({ name, count, kind: Math.min(at, KINDS) }));
}

/** The colors of the current theme; the last one is for all others. */
export function colors(node) {
  const style = getComputedStyle(node);
  const names = [...Array.from({ length: KINDS }, (_, n) => `--k${n}`), "--k-other"];
  const probe = document.createElement("span");
  node.append(probe);
  const found = names.map((name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return { kinds: found, ink: style.color, ground: style.backgroundColor };
}
