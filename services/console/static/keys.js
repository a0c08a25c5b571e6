// Single keys beside what the mouse does: to the search, along the rows of a list, and a list of the keys themselves.
(() => {
  "use strict";
  const OFF = "ordertrail.keys.off";
  const help = document.getElementById("keys");
  const opener = document.getElementById("keys-button");
  const works = document.getElementById("keys-work");
  const isOff = () => {
    try {
      return localStorage.getItem(OFF) !== null;
    } catch {
      return false;
    }
  };
  // Who speaks to the browser, or hits keys unawares, turns them off; that is of this browser.
  const remember = (on) => {
    try {
      if (on) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "1");
    } catch {
      // a browser that keeps nothing forgets this with the page
    }
    off = !on;
  };
  let off = isOff();

  const show = () => {
    works.checked = !off;
    if (!help.open) help.showModal();
  };

  const search = () => document.querySelector("main [role=search] input[type=search]")?.focus();

  const along = (step) => {
    const rows = [...document.querySelectorAll("main table.list tbody tr")];
    const links = rows.map((row) => row.querySelector("th a, a")).filter(Boolean);
    if (!links.length) return;
    const row = document.activeElement?.closest("tr");
    const here = links.findIndex((link) => link.closest("tr") === row);
    const next = here < 0 ? (step > 0 ? 0 : links.length - 1) : here + step;
    const link = links[Math.max(0, Math.min(next, links.length - 1))];
    link.focus();
    link.scrollIntoView({ block: "nearest" });
  };

  const keys = { "/": search, j: () => along(1), k: () => along(-1), "?": show };
  // where letters are written they are letters
  const writes = (place) => place.isContentEditable || (place.matches("input, select, textarea") && !place.matches("[type=checkbox], [type=radio]"));

  document.addEventListener("keydown", (event) => {
    if (off || help.open || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const act = keys[event.key];
    if (!act || writes(event.target)) return;
    event.preventDefault();
    act();
  });
  works.addEventListener("change", () => remember(works.checked));
  opener.addEventListener("click", show);
  opener.hidden = false;
})();
