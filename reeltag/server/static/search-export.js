/** The menu of file formats in which the moments that are shown leave. */
import { h, icon } from "./dom.js";
import { exportAddress } from "./search-query.js";

/** @typedef {{name: string, what: string}} Format */

/**
 * Returns a menu of formats.
 * @param {readonly Format[]} formats
 * @param {() => {query: import("./search-query.js").SearchQuery, threshold: number}} shown
 * @returns {HTMLDetailsElement}
 */
export function exportMenu(formats, shown) {
  const links = formats.map(({ name, what }) => {
    const link = h("a", { href: "#", download: true }, h("b", {}, name), h("span", { class: "muted small-text" }, what));
    const aim = () => {
      const { query, threshold } = shown();
      link.href = exportAddress(query, threshold, name);
    };
    link.addEventListener("focus", aim);
    link.addEventListener("pointerenter", aim);
    link.addEventListener("click", aim);
    return h("li", {}, link);
  });
  const menu = h(
    "details",
    { class: "menu" },
    h("summary", { class: "button" }, icon("download"), "Export"),
    h("ul", { class: "popover" }, ...links),
  );
  const close = () => {
    menu.open = false;
  };
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    close();
    menu.querySelector("summary")?.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (event.target instanceof Node && !menu.contains(event.target)) close();
  });
  return menu;
}
