// Before the page is drawn, so that it is not drawn twice: light, dark, or as the system has it.
(() => {
  const kept = localStorage.getItem("vitrine.theme");
  if (kept) document.documentElement.dataset.theme = kept;
})();
