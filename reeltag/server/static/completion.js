/** A text field that offers names while one types: the combobox of the ARIA patterns.
 *
 *     complete(input, { names: () => view.classes, choose: (name) => ... });
 */
import { h, refill } from "./dom.js";
import { fitting } from "./format.js";

let number = 0;

/**
 * Lets a text field offer names. `choose` gets one that was taken from the list; Enter without one
 * is left to the field's form.
 * @param {HTMLInputElement} input its parent is position: relative
 * @param {{ names: () => readonly string[], choose: (name: string) => void, label?: string }} how
 */
export function complete(input, { names, choose, label = "Classes" }) {
  const id = `completion-${(number += 1)}`;
  const list = h("ul", { class: "popover completion", role: "listbox", id, "aria-label": label, hidden: true });
  const attributes = { role: "combobox", "aria-autocomplete": "list", "aria-controls": id, "aria-expanded": "false" };
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  input.after(list);
  /** @type {string[]} */
  let shown = [];
  let at = -1;

  const draw = () => {
    const items = shown.map((name, of) =>
      h("li", { role: "option", id: `${id}-${of}`, "aria-selected": of === at ? "true" : "false" }, ...marked(name, input.value)),
    );
    refill(list, ...items);
    list.hidden = !shown.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (at >= 0) {
      input.setAttribute("aria-activedescendant", `${id}-${at}`);
      items[at].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };
  const close = () => {
    [shown, at] = [[], -1];
    draw();
  };
  const open = () => {
    [shown, at] = [fitting(names(), input.value), -1];
    draw();
  };
  /** @param {string} name */
  const take = (name) => {
    input.value = name;
    close();
    choose(name);
  };

  input.addEventListener("input", open);
  input.addEventListener("focus", open);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!shown.length) open();
      const step = event.key === "ArrowDown" ? 1 : -1;
      at = at < 0 && step < 0 ? shown.length - 1 : at + step;
      if (at >= shown.length) at = -1;
      draw();
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      take(shown[at]);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (list.hidden) input.blur();
      close();
    }
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    const item = event.target instanceof Element && event.target.closest("li");
    if (item) take(shown[[...list.children].indexOf(item)]);
  });
}

/** @param {string} name @param {string} typed @returns {(string | Node)[]} with what was typed marked */
function marked(name, typed) {
  const wanted = typed.trim().toLowerCase();
  const at = wanted ? name.toLowerCase().indexOf(wanted) : -1;
  if (at < 0) return [name];
  const end = at + wanted.length;
  return [name.slice(0, at), h("mark", {}, name.slice(at, end)), name.slice(end)];
}
