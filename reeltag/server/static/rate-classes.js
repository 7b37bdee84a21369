/** Which classes are asked about: chips with numbers, and a field that adds others. */
import { h, refill, toast } from "./dom.js";

const KEYS = 9;

export class ClassChoice {
  /** @type {string[]} on chips */
  #shown = [];
  /** @type {Set<string>} none = all */
  #chosen = new Set();
  /** @type {readonly string[]} */
  #names = [];

  /**
   * @param {HTMLElement} place
   * @param {(classes: string[]) => void} onChange
   */
  constructor(place, onChange) {
    this.place = place;
    this.onChange = onChange;
    this.list = h("ul", { class: "chips" });
    this.field = h("input", { type: "search", list: "class-names", "aria-label": "Ask about another class", placeholder: "Another class …", maxlength: 200, autocomplete: "off", spellcheck: "false" });
    this.form = h("form", { class: "class-form" }, this.field);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#addTyped(true);
    });
    this.field.addEventListener("input", () => this.#addTyped(false));
  }

  /** @returns {string[]} that are asked about; none = all */
  get chosen() {
    return [...this.#chosen];
  }

  /**
   * Show chips.
   * @param {readonly string[]} names of all classes
   * @param {readonly string[]} chosen
   * @param {readonly string[]} others that are worth a chip
   */
  start(names, chosen, others) {
    this.#names = names;
    this.#chosen = new Set(chosen);
    this.#shown = [...new Set([...chosen, ...others, ...names])].slice(0, Math.max(KEYS, chosen.length));
    const options = h("datalist", { id: "class-names" }, ...names.map((name) => h("option", { value: name })));
    refill(this.place, this.list, names.length > this.#shown.length && this.form, options);
    this.#draw();
  }

  /**
   * Ask about a class of the chips, or no longer.
   * @param {number} at
   */
  toggleAt(at) {
    const name = this.#shown[at];
    if (name !== undefined) this.#toggle(name);
  }

  /** @param {string} name */
  #toggle(name) {
    if (!this.#chosen.delete(name)) this.#chosen.add(name);
    this.#draw();
    this.onChange(this.chosen);
  }

  /** @param {boolean} is_final whether a name that is none is said to be so */
  #addTyped(is_final) {
    const typed = this.field.value.trim().toLowerCase();
    const name = this.#names.find((of) => of.toLowerCase() === typed);
    if (name === undefined) {
      if (is_final && typed) toast(`There is no class “${this.field.value.trim()}”. N makes a new one.`, { kind: "bad" });
      return;
    }
    const is_prefix = this.#names.some((of) => of !== name && of.toLowerCase().startsWith(typed));
    if (!is_final && is_prefix) return;
    this.field.value = "";
    if (!this.#shown.includes(name)) this.#shown.push(name);
    if (this.#chosen.has(name)) this.#draw();
    else this.#toggle(name);
  }

  #draw() {
    const chips = this.#shown.map((name, at) => {
      const pressed = String(this.#chosen.has(name));
      return h("li", {}, h("button", { type: "button", class: "chip", "aria-pressed": pressed, data: { focus: name }, on: { click: () => this.#toggle(name) } }, at < KEYS && h("kbd", { "aria-hidden": "true" }, at + 1), name));
    });
    refill(this.list, ...chips);
  }
}
