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

if (live()) setInterval(() => refresh().catch(() => {}), 3000);
