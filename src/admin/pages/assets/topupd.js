// Without this script every page works all the same; with it, lists stay fresh.
"use strict";

// A choice of language or theme leads back to where it was made.
for (const field of document.querySelectorAll("[data-here]")) {
  field.value = location.pathname + location.search;
}

const live = () => document.querySelector("[data-live]");
let shown = live()?.innerHTML;

// Nothing is taken from under somebody's hands.
const isBusy = () => {
  const active = document.activeElement;
  return document.hidden || (active && active.closest("[data-live] form, [data-live] [data-hold]"));
};

async function refresh() {
  if (isBusy()) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-live]");
  if (!fresh || isBusy() || fresh.innerHTML === shown) return;
  shown = fresh.innerHTML;
  live().replaceWith(fresh);
}

// News asks for a look, not for one each: a burst is one. Without news the times still go on, and
// where no news can come, a look every few seconds stands in for it.
if (live()) {
  let wanted = 0;
  const look = () => refresh().catch(() => {});
  const soon = () => {
    clearTimeout(wanted);
    wanted = setTimeout(look, 200);
  };
  const news = new EventSource("/events");
  for (const kind of ["topup", "notice", "subscription", "money", "resync"]) news.addEventListener(kind, soon);
  let quiet = 0;
  setInterval(() => {
    quiet = news.readyState === EventSource.OPEN ? quiet + 1 : 10;
    if (quiet < 10) return;
    quiet = 0;
    look();
  }, 3000);
}
