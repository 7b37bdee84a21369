/** The menu of file formats in which the moments that are shown leave. */
import { h, icon, toast } from "./dom.js";
import { exportAddress } from "./search-query.js";

/** @typedef {{name: string, what: string}} Format */

const KEPT_MS = 60_000;

/**
 * Returns a menu of formats.
 * @param {readonly Format[]} formats
 * @param {() => {query: import("./search-query.js").SearchQuery, threshold: number}} shown
 * @returns {HTMLDetailsElement}
 */
export function exportMenu(formats, shown) {
  const choices = formats.map(({ name, what }) => {
    const save = async () => {
      close();
      menu.querySelector("summary")?.focus();
      const { query, threshold } = shown();
      await saveFile(exportAddress(query, threshold, name));
    };
    const words = [h("b", {}, name), h("span", { class: "muted small-text" }, what)];
    return h("li", {}, h("button", { type: "button", class: "quiet", on: { click: () => void save() } }, ...words));
  });
  const menu = h(
    "details",
    { class: "menu" },
    h("summary", { class: "button" }, icon("download"), "Export"),
    h("ul", { class: "popover" }, ...choices),
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

/**
 * Save what the server sends, or show why it does not.
 * @param {string} address
 */
async function saveFile(address) {
  const response = await fetch(address).catch(() => null);
  if (!response?.ok) {
    const problem = await response?.json().catch(() => null);
    const words = [problem?.error ?? "the server cannot be reached", problem?.hint].filter(Boolean);
    toast(words.join(". "), { kind: "bad" });
    return;
  }
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1];
  const link = h("a", { href: URL.createObjectURL(await response.blob()), download: name ?? "moments" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}
