/** Tables that need no sideways scrolling: on narrow screens each row is a block, see style.css. */

/**
 * Lets the rows of a table be blocks on narrow screens: each cell knows the title of its column,
 * which stands before it there, and roles keep it a table.
 * @param {HTMLTableElement} table with a head
 * @returns {HTMLTableElement} the same
 */
export function stackable(table) {
  table.classList.add("stackable");
  table.setAttribute("role", "table");
  const titles = [...(table.tHead?.rows[0]?.cells ?? [])].map((of) => of.textContent?.trim() ?? "");
  for (const part of table.querySelectorAll("thead, tbody, tfoot")) part.setAttribute("role", "rowgroup");
  for (const row of table.rows) {
    row.setAttribute("role", "row");
    [...row.cells].forEach((cell, at) => {
      cell.setAttribute("role", roleOf(cell));
      const is_titled = cell.localName === "td" && cell.colSpan === 1 && cell.closest("tbody") && titles[at];
      if (is_titled) cell.dataset.title = titles[at];
    });
  }
  return table;
}

/** @param {HTMLTableCellElement} cell */
function roleOf(cell) {
  if (cell.localName === "td") return "cell";
  return cell.scope === "col" ? "columnheader" : "rowheader";
}
