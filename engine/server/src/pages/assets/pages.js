// What a page does beyond itself: it stays true to what happens, shows times where its reader is, and sends a form once. Without it everything
// works as well, as of when the page was loaded.
"use strict";
(() => {
  const local = (root) => {
    const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = time.textContent;
      time.textContent = zone.format(at);
    }
  };
  local(document);
  // What a form was answered with stands at the address of the form; the page that it is about has its own.
  const here = document.querySelector("[data-here]")?.dataset.here;
  if (here && here !== location.pathname) history.replaceState(null, "", here);

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    // Disabled at once, a button would not be sent along.
    setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }), 0);
  });
  // Whoever comes back to a page that the browser kept sees it as it is now.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  let usedAt = Date.now();
  for (const kind of ["pointerdown", "keydown", "scroll"]) addEventListener(kind, () => { usedAt = Date.now(); }, { passive: true });

  const isTouched = (live) => {
    const typed = (field) => field.type !== "hidden" && field.type !== "submit" &&
      (field.tagName === "SELECT" ? [...field.options].some((o) => o.selected !== o.defaultSelected) : field.value !== field.defaultValue);
    const at = document.activeElement;
    return [...live.querySelectorAll("input, textarea, select")].some(typed) ||
      (live.contains(at) && at.matches("input, textarea, select, button, summary")) || live.querySelector("form[data-sent]") !== null;
  };
  const tell = (live) => {
    if (document.querySelector(".changed")) return;
    const told = document.createElement("p");
    told.className = "changed";
    told.setAttribute("role", "status");
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = "Show it as it is now";
    told.append("This has changed since it was shown. ", link);
    live.before(told);
  };

  let looking = false, again = false;
  const look = async () => {
    if (looking) { again = true; return; }
    looking = true;
    try {
      const live = document.getElementById("live");
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin", redirect: "manual" });
      if (answer.ok && live) {
        const now = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = now.getElementById("live");
        if (fresh && isTouched(live)) {
          if (fresh.dataset.state !== live.dataset.state) tell(live);
        } else if (fresh) {
          local(fresh);
          const place = document.activeElement?.getAttribute?.("href");
          const open = [...live.querySelectorAll("details[open][id]")].map((one) => one.id);
          live.replaceWith(document.adoptNode(fresh));
          open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
          if (place && document.activeElement === document.body) fresh.querySelector(`[href="${CSS.escape(place)}"]`)?.focus();
          document.title = now.title;
        }
      }
    } catch {
      // The server is not there for the moment; the next look finds it.
    } finally {
      looking = false;
      if (again) { again = false; setTimeout(look, 300); }
    }
  };

  // A page that nobody looks at, or that nobody has used for ten minutes, asks for nothing: a session that is not used has to end.
  const isUsed = () => document.visibilityState === "visible" && Date.now() - usedAt < 600000;
  if ("watched" in document.body.dataset) setInterval(() => { if (isUsed()) look(); }, 5000);

  const follow = async (address) => {
    let last = null;
    for (;;) {
      try {
        const headers = last === null ? {} : { "Last-Event-ID": last };
        const answer = await fetch(address, { headers, credentials: "same-origin" });
        if (answer.status === 204 || (answer.status >= 400 && answer.status < 500 && answer.status !== 429)) return;
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          const ids = value.match(/^id: \d+$/gm);
          if (ids) { last = ids.at(-1).slice(4); setTimeout(look, 150); }
        }
        look();
      } catch {
        // The connection is lost; it is made again.
      }
      await new Promise((wait) => setTimeout(wait, 3000));
    }
  };
  if (document.body.dataset.stream) follow(document.body.dataset.stream);

  // Keys. They do nothing where somebody types, none decides anything, and whoever does not want them turns them off, which this browser remembers.
  const places = [...document.querySelectorAll("nav[aria-label=Places] a")];
  const remembered = (() => { try { return localStorage; } catch { return null; } })();
  const areOn = () => remembered?.getItem("keys") !== "off";
  const lines = () => [...document.querySelectorAll("main a.card, main a.line, main .plan a, main .found a")];
  const step = (by) => {
    const all = lines(), at = all.indexOf(document.activeElement);
    all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)]?.focus();
  };
  const find = () => {
    const field = document.querySelector("form[role=search] input:not([type=hidden])");
    const folded = field?.closest("details");
    if (folded) folded.open = true;
    field?.focus();
  };
  const keys = [
    ["?", "what the keys do", () => help()],
    ["j", "to the next line", () => step(1)],
    ["k", "to the line before", () => step(-1)],
    ["/", "look for something", find],
    ...places.map((place, number) => [String(number + 1), `to ${place.textContent}`, () => place.click()]),
  ];
  const help = () => {
    document.querySelector("dialog.keys")?.remove();
    const box = document.createElement("dialog");
    box.className = "keys";
    box.setAttribute("aria-label", "Keys");
    const list = document.createElement("dl");
    for (const [key, does] of keys) {
      const name = document.createElement("dt"), told = document.createElement("dd"), cap = document.createElement("kbd");
      cap.textContent = key;
      name.append(cap);
      told.textContent = does;
      list.append(name, told);
    }
    const label = document.createElement("label"), on = document.createElement("input");
    on.type = "checkbox";
    on.checked = areOn();
    on.addEventListener("change", () => remembered?.setItem("keys", on.checked ? "on" : "off"));
    label.append(on, " keys of one letter are on");
    const close = document.createElement("button");
    close.textContent = "Close";
    close.addEventListener("click", () => box.close());
    box.append(list, label, close);
    document.body.append(box);
    box.showModal();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select, dialog")) return;
    const found = keys.find(([key]) => key === event.key);
    // The way to turn them on again stays.
    if (!found || !(areOn() || event.key === "?")) return;
    event.preventDefault();
    found[2]();
  });
})();
