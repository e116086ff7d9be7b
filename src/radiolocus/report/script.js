
"use strict";
// Sorting by a column head, and opening folded parts for the printer. The page is complete without it.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = table.tHead.rows[0].cells;
  for (let c = 0; c < heads.length; c++) {
    const knob = heads[c].querySelector("[role=button]");
    knob.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        knob.click();
      }
    });
    knob.addEventListener("click", () => {
      const down = heads[c].getAttribute("aria-sort") === "ascending";
      for (const head of heads) head.removeAttribute("aria-sort");
      heads[c].setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => {
        const cell = row.cells[c];
        return cell.dataset.v !== undefined ? Number(cell.dataset.v) : cell.textContent.trim();
      };
      const rows = [...table.tBodies[0].rows].map((row) => [value(row), row]);
      const known = (v) => typeof v === "number";
      rows.sort(([a], [b]) => {
        if (known(a) !== known(b)) return known(a) ? -1 : 1;
        const order = known(a) ? a - b : a.localeCompare(b, "en", { numeric: true });
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  }
}
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const part of opened) part.open = true;
});
addEventListener("afterprint", () => {
  for (const part of opened) part.open = false;
});
