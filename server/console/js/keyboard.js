// Keyboard shortcuts outside of input fields.

const typing = (target) => target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");

/** Registers `actions` by key; two keys in sequence are looked up as `g s`. */
export function listen(actions) {
  let before = "";
  let since = 0;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const both = Date.now() - since < 1500 && before ? `${before} ${event.key}` : "";
    const action = actions[both] ?? actions[event.key];
    [before, since] = [event.key, Date.now()];
    if (!action) return;
    event.preventDefault();
    before = "";
    action();
  });
}
