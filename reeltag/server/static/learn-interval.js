/** The picture of a value with its interval: a dot on a whisker. What it shows is next to it in words. */
import { place } from "./learn-scale.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * Returns the picture.
 * @param {{value: number, low: number, high: number}} estimate
 * @param {{from: number, to: number, zero?: number}} axis with a line at `zero`, where there is one
 * @param {string} [kind] class of it: "better", "worse"
 * @returns {SVGSVGElement}
 */
export function intervalPicture({ value, low, high }, { from, to, zero }, kind = "") {
  const picture = make("svg", { class: `interval ${kind}`, "aria-hidden": "true" });
  const at = (/** @type {number} */ of) => `${place(of, from, to)}%`;
  picture.append(make("line", { class: "axis", x1: "0", x2: "100%", y1: "50%", y2: "50%" }));
  if (zero !== undefined) {
    picture.append(make("line", { class: "zero", x1: at(zero), x2: at(zero), y1: "0", y2: "100%" }));
  }
  picture.append(
    make("line", { class: "whisker", x1: at(low), x2: at(high), y1: "50%", y2: "50%" }),
    ...[low, high].map((of) => make("line", { class: "whisker", x1: at(of), x2: at(of), y1: "25%", y2: "75%" })),
    make("circle", { class: "value", cx: at(value), cy: "50%", r: "4" }),
  );
  return /** @type {SVGSVGElement} */ (picture);
}

/**
 * Returns the numbers under such pictures.
 * @param {{from: number, to: number, ticks: readonly number[]}} axis
 * @param {(value: number) => string} words
 * @returns {SVGSVGElement}
 */
export function axisPicture({ from, to, ticks }, words) {
  const picture = make("svg", { class: "interval ticks", "aria-hidden": "true" });
  for (const tick of ticks) {
    const far = place(tick, from, to);
    const anchor = far === 0 ? "start" : far === 100 ? "end" : "middle";
    const text = make("text", { x: `${far}%`, y: "14", "text-anchor": anchor });
    text.textContent = words(tick);
    picture.append(text);
  }
  return /** @type {SVGSVGElement} */ (picture);
}

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @returns {SVGElement}
 */
function make(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
