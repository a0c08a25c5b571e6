// Adds life to pages that work without it: keeps the numbers beside the menu, and says when something new has come.
(() => {
  "use strict";
  const EVERY = 20_000, LONGEST = 300_000;
  const said = document.getElementById("live");
  const places = [...document.querySelectorAll("[data-count]")];
  const known = {}, told = new Set();
  let wait = EVERY, timer = 0, asking = false;

  const number = (place) => place.querySelector(".count");
  const written = (count) => count.toLocaleString(document.documentElement.lang);
  // texts in the page's language stand in the page
  const words = said.dataset;
  const unread = (count) => (count === 1 ? words.one : words.many);

  const draw = (place, count) => {
    let badge = number(place);
    if (!count) return badge && badge.remove();
    if (!badge) {
      badge = document.createElement("span");
      badge.className = "count";
      place.append(" ", badge);
    }
    const what = document.createElement("span");
    what.className = "unseen";
    what.textContent = ` ${unread(count)}`;
    badge.replaceChildren(written(count), what);
  };

  // One line for all that has grown; what was read elsewhere meanwhile is no news any more.
  const tell = () => {
    const parts = places.filter((place) => told.has(place)).flatMap((place) => {
      const here = place.getAttribute("aria-current") === "page";
      const link = document.createElement("a");
      link.href = here ? location.href.split("#")[0] : place.getAttribute("href");
      link.textContent = here ? words.again : words.show.replace("{what}", () => place.dataset.label.toLowerCase());
      const count = known[place.dataset.count];
      const facts = { what: place.dataset.label, count: written(count), unread: unread(count) };
      return [`${words.news.replace(/\{(\w+)\}/g, (_, name) => facts[name])} `, link, " "];
    });
    said.replaceChildren(...parts);
    said.hidden = !parts.length;
  };

  const take = (counts) => {
    let changed = false;
    for (const place of places) {
      const name = place.dataset.count, count = counts[name];
      if (count === null || count === undefined || count === known[name]) continue;
      draw(place, count);
      if (count > known[name]) told.add(place);
      else told.delete(place);
      known[name] = count;
      changed = true;
    }
    if (changed) tell();
  };

  const look = async () => {
    if (asking) return;
    asking = true;
    try {
      const answer = await fetch("/live", { redirect: "manual", cache: "no-store" });
      // signed out, or no such page any more: there is nothing to wait for
      if (answer.type === "opaqueredirect" || (answer.status >= 400 && answer.status < 429)) return;
      if (!answer.ok) throw new Error(answer.status);
      take(await answer.json());
      wait = EVERY;
    } catch {
      wait = Math.min(wait * 2, LONGEST);
    } finally {
      asking = false;
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
