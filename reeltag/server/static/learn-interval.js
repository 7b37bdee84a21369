/** The picture of a value with its interval: a dot on a whisker. What it shows is next to it in words. */
import { svg } from "./dom.js";
import { place } from "./learn-scale.js";

/**
 * Returns the picture.
 * @param {{value: number, low: number, high: number}} estimate
 * @param {{from: number, to: number, zero?: number}} axis with a line at `zero`, where there is one
 * @param {string} [kind] class of it: "better", "worse"
 * @returns {SVGSVGElement}
 */
export function intervalPicture({ value, low, high }, { from, to, zero }, kind = "") {
  const picture = svg("svg", { class: `interval ${kind}`, "aria-hidden": "true" });
  const at = (/** @type {number} */ of) => `${place(of, from, to)}%`;
  picture.append(svg("line", { class: "axis", x1: "0", x2: "100%", y1: "50%", y2: "50%" }));
  if (zero !== undefined) {
    picture.append(svg("line", { class: "zero", x1: at(zero), x2: at(zero), y1: "0", y2: "100%" }));
  }
  picture.append(
    svg("line", { class: "whisker", x1: at(low), x2: at(high), y1: "50%", y2: "50%" }),
    ...[low, high].map((of) => svg("line", { class: "whisker", x1: at(of), x2: at(of), y1: "25%", y2: "75%" })),
    svg("circle", { class: "value", cx: at(value), cy: "50%", r: "4" }),
  );
  return picture;
}

/**
 * Returns the numbers under such pictures.
 * @param {{from: number, to: number, ticks: readonly number[]}} axis
 * @param {(value: number) => string} words
 * @returns {SVGSVGElement}
 */
export function axisPicture({ from, to, ticks }, words) {
  const picture = svg("svg", { class: "interval ticks", "aria-hidden": "true" });
  for (const tick of ticks) {
    const far = place(tick, from, to);
    const anchor = far === 0 ? "start" : far === 100 ? "end" : "middle";
    const text = svg("text", { x: `${far}%`, y: "14", "text-anchor": anchor });
    text.textContent = words(tick);
    picture.append(text);
  }
  return picture;
}
