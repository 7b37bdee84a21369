/** Makes elements without HTML in strings: nothing that comes from a file name is ever markup.
 *
 *     h("button", { class: "primary", type: "button", on: { click: save } }, icon("check"), "Save")
 *     toast("Rated: yes", { action: { words: "Undo", run: undo } });   announce("12 moments");
 */

/** @typedef {string | number | Node | null | undefined | false} Child */

/**
 * Returns a new element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [props] attributes; true = without a value, null and false = none.
 *   Apart from these `on` {event: listener}, `style` {property: value}, `data` {name: value} and
 *   `text`.
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") {
      for (const [event, run] of Object.entries(value)) element.addEventListener(event, run);
    } else if (name === "style") {
      for (const [property, of] of Object.entries(value)) element.style.setProperty(property, of);
    } else if (name === "data") {
      Object.assign(element.dataset, value);
    } else if (name === "text") {
      element.textContent = value;
    } else if (name.startsWith("aria-") && typeof value === "boolean") {
      element.setAttribute(name, String(value)); // "false" is a value there
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  fill(element, ...children);
  return element;
}

/**
 * Adds children to an element.
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.append(...children.filter(isThere).map((of) => (of instanceof Node ? of : String(of))));
}

/**
 * Puts children in the place of those that an element has. What had the focus has it again, where
 * the new children have an element of the same `data-focus`.
 * @param {Element} element
 * @param {...Child} children
 */
export function refill(element, ...children) {
  const focused = element.contains(document.activeElement) && document.activeElement?.closest("[data-focus]");
  const name = focused && element.contains(focused) ? focused.getAttribute("data-focus") : null;
  element.replaceChildren();
  fill(element, ...children);
  if (name === null) return;
  const next = [...element.querySelectorAll("[data-focus]")].find((of) => of.getAttribute("data-focus") === name);
  if (next instanceof HTMLElement) next.focus({ preventScroll: true });
}

/** @param {Child} child @returns {child is string | number | Node} */
function isThere(child) {
  return child !== null && child !== undefined && child !== false;
}

/**
 * Returns a new element of a picture.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} [attributes]
 * @param {...Node} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Returns a picture of static/icons.svg.
 * @param {string} name
 * @param {string} [more] further classes, such as "large"
 * @returns {SVGSVGElement}
 */
export function icon(name, more = "") {
  const use = svg("use", { href: `/static/icons.svg#${name}` });
  return svg("svg", { class: `pictogram ${more}`, "aria-hidden": "true" }, use);
}

/**
 * Returns the element of an id, which is there.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`#${id} is not on this page`);
  return element;
}

/**
 * Returns the colour that a custom property has now, as canvas takes it.
 * @param {string} name such as "--accent"
 * @returns {string}
 */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** @type {number | undefined} */
let speaking;

/**
 * Lets a screen reader read words; of several within 300 ms the last ones. The same words as before
 * are read again: the region is empty in between.
 * @param {string} words
 */
export function announce(words) {
  clearTimeout(speaking);
  byId("announcer").textContent = "";
  speaking = setTimeout(() => {
    byId("announcer").textContent = words;
  }, 300);
}

/**
 * Shows words at the bottom of the page for some seconds, below at most one earlier message.
 * @param {string} words
 * @param {{ kind?: "" | "bad", seconds?: number, name?: string, action?: { words: string, run: () => void } }} [more]
 *   name: of what it is about; a message replaces the one of the same name
 */
export function toast(words, { kind = "", seconds = 5, name = "", action } = {}) {
  const message = h("div", { class: `toast ${kind}`, data: { name } }, h("span", { class: "grow" }, words));
  const remove = () => message.remove();
  if (action) {
    const run = () => {
      remove();
      action.run();
    };
    message.append(h("button", { type: "button", class: "small", on: { click: run } }, action.words));
  }
  const toasts = byId("toasts");
  for (const of of [...toasts.children]) if (name && of instanceof HTMLElement && of.dataset.name === name) of.remove();
  while (toasts.childElementCount > 1) toasts.firstElementChild?.remove();
  toasts.append(message);
  setTimeout(remove, (kind === "bad" ? 2 : 1) * seconds * 1000);
}

/**
 * Returns the block that stands where there is nothing, or where something has failed.
 * @param {string} picture of icons.svg
 * @param {string} title
 * @param {...Child} words
 * @returns {HTMLElement}
 */
export function emptyState(picture, title, ...words) {
  const rest = words.map((of) => (typeof of === "string" ? h("p", {}, of) : of));
  return h("div", { class: "empty" }, icon(picture, "large"), h("h2", {}, title), ...rest);
}
