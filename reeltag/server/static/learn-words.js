/** Figures in words: none comes without its interval and the ratings behind it. Pure. */
import { count, estimateWords } from "./format.js";

/** @typedef {import("./views").WeightedEstimate} WeightedEstimate */
/** @typedef {import("./views").ClassDifference} ClassDifference */
/** @typedef {import("./views").FinderView} FinderView */

/**
 * Returns a difference with its sign: "+0.05", "−0.05", "0.00".
 * @param {number} value
 * @returns {string}
 */
export function signed(value) {
  const words = Math.abs(value).toFixed(2);
  if (Number(words) === 0) return "0.00";
  return `${value < 0 ? "−" : "+"}${words}`;
}

/**
 * Returns what more ratings are expected to bring: "+0.05 (+0.01 to +0.09) by 41 ratings".
 * @param {WeightedEstimate | null} gain
 * @returns {string}
 */
export function gainWords(gain) {
  return estimateWords(gain, signed);
}

/**
 * Returns a difference of two finders: "+0.12 (+0.03 to +0.22) by 40 ratings".
 * @param {ClassDifference} difference
 * @returns {string}
 */
export function differenceWords({ old, new: now, ...interval }) {
  return estimateWords({ ...interval, value: now - old }, signed);
}

/**
 * Returns how many moments there are at a threshold, and how many of them are expected to be right.
 * @param {number} total
 * @param {WeightedEstimate | null} expected precision
 * @param {boolean} is_of_class whether they are of a class: only then a precision has a meaning
 * @returns {string}
 */
export function precisionWords(total, expected, is_of_class) {
  const moments = count(total, "moment");
  if (!is_of_class) return moments;
  if (!expected) return `${moments}, precision not known yet: rate some`;
  return `${moments}, precision ${estimateWords(expected)}`;
}

/**
 * Returns a finder by its name and the time at which it was made, for two may have one name:
 * "finder of 276 ratings (today 11:02)".
 * @param {Pick<FinderView, "name" | "made_at">} finder
 * @param {Date} [now]
 * @returns {string}
 */
export function finderWords({ name, made_at }, now = new Date()) {
  const made = new Date(made_at);
  const is_today = made.toDateString() === now.toDateString();
  const time = is_today ? `today ${made.toLocaleTimeString(undefined, { timeStyle: "short" })}` : dateWords(made_at);
  return time ? `${name} (${time})` : name;
}

/**
 * Returns a time of UTC as people here read it; "" for none.
 * @param {string} iso
 * @returns {string}
 */
export function dateWords(iso) {
  const date = new Date(iso);
  if (!iso || Number.isNaN(date.getTime())) return "";
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
