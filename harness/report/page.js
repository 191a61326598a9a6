// Sort a table by the column whose heading is pressed. Values are compared as they are, not as they are written.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.value;
      const known = (text) => text !== "";
      const compare = (a, b) => {
        const [one, two] = [value(a), value(b)];
        if (known(one) !== known(two)) return known(one) ? -1 : 1; // unknown is last in either direction
        const numbers = [Number(one), Number(two)];
        const order = numbers.some(Number.isNaN) ? one.localeCompare(two) : numbers[0] - numbers[1];
        return up ? order : -order;
      };
      for (const body of table.tBodies) {
        const rows = [...body.rows].filter((row) => !row.classList.contains("apart"));
        body.append(...rows.sort(compare));
      }
    });
  });
}
