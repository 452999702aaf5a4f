/* Open pages refresh themselves. `data-live="release:12 releases"` names what an element shows; when one of these topics
   changes, the element gets the event `live`, on which htmx fetches it anew. One stream tells of changes; while there is
   none, the page asks every few seconds. A hidden tab holds no stream (browsers allow a site six connections in all)
   and catches up when it is looked at again. Nothing is asked of the server faster than it answers. */
(() => {
  "use strict";
  const POLL = 3000; // ms between two questions while there is no stream
  const GAP = 300; // ms between two refreshes of an element, at the least
  const SLOWEST = 15000; // and at the most, however slow the server is
  const SILENCE = 40000; // ms without a word (beats come every 15 s) after which a stream counts as dead
  const AWAY = 10000; // ms that a tab may be hidden before it gives its stream back
  const LOST = 30000; // ms after which an unanswered refresh is forgotten

  const parts = () => [...document.querySelectorAll("[data-live]")];
  const topicsOf = (part) => part.dataset.live.split(/\s+/).filter(Boolean);
  const states = new WeakMap();
  const stateOf = (part) => {
    if (!states.has(part)) states.set(part, { asked: null, busySince: 0, isDue: false, notBefore: 0, timer: 0 });
    return states.get(part);
  };

  // Refreshing: one request of an element at a time; what comes meanwhile is done afterwards.
  const isBusy = (state) => state.busySince && Date.now() - state.busySince < LOST;
  const refresh = (part) => {
    const state = stateOf(part);
    state.isDue = true;
    if (state.timer || isBusy(state) || document.hidden) return;
    state.timer = setTimeout(() => {
      state.timer = 0;
      if (!part.isConnected || document.hidden || isBusy(state)) return;
      state.isDue = false;
      state.busySince = Date.now();
      window.htmx?.trigger(part, "live");
    }, Math.max(0, state.notBefore - Date.now()));
  };
  const hurry = (part) => {
    const state = stateOf(part);
    state.notBefore = 0;
    if (!state.timer) return;
    clearTimeout(state.timer);
    state.timer = 0;
    refresh(part);
  };
  const aimedAt = (event) => {
    const { target, sourceElement } = event.detail?.ctx ?? {};
    return [target, sourceElement].find((part) => part?.dataset?.live !== undefined);
  };
  document.addEventListener("htmx:before:request", (event) => {
    const part = aimedAt(event);
    if (!part) return;
    if (event.detail.ctx.sourceElement !== part) window.htmx.trigger(part, "htmx:abort"); // somebody asked for something else
    Object.assign(stateOf(part), { asked: event.detail.ctx, busySince: Date.now() });
  });
  document.addEventListener("htmx:finally:request", (event) => {
    const part = aimedAt(event);
    const state = part && stateOf(part);
    if (state?.asked === event.detail.ctx) { // an aborted request says nothing of the one that replaced it
      const took = Date.now() - Math.max(state.busySince, liveSince); // a server that was away says nothing of its speed
      state.notBefore = Date.now() + Math.min(SLOWEST, Math.max(GAP, 3 * took));
      state.busySince = 0;
      if (state.isDue) refresh(part);
    }
    listen();
  });

  // Listening.
  let stream = null;
  let told = ""; // the topics that the stream was opened for
  let isLive = false;
  let liveSince = 0;
  let heardAt = performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.requestStart ?? 0);
  let tries = 0;
  let again = 0;
  let leaving = 0;

  const close = () => {
    stream?.close();
    stream = null;
    isLive = false;
    told = "";
  };
  const lost = () => {
    close();
    tries += 1;
    clearTimeout(again);
    again = setTimeout(retry, Math.min(30000, 500 * 2 ** tries) * (0.5 + Math.random()));
    mark();
  };
  const heard = (event) => {
    heardAt = Date.now();
    if (!isLive) {
      isLive = true;
      liveSince = Date.now();
      tries = 0;
      parts().forEach(hurry);
      mark();
    }
    if (event.type !== "change") return;
    const changed = new Set(event.data.split(" "));
    parts().filter((part) => topicsOf(part).some((topic) => changed.has(topic))).forEach(refresh);
  };
  const retry = () => {
    clearTimeout(again);
    again = 0;
    listen();
  };
  const listen = () => {
    const wanted = [...new Set(parts().flatMap(topicsOf))].sort().join(" ");
    if (document.hidden || again || wanted === told) return;
    close();
    if (!wanted) {
      mark();
      return;
    }
    told = wanted;
    const age = Math.max(0, Math.round(Date.now() - heardAt));
    stream = new EventSource(`/live/?topics=${encodeURIComponent(wanted)}&age=${age}`);
    ["ready", "change", "beat"].forEach((name) => stream.addEventListener(name, heard));
    stream.addEventListener("error", lost);
    mark();
  };

  // The mark that says how the page is kept up to date; a short interruption is not worth a word.
  let marking = 0;
  const show = () => {
    marking = 0;
    document.querySelectorAll("[data-live-mark]").forEach((element) => {
      const text = isLive ? "Live" : "Reconnecting";
      element.hidden = !parts().length;
      element.classList.toggle("is-live", isLive);
      const words = element.querySelector("[data-live-words]");
      if (words.textContent !== text) words.textContent = text;
    });
  };
  const mark = () => {
    if (isLive) {
      clearTimeout(marking);
      show();
    } else {
      marking ||= setTimeout(show, 2500);
    }
  };

  // How long something has been running goes on counting, from what the server said.
  const UNITS = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  const begun = new WeakMap();
  const lengthOf = (seconds) => {
    const at = UNITS.findIndex(([size]) => seconds >= size);
    if (at < 0) return "0s";
    const [[size, unit], [smaller, name] = [Infinity, ""]] = UNITS.slice(at);
    const rest = Math.floor((seconds % size) / smaller);
    return `${Math.floor(seconds / size)}${unit}${rest ? ` ${rest}${name}` : ""}`;
  };
  const count = () => document.querySelectorAll("[data-running]").forEach((element) => {
    const said = element.dataset.running;
    if (begun.get(element)?.said !== said) begun.set(element, { said, at: Date.now() - 1000 * Number(said) });
    const text = lengthOf(Math.round((Date.now() - begun.get(element).at) / 1000));
    if (element.textContent !== text) element.textContent = text;
  });

  // Time: polling without a stream, the own pace of some elements, streams that fell silent.
  let polledAt = Date.now();
  const tick = () => {
    if (document.hidden) return;
    count();
    const now = Date.now();
    if (stream && isLive && now - heardAt > SILENCE) lost();
    const isPoll = !isLive && now - polledAt >= POLL;
    if (isPoll) polledAt = now;
    parts().forEach((part) => {
      const every = 1000 * Number(part.dataset.liveEvery || 0);
      const isOwn = every && now - (stateOf(part).pacedAt ??= now) >= every;
      if (isOwn) stateOf(part).pacedAt = now;
      if (isPoll || isOwn) refresh(part);
    });
  };
  const seen = () => {
    clearTimeout(leaving);
    if (document.hidden) {
      leaving = setTimeout(close, AWAY);
      return;
    }
    if (!isLive) polledAt = 0;
    parts().filter((part) => stateOf(part).isDue).forEach(refresh);
    tries = 0;
    retry();
    tick();
  };
  document.addEventListener("visibilitychange", seen);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) seen(); });
  document.addEventListener("DOMContentLoaded", () => {
    listen();
    setInterval(tick, 500);
  });
})();
