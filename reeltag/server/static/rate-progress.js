/** How far one has come: for each class what is rated, how good it is, and what more would bring. */
import { h, refill } from "./dom.js";
import { count, estimateWords } from "./format.js";
import { gainWords } from "./learn-words.js";

/** @typedef {import("./views").ClassProgress} ClassProgress */

const MOST = 12;

/**
 * Show the progress of classes, those with the most ratings first.
 * @param {HTMLElement} place
 * @param {readonly ClassProgress[]} classes
 */
export function showProgress(place, classes) {
  const sorted = [...classes].sort((a, b) => ratings(b) - ratings(a)).slice(0, MOST);
  refill(place, ...sorted.map((of) => h("li", { class: "class-progress" }, ...rows(of))));
}

/**
 * Returns a bar of yes and no, as wide as their shares.
 * @param {ClassProgress} of
 * @returns {HTMLElement}
 */
export function answersBar(of) {
  const all = Math.max(1, ratings(of));
  const part = (/** @type {number} */ number, /** @type {string} */ kind) =>
    h("i", { class: kind, style: { "inline-size": `${(100 * number) / all}%` } });
  return h("span", { class: "meter stacked", "aria-hidden": "true" }, part(of.num_yes, "good"), part(of.num_no, "bad"));
}

/**
 * Returns how often a class was answered with what: "12 yes, 20 no, 1 unsure".
 * @param {ClassProgress} of
 * @returns {string}
 */
export function answersWords({ num_yes, num_no, num_unsure }) {
  const unsure = num_unsure ? `, ${num_unsure.toLocaleString("en")} unsure` : "";
  return `${num_yes.toLocaleString("en")} yes, ${num_no.toLocaleString("en")} no${unsure}`;
}

/** @param {ClassProgress} of @returns {number} */
function ratings({ num_yes, num_no, num_unsure }) {
  return num_yes + num_no + num_unsure;
}

/** @param {ClassProgress} of @returns {HTMLElement[]} */
function rows(of) {
  const figures = [
    of.precision && `precision ${estimateWords(of.precision)}`,
    of.recall && `recall ${estimateWords(of.recall)}`,
    of.gain && `50 more ratings: ${gainWords(of.gain)}`,
  ].filter(Boolean);
  return [
    h("div", { class: "split" }, h("b", {}, of.name), h("span", { class: "muted small-text" }, answersWords(of))),
    answersBar(of),
    h("p", { class: "small-text" }, figures.join("; ") || `quality not known yet, ${count(of.num_labels, "video")} labelled`),
    h("p", { class: "muted small-text" }, of.advice),
  ];
}
