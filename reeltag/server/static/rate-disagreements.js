/** Windows that raters do not agree on: who said what, and the way to look again. */
import { h, refill } from "./dom.js";
import { count, interval } from "./format.js";
import { momentAddress } from "./search-query.js";

/** @typedef {import("./views").DisagreementView} DisagreementView */
/** @typedef {import("./views").RatingView} RatingView */

const MOST = 50;
const KINDS = { yes: "good", no: "bad", unsure: "" };

/**
 * Show them; without any, the place is hidden.
 * @param {HTMLElement} place with a list and a `[data-count]`
 * @param {readonly DisagreementView[]} disagreements
 */
export function showDisagreements(place, disagreements) {
  place.hidden = !disagreements.length;
  const number = place.querySelector("[data-count]");
  if (number) number.textContent = count(disagreements.length, "window");
  const rows = disagreements.slice(0, MOST).map(rowOf);
  const more = disagreements.length > MOST && h("li", { class: "muted small-text" }, `and ${count(disagreements.length - MOST, "window")} more`);
  const list = place.querySelector("ul");
  if (list) refill(list, ...rows, more);
}

/** @param {DisagreementView} of @returns {HTMLElement} */
function rowOf(of) {
  const address = momentAddress(of);
  const words = `${of.class_name}, ${of.name}, ${interval(of.start_s, of.end_s)}`;
  return h("li", {}, h("a", { href: address, data: { focus: address + of.end_s } }, words), h("p", { class: "row small-text" }, ...of.ratings.map(answer)));
}

/** @param {RatingView} rating @returns {HTMLElement} */
function answer({ answer: given, who }) {
  return h("span", {}, h("span", { class: `chip ${KINDS[given]}` }, given), ` ${who || "without a name"}`);
}
