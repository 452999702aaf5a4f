// Boxes for several names (class "ph-names"): searchable, others may be typed, chosen ones stay in the order of choosing.
// data-address names where further suggestions come from. Rows that are added later are dressed when they appear.
"use strict";
(() => {
  const $ = django.jQuery;
  const dress = (box) => {
    if (box.name.includes("__prefix__") || box.classList.contains("select2-hidden-accessible")) return;
    const options = { tags: true, width: "100%", theme: "admin-autocomplete" };
    if (box.dataset.address) {
      options.ajax = { url: box.dataset.address, dataType: "json", delay: 200, data: (asked) => ({ term: asked.term || "" }) };
    }
    $(box).select2(options).on("select2:select", (event) => {
      const chosen = event.params.data.element;
      if (chosen) $(box).append(chosen).trigger("change");
    });
  };
  const dressAll = (place) => place.querySelectorAll("select.ph-names").forEach(dress);
  $(() => dressAll(document));
  document.addEventListener("formset:added", (event) => dressAll(event.target));
})();
// Fields and notes that only some choices need: data-when="repeats: weekly daily" shows a field's row, or a note, while
// "repeats" has one of these values. Without this script they are all there; a row with a fault stays in sight.
(() => {
  const rowOf = (box) => (box.form ? box.closest(".field-line") || box.parentElement : box);
  const isMet = (box) => {
    const [name, values] = box.dataset.when.split(":");
    const chosen = box.closest("form")?.elements[name.trim()];
    return !chosen || values.trim().split(/\s+/).includes(chosen.value);
  };
  const update = () => document.querySelectorAll("[data-when]:not([data-when=''])").forEach((box) => {
    const row = rowOf(box);
    row.hidden = !isMet(box) && !row.querySelector(".errorlist");
  });
  document.addEventListener("DOMContentLoaded", () => {
    update();
    document.getElementById("preview")?.scrollIntoView();
  });
  document.addEventListener("change", update);
})();
