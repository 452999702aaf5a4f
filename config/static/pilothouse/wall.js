/* The wall's clock, in the zone of the times on the page; and the screen stays awake where the browser lets it. */
(() => {
  "use strict";
  const tick = () => {
    const clock = document.getElementById("clock");
    if (clock) clock.textContent = new Date().toLocaleTimeString("en-GB", { timeZone: clock.dataset.zone });
  };
  const stayAwake = () => {
    if (document.visibilityState === "visible") navigator.wakeLock?.request("screen").catch(() => {});
  };
  document.addEventListener("DOMContentLoaded", () => {
    tick();
    setInterval(tick, 1000);
    stayAwake();
  });
  document.addEventListener("visibilitychange", stayAwake);
})();
