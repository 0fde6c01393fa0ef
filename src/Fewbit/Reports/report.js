
"use strict";
// The page is complete without this: it only makes tables sort and filter.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0], original = [...body.rows], headers = [...table.tHead.rows[0].cells];

  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sort(header, column));
  });

  // Ascending, descending, and back to the order of the graph.
  function sort(header, column) {
    const before = header.getAttribute("aria-sort");
    for (const other of headers) other.removeAttribute("aria-sort");
    const direction = before === null ? "ascending" : before === "ascending" ? "descending" : null;
    if (direction === null) {
      body.append(...original);
      return;
    }
    header.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const keyed = original.map(row => ({ row, key: keyOf(row.cells[column]) }));
    // What is empty stays at the end in both directions.
    keyed.sort((a, b) => a.key === null ? (b.key === null ? 0 : 1) : b.key === null ? -1 : sign * compare(a.key, b.key));
    body.append(...keyed.map(pair => pair.row));
  }

  function keyOf(cell) {
    const value = cell.dataset.value, text = cell.textContent.trim();
    if (value !== undefined) return value === "" ? null : Number(value);
    return text === "" ? null : text;
  }

  function compare(a, b) {
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  }

  if (original.length > 8) addFilter();

  function addFilter() {
    const tools = document.createElement("div"), label = document.createElement("label"), input = document.createElement("input"), count = document.createElement("output");
    tools.className = "tools";
    input.type = "search";
    count.textContent = `${original.length} rows`;
    label.append("Filter", input);
    tools.append(label, count);
    table.closest(".scroll").before(tools);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(word => word);
      for (const row of original) row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));
      const shown = original.filter(row => !row.hidden).length;
      count.textContent = shown === original.length ? `${shown} rows` : `${shown} of ${original.length} rows`;
    });
  }
}
