/* Choosing several things of a list: all at once, buttons that can only be pressed for what is chosen, kept over a refresh. */
(() => {
  "use strict";
  const chosen = new Set();
  const boxesOf = (area) => [...area.querySelectorAll("input[type=checkbox][form]")];

  const refresh = (area) => {
    const boxes = boxesOf(area);
    const on = boxes.filter((box) => box.checked);
    area.querySelectorAll("[data-for]").forEach((button) => {
      const fits = on.filter((box) => (box.dataset.verb || "").split(" ").includes(button.dataset.for)).length;
      button.disabled = !fits;
    });
    area.querySelectorAll("[data-chosen-count]").forEach((mark) => { mark.textContent = on.length || ""; });
    area.querySelectorAll("[data-when-chosen]").forEach((part) => { part.hidden = !on.length; });
    area.querySelectorAll("[data-choose-all]").forEach((all) => {
      const own = boxesOf(all.closest("table") || area);
      const chosenHere = own.filter((box) => box.checked).length;
      all.closest("label").hidden = own.length < 2;
      all.checked = chosenHere > 0 && chosenHere === own.length;
      all.indeterminate = chosenHere > 0 && chosenHere < own.length;
    });
  };
  const refreshAll = () => document.querySelectorAll("[data-choosing]").forEach(refresh);

  document.addEventListener("change", (event) => {
    const area = event.target.closest("[data-choosing]");
    if (!area) return;
    if (event.target.matches("[data-choose-all]")) {
      boxesOf(event.target.closest("table") || area).forEach((box) => { box.checked = event.target.checked; });
    }
    boxesOf(area).forEach((box) => chosen[box.checked ? "add" : "delete"](box.value));
    refresh(area);
  });
  document.addEventListener("htmx:after:swap", () => {
    document.querySelectorAll("[data-choosing] input[type=checkbox][form]").forEach((box) => { box.checked = chosen.has(box.value); });
    refreshAll();
  });
  document.addEventListener("DOMContentLoaded", refreshAll);
  addEventListener("pageshow", refreshAll);
})();
