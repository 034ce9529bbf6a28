// Runs before the page is drawn, so that it is not drawn twice: light, dark or the system setting.
(() => {
  const kept = localStorage.getItem("vitrine.theme");
  if (kept) document.documentElement.dataset.theme = kept;
})();
