/* The calendar beyond links: keys, releases that are dragged or pushed about, a look at what that does before it is done. */
(() => {
  "use strict";
  const MINUTE = 60000, DAY = 86400000, STEP = 15;
  const calendar = () => document.getElementById("calendar");
  const dialog = document.getElementById("cal-dialog");
  const says = document.getElementById("cal-says");
  const say = (words) => { says.textContent = words; };
  const token = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] || document.querySelector("[name=csrfmiddlewaretoken]")?.value || "";

  /* Times on the wall, as if they were UTC: the server knows the zone. */
  const wall = (text) => (text ? new Date(`${text}Z`) : null);
  const written = (moment) => moment.toISOString().slice(0, 16);
  const dayOf = (moment) => moment.toISOString().slice(0, 10);
  const plus = (moment, by) => new Date(moment.getTime() + by);
  const NAMES = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  const view = () => calendar().dataset.view;
  const inHours = (tile) => tile.parentElement.classList.contains("blocks");

  /* What is being moved: its tile, where it was, where it would be. */
  let lifted = null;

  function lift(tile) {
    drop();
    const start = wall(tile.dataset.start), end = wall(tile.dataset.end);
    lifted = { tile, start, end, from: { start, end }, resized: false };
    all(tile).forEach((one) => one.classList.add("is-lifted"));
  }
  function drop() {
    if (!lifted) return;
    all(lifted.tile).forEach((one) => one.classList.remove("is-lifted"));
    show(null);
    lifted = null;
    if (missed) globalThis.htmx?.trigger(calendar(), "live");
    missed = false;
  }
  /* What changes meanwhile is shown afterwards, so that nothing slips from under the hand. */
  let missed = false;
  document.addEventListener("live", (event) => {
    if (!lifted || event.target !== calendar()) return;
    event.stopImmediatePropagation();
    missed = true;
  }, true);
  const all = (tile) => calendar().querySelectorAll(`.tile[data-pk="${tile.dataset.pk}"]`);

  function shift(by) {
    lifted.start = plus(lifted.from.start, by);
    lifted.end = lifted.from.end && plus(lifted.from.end, by);
    tell();
  }
  function stretch(by) {
    const end = plus(lifted.from.end || lifted.from.start, by);
    lifted.end = end > lifted.start ? end : plus(lifted.start, STEP * MINUTE);
    lifted.resized = true;
    tell();
  }
  function words() {
    const end = lifted.end ? ` – ${NAMES.format(lifted.end)}` : "";
    return NAMES.format(lifted.start) + end;
  }
  function tell() {
    show(lifted);
    say(`${words()}. Enter shows what that does, Escape leaves it where it was.`);
  }

  /* Marks where it would be: days of the month and the quarter are lit, hours have a ghost. */
  function show(wanted) {
    document.querySelectorAll(".is-target").forEach((one) => one.classList.remove("is-target"));
    document.querySelectorAll(".ghost, .cal-tip").forEach((one) => one.remove());
    if (!wanted) return;
    const first = dayOf(wanted.start);
    const last = dayOf(wanted.end && wanted.end > wanted.start ? plus(wanted.end, -1) : wanted.start);
    const days = calendar().querySelectorAll("[data-date]");
    if (inHours(wanted.tile)) days.forEach((slots) => ghost(slots, wanted));
    else days.forEach((day) => day.classList.toggle("is-target", day.dataset.date >= first && day.dataset.date <= last));
    const tip = document.createElement("div");
    tip.className = "cal-tip";
    tip.textContent = words();
    document.body.append(tip);
  }
  function ghost(slots, wanted) {
    const midnight = wall(`${slots.dataset.date}T00:00`);
    const from = Math.max(0, Math.floor((wanted.start - midnight) / MINUTE / STEP));
    const to = Math.min(96, Math.ceil(((wanted.end || plus(wanted.start, 30 * MINUTE)) - midnight) / MINUTE / STEP));
    if (from >= 96 || to <= from) return;
    const box = document.createElement("div");
    const long = Math.max(2, to - from);
    box.className = `ghost t${Math.floor(from / 10)} u${from % 10} m${Math.floor(long / 10)} n${long % 10}`;
    slots.append(box);
  }

  /* The dialog: a release at a glance, or what moving it does. Its forms answer in place until something is done. */
  async function open(address, options = {}) {
    const answer = await fetch(address, { ...options, headers: { "X-Part": "dialog", "X-CSRFToken": token() } });
    if (answer.redirected) {
      leave(answer.url);
      return;
    }
    if (options.isWanted?.() === false) return;
    if (answer.status >= 500 || answer.status === 404) throw new Error(String(answer.status));
    dialog.innerHTML = await answer.text();
    const shut = document.createElement("button");
    shut.type = "button";
    shut.className = "quiet-button shut";
    shut.setAttribute("aria-label", "Close");
    shut.append("✕");
    shut.addEventListener("click", close);
    dialog.prepend(shut);
    dialog.setAttribute("aria-label", dialog.querySelector("h1")?.textContent.trim() || "Release");
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    (dialog.querySelector(options.method ? "[name=confirm], .button.main" : "a.button.main") || shut).focus();
  }
  function leave(address) {
    const here = new URL(address, location.href);
    if (lifted) here.hash = `release-${lifted.tile.dataset.pk}`;  // an answer's address comes without it
    if (here.pathname === location.pathname && here.search === location.search) {
      history.replaceState(null, "", here);
      location.reload();
    } else location.assign(here);
  }
  dialog.addEventListener("submit", async (event) => {
    if (event.target.method !== "post") return;
    event.preventDefault();
    event.stopPropagation();
    const body = new FormData(event.target, event.submitter);
    try {
      await open(event.target.getAttribute("action") || dialog.dataset.address, { method: "POST", body });
    } catch {
      event.target.submit();
    }
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-shut]")) {
      event.preventDefault();
      close();
    }
  });
  /* At once: the dialog's own event comes later, when the next key may have been pressed. */
  function close() {
    const pk = lifted?.tile.dataset.pk;
    drop();
    dialog.replaceChildren();
    dialog.close();
    if (pk) calendar().querySelector(`.tile[data-pk="${pk}"] .what`)?.focus();
  }
  dialog.addEventListener("close", () => {
    if (dialog.childElementCount) close();
  });

  async function foresee() {
    const asked = lifted, { tile, start, end, resized } = asked;
    const body = new FormData();
    body.set("planned_start_at", written(start));
    if (resized && end) body.set("planned_end_at", written(end));
    body.set("zone", calendar().dataset.zone);
    body.set("seen", tile.dataset.edits);
    body.set("scope", "this");
    body.set("look", "yes");
    body.set("next", `${calendar().dataset.here}#release-${tile.dataset.pk}`);
    dialog.dataset.address = `/releases/${tile.dataset.pk}/move/`;
    try {
      await open(dialog.dataset.address, { method: "POST", body, isWanted: () => lifted === asked });
    } catch {
      drop();
      say("That did not work. Reload the page and try again.");
    }
  }

  /* Keys on a release: arrows move it, with Shift its end. */
  function push(event, tile) {
    const hours = inHours(tile);
    const across = DAY, along = hours ? STEP * MINUTE : 7 * DAY;
    const by = { ArrowLeft: -across, ArrowRight: across, ArrowUp: -along, ArrowDown: along }[event.key];
    if (!by) return false;
    if (!lifted || lifted.tile !== tile) lift(tile);
    if (event.shiftKey) {
      const moved = (lifted.end || lifted.start) - (lifted.from.end || lifted.from.start);
      stretch(moved + by);
    } else {
      const moved = lifted.start - lifted.from.start, long = lifted.end && lifted.end - lifted.start;
      shift(moved + by);
      if (lifted.resized) lifted.end = plus(lifted.start, long);
      tell();
    }
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (dialog.open) {
      if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
      event.preventDefault();
      close();
      return;
    }
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    const tile = event.target.closest(".tile.can-move");
    if (tile && push(event, tile)) event.preventDefault();
    else if (lifted && event.key === "Escape") {
      drop();
      say("It stays where it was.");
    } else if (lifted && event.key === "Enter") {
      event.preventDefault();
      foresee();
    } else if (!letters()) return;
    else if (event.key === "?") {
      const keys = document.getElementById("keys");
      keys.open = !keys.open;
      keys.querySelector("summary").focus();
    } else go(event);
  });
  /* Letters can be switched off: who speaks to a computer, or slips, would set them off unawares. */
  const letters = () => localStorage.getItem("calendar-keys") !== "off";
  document.addEventListener("change", (event) => {
    if (event.target.id === "single-keys") localStorage.setItem("calendar-keys", event.target.checked ? "on" : "off");
  });
  document.addEventListener("DOMContentLoaded", () => {
    const box = document.getElementById("single-keys");
    if (box) box.checked = letters();
  });
  const STEPS = { j: "previous", k: "next", ArrowLeft: "previous", ArrowRight: "next" };
  function go(event) {
    if (event.shiftKey || event.target.closest("details[open]")) return;
    const link = document.querySelector(`[data-key="${CSS.escape(STEPS[event.key] || event.key)}"]`);
    if (!link) return;
    event.preventDefault();
    link.click();
  }
  document.addEventListener("focusout", (event) => {
    if (lifted && !lifted.pointer && !dialog.open && event.relatedTarget && !lifted.tile.contains(event.relatedTarget)) drop();
  });

  /* Dragging: the tile itself moves it, the grip at its end resizes it. */
  const dayUnder = (event) => document.elementsFromPoint(event.clientX, event.clientY).find((one) => one.matches("[data-date]"));
  function pointed(event, tile) {
    if (view() === "quarter") {
      const track = tile.closest(".track").getBoundingClientRect();
      const days = Number(getComputedStyle(tile).getPropertyValue("--columns"));
      return Math.floor(((event.clientX - track.left) / track.width) * days) * DAY;
    }
    const day = dayUnder(event);
    if (!day) return null;
    const midnight = wall(`${day.dataset.date}T00:00`).getTime();
    if (!inHours(tile)) return midnight;
    const box = day.getBoundingClientRect();
    return midnight + Math.round((((event.clientY - box.top) / box.height) * 1440) / STEP) * STEP * MINUTE;
  }
  let drag = null;
  function follow(event) {
    const to = lifted && pointed(event, drag.tile);
    if (to === null || drag.from === null) return;
    if (drag.resizes) stretch(to - drag.from);
    else shift(to - drag.from);
  }
  document.addEventListener("pointerover", (event) => {
    const tile = event.target.closest?.(".tile.can-move.to");
    if (!tile || tile.querySelector(".grip")) return;
    const grip = document.createElement("span");
    grip.className = "grip";
    tile.append(grip);
  });
  document.addEventListener("pointerdown", (event) => {
    const tile = event.target.closest?.(".tile.can-move");
    if (!tile || event.button !== 0 || event.pointerType === "touch" || innerWidth <= 720) return;
    drag = { tile, x: event.clientX, y: event.clientY, from: pointed(event, tile), resizes: event.target.matches(".grip"), begun: false };
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (!drag.begun && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 5) return;
    if (!drag.begun) {
      lift(drag.tile);
      lifted.pointer = drag.begun = true;
    }
    follow(event);
    if (event.clientY > innerHeight - 40) scrollBy(0, 14);
    else if (event.clientY < 40) scrollBy(0, -14);
    const tip = document.querySelector(".cal-tip");
    tip?.style.setProperty("left", `${event.clientX + 14}px`);
    tip?.style.setProperty("top", `${event.clientY + 14}px`);
    tip?.style.setProperty("bottom", "auto");
  });
  document.addEventListener("pointerup", (event) => {
    if (drag?.begun) {
      follow(event);
      const moved = lifted && (lifted.start - lifted.from.start || (lifted.end || 0) - (lifted.from.end || 0));
      if (moved) foresee();
      else drop();
      setTimeout(() => { drag = null; });
    } else drag = null;
  });
  document.addEventListener("dragstart", (event) => {
    if (event.target.closest?.(".tile")) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    if (drag?.begun) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    const link = event.target.closest(".cal .what a, .cal a.what, .cal a.clash, .cal .marks a, .cal-dialog .conflicts a");
    if (link && link.pathname.startsWith("/calendar/releases/")) {
      event.preventDefault();
      open(link.href).catch(() => location.assign(link.href));
      return;
    }
    create(event);
  }, true);

  /* An empty place is where a release can be created. */
  function create(event) {
    const day = event.target.closest(".day, .slots");
    const make = calendar().dataset.new;
    if (!day || !make || innerWidth <= 720 || event.target.closest("a, button, .tile, .ice")) return;
    let at = `${day.dataset.date}T09:00`;
    if (day.matches(".slots")) {
      const box = day.getBoundingClientRect();
      const half = Math.floor(((event.clientY - box.top) / box.height) * 48);
      at = written(plus(wall(`${day.dataset.date}T00:00`), half * 30 * MINUTE));
    }
    const query = new URLSearchParams({ start: at, zone: calendar().dataset.zone });
    location.assign(`${make}?${query}`);
  }

  // What was just moved or made is named in the address; a refresh draws it anew, so it is marked again.
  const mark = () => {
    const pk = location.hash.match(/^#release-(\d+)$/)?.[1];
    const tile = pk && calendar().querySelector(`.tile[data-pk="${pk}"], .entry[data-pk="${pk}"]`);
    tile?.classList.add("is-new");
    return tile;
  };
  document.addEventListener("DOMContentLoaded", () => mark()?.querySelector("a")?.focus({ preventScroll: false }));
  document.addEventListener("htmx:after:swap", mark);
})();
