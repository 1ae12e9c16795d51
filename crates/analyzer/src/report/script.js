// Filtering and sorting of the features, and sections that open when they are linked to. All else works without.
"use strict";

for (const features of document.querySelectorAll(".features")) {
  const table = features.querySelector(".overview");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const sections = features.querySelector(".sections");

  const sectionOf = new Map();
  for (const row of rows) {
    const link = row.querySelector("a");
    if (link) sectionOf.set(row, document.getElementById(link.hash.slice(1)).closest("details"));
  }

  // Filter
  const form = features.querySelector("form");
  const name = form.querySelector("input[type=search]");
  const onlyViolations = form.querySelector("input[type=checkbox]");
  const result = form.querySelector("output");
  const texts = rows.map(row => row.cells[0].textContent.toLowerCase());
  const hasViolation = rows.map(row => row.querySelector("td[data-value]") !== null);

  function filter() {
    const wanted = name.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row, index) => {
      const isShown = texts[index].includes(wanted) && (!onlyViolations?.checked || hasViolation[index]);
      row.hidden = !isShown;
      const section = sectionOf.get(row);
      if (section) section.hidden = !isShown;
      shown += isShown;
    });
    result.value = shown === rows.length ? "" : `${shown} of ${rows.length} features`;
  }

  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", event => event.preventDefault());

  // Sort
  const columnOf = header => {
    // Headers of the second row stand below those that span several columns.
    const isSecond = header.parentElement.rowIndex === 1;
    const spanning = Array.from(table.tHead.rows[0].cells).filter(cell => cell.rowSpan === 2).length;
    return header.cellIndex + (isSecond ? spanning : 0);
  };
  const headers = Array.from(table.tHead.querySelectorAll("th[data-sort]"));

  function numberIn(cell) {
    const value = parseFloat(cell.dataset.value ?? cell.textContent.replace(/[^\d.e-]/g, ""));
    return Number.isNaN(value) ? -Infinity : value;
  }

  function sort(header) {
    const isNumber = header.dataset.sort === "number";
    const current = header.getAttribute("aria-sort");
    const first = isNumber ? "descending" : "ascending";
    const second = isNumber ? "ascending" : "descending";
    const order = current === first ? second : first;
    for (const other of headers) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", order);

    const column = columnOf(header);
    const collator = new Intl.Collator(undefined, { numeric: true });
    const keys = new Map(rows.map(row => [row, isNumber ? numberIn(row.cells[column]) : row.cells[column].textContent]));
    const sign = order === "ascending" ? 1 : -1;
    const compare = isNumber ? (a, b) => (a > b) - (a < b) : collator.compare;
    const sorted = rows.slice().sort((a, b) => sign * compare(keys.get(a), keys.get(b)));
    body.append(...sorted);
    sections.append(...sorted.map(row => sectionOf.get(row)).filter(Boolean));
  }

  for (const header of headers) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.title = `Sort by ${button.textContent.toLowerCase()}`;
    button.addEventListener("click", () => sort(header));
    header.append(button);
  }
}

function openLinked() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const section = target && target.closest("details");
  if (!section) return;
  section.hidden = false;
  section.open = true;
  section.scrollIntoView();
}
addEventListener("hashchange", openLinked);
openLinked();
