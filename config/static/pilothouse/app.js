/* The little that pages need beyond htmx: theme, zone, menus that close, copying, buttons pressed once, logs that follow. */
(() => {
  "use strict";
  const root = document.documentElement;
  const keep = (name, value) => {
    const secure = location.protocol === "https:" ? ";secure" : "";
    document.cookie = `${name}=${encodeURIComponent(value)};path=/;max-age=31536000;samesite=lax${secure}`;
  };

  keep("zone", Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");

  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  document.addEventListener("click", (event) => {
    const toggle = event.target.closest("[data-toggle-theme]");
    if (toggle) {
      root.dataset.theme = isDark() ? "light" : "dark";
      keep("theme", root.dataset.theme);
    }
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.activeElement?.closest("details.menu[open]") || document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    document.querySelectorAll("form[data-sent]").forEach((form) => {
      delete form.dataset.sent;
      form.querySelectorAll("button").forEach((button) => { button.disabled = false; });
    });
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const field = document.querySelector(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      document.execCommand("copy");
    }
    button.textContent = button.dataset.copied;
  });

  const atEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < 24;
  const following = new WeakMap();
  const follow = () => document.querySelectorAll("pre.log").forEach((log) => {
    if (following.get(log) !== false) log.scrollTop = log.scrollHeight;
  });
  document.addEventListener("scroll", (event) => {
    if (event.target.matches?.("pre.log")) following.set(event.target, atEnd(event.target));
  }, true);
  document.addEventListener("htmx:after:swap", follow);
  document.addEventListener("DOMContentLoaded", () => {
    follow();
    document.querySelectorAll(".tabs > [aria-current]").forEach((tab) => {
      const tabs = tab.parentElement;
      tabs.scrollLeft = tab.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - tab.offsetWidth) / 2;
    });
    document.querySelector("[data-first-fault]")?.scrollIntoView({ block: "center" });
  });
})();
