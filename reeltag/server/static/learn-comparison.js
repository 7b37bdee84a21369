/** Old against new: in words first, then class by class with intervals. */
import { address } from "./api.js";
import { emptyState, h, refill } from "./dom.js";
import { count } from "./format.js";
import { axisPicture, intervalPicture } from "./learn-interval.js";
import { differenceAxis, sortedBy } from "./learn-scale.js";
import { differenceWords, finderWords, signed } from "./learn-words.js";
import { stackable } from "./stackable.js";

/** @typedef {import("./views").ComparisonView} ComparisonView */
/** @typedef {import("./views").ClassDifference} ClassDifference */
/** @typedef {import("./views").FinderView} FinderView */

const KINDS = { better: "good", worse: "bad", "no difference shown": "" };

/**
 * Show a comparison, or why there is none.
 * @param {HTMLElement} place
 * @param {ComparisonView | null} comparison
 * @param {readonly FinderView[]} finders newest first
 */
export function showComparison(place, comparison, finders) {
  if (!comparison) return refill(place, finders.length > 1 && nothing(Boolean(finders.at(-1)?.is_current)));
  const { old, new: now, words, num_ratings: number, classes } = comparison;
  refill(
    place,
    h("h2", {}, "Was it worth it?"),
    h("p", { class: "verdict" }, words),
    h("p", { class: "muted" }, `New: ${finderWords(now)}. Old: ${finderWords(old)}. Compared on ${count(number, "rating")} that neither learned from. `, h("a", { href: address("/compare", { old: old.key, new: now.key }) }, "See them on a video")),
    classes.length > 0 && table(classes),
  );
}

/**
 * @param {boolean} is_oldest whether the finder in use is the oldest
 * @returns {HTMLElement}
 */
function nothing(is_oldest) {
  if (is_oldest) {
    return emptyState("info", "Not compared", "The finder in use is the oldest: none before it can be compared with it.", h("a", { class: "button", href: "/compare" }, "Compare the newest two"));
  }
  const words = "The last two finders have no ratings in common that neither learned from. Rate some more: those that come after learning are held out.";
  return emptyState("info", "Not compared yet", words, h("a", { class: "button", href: "/rate" }, "Rate"));
}

/**
 * @param {readonly ClassDifference[]} classes
 * @returns {HTMLElement}
 */
function table(classes) {
  const axis = differenceAxis(classes);
  const rows = sortedBy(classes, (of) => of.new - of.old, true).map((of) =>
    h("tr", {},
      h("th", { scope: "row" }, of.name),
      h("td", { class: "number" }, of.old.toFixed(2)),
      h("td", { class: "number" }, of.new.toFixed(2)),
      h("td", { class: "forest-cell" }, intervalPicture({ value: of.new - of.old, low: of.low, high: of.high }, { ...axis, zero: 0 }, of.verdict.split(" ")[0])),
      h("td", { class: "difference" }, differenceWords(of)),
      h("td", {}, h("span", { class: `chip ${KINDS[of.verdict]}` }, of.verdict))));
  const head = h("tr", {}, h("th", { scope: "col" }, "Class"), h("th", { scope: "col", class: "number" }, "Old"), h("th", { scope: "col", class: "number" }, "New"), h("th", { scope: "col", class: "forest-cell" }, "Worse or better"), h("th", { scope: "col" }, "Difference, 95 % interval"), h("th", { scope: "col" }, "Verdict"));
  const foot = h("tr", {}, h("td", { colspan: 3 }), h("td", { class: "forest-cell" }, axisPicture(axis, signed)), h("td", { colspan: 2 }));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Old against new" },
    stackable(h("table", { class: "forest" },
      h("caption", { class: "hidden-words" }, "Average precision of each class by the old finder and the new one"),
      h("thead", {}, head), h("tbody", {}, ...rows), h("tfoot", {}, foot))));
}
