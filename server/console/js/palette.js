// Colours of kinds, told apart also by people who see few of them (after Paul Tol's schemes). The numbers are those of
// `--k0` and on in views.css.

export const KINDS = 10;

/** A kind's colour number by name: the most frequent first, all after the last share the grey one. */
export function ranked(names) {
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return sorted.map(([name, count], at) => ({ name, count, kind: Math.min(at, KINDS) }));
}

/** The colours as the theme has them now; the last one is that of all others. */
export function colours(node) {
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
