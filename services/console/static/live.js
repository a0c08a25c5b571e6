// Adds life to pages that work without it: keeps the numbers beside the menu, and says when something new has come.
(() => {
  "use strict";
  const EVERY = 20_000, LONGEST = 300_000;
  const said = document.getElementById("live");
  const places = [...document.querySelectorAll("[data-count]")];
  const known = {};
  let wait = EVERY, timer = 0;

  const number = (place) => place.querySelector(".count");

  const draw = (place, count) => {
    let badge = number(place);
    if (!count) return badge && badge.remove();
    if (!badge) {
      badge = document.createElement("span");
      badge.className = "count";
      place.append(" ", badge);
    }
    const unread = document.createElement("span");
    unread.className = "unseen";
    unread.textContent = " unread";
    badge.replaceChildren(String(count), unread);
  };

  const tell = (place, count) => {
    const here = place.getAttribute("aria-current") === "page";
    const link = document.createElement("a");
    link.href = here ? location.href.split("#")[0] : place.getAttribute("href");
    link.textContent = here ? "Load the page again" : "Show";
    said.replaceChildren(`${place.dataset.label}: ${count} unread. `, link);
    said.hidden = false;
  };

  const look = async () => {
    try {
      const answer = await fetch("/live", { redirect: "manual", cache: "no-store" });
      // signed out, or no such page any more: there is nothing to wait for
      if (answer.type === "opaqueredirect" || (answer.status >= 400 && answer.status < 429)) return;
      if (!answer.ok) throw new Error(answer.status);
      const counts = await answer.json();
      for (const place of places) {
        const count = counts[place.dataset.count];
        if (count === null || count === undefined) continue;
        draw(place, count);
        if (count > known[place.dataset.count]) tell(place, count);
        known[place.dataset.count] = count;
      }
      wait = EVERY;
    } catch {
      wait = Math.min(wait * 2, LONGEST);
    }
    later();
  };

  const later = () => {
    clearTimeout(timer);
    // a page that nobody looks at asks nothing
    if (!document.hidden) timer = setTimeout(look, wait);
  };

  for (const place of places) known[place.dataset.count] = parseInt(number(place)?.firstChild?.textContent.replace(/\D/g, "") ?? "0", 10) || 0;
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
  later();
})();
