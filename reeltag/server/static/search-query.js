import { address } from "./api.js";

/**
 * What the search page looks for, as its address says it, and the addresses of what it fetches.
 *
 * @typedef {{class_name: string, text: string, video: string, at: number,
 *   threshold: number | null, search: string}} SearchQuery of `class_name`, `text` and `video` at
 *   most one is set; `search` is a part of videos' names; threshold null = as suggested
 */

/** Moments in one answer. */
export const PAGE = 48;

/**
 * Return what an address asks for.
 * @param {string} search of the address, as "?class=guitar"
 * @returns {SearchQuery}
 */
export function readQuery(search) {
  const given = new URLSearchParams(search);
  return {
    class_name: given.get("class") ?? "",
    text: given.get("text") ?? "",
    video: given.get("video") ?? "",
    at: numberOr(given.get("at"), 0) ?? 0,
    threshold: numberOr(given.get("threshold"), null),
    search: given.get("search") ?? "",
  };
}

/**
 * Return whether there is anything to look for.
 * @param {SearchQuery} query
 * @returns {boolean}
 */
export function isAsked(query) {
  return Boolean(query.class_name || query.text || query.video);
}

/**
 * Return the parameters of a query, as api.js's `address` takes them.
 * @param {SearchQuery} query
 * @returns {Record<string, any>}
 */
function queryParams({ class_name, text, video, at, threshold, search }) {
  const what = class_name ? { class: class_name } : text ? { text } : video ? { video, at } : {};
  return { ...what, threshold: threshold === null ? null : rounded(threshold, 1000), search };
}

/**
 * Return the address of the page that shows a query.
 * @param {SearchQuery} query
 * @returns {string}
 */
export function pageAddress(query) {
  return address("/search", queryParams(query));
}

/**
 * Return the address of a part of the results.
 * @param {SearchQuery} query
 * @param {number} offset
 * @returns {string}
 */
export function resultsAddress(query, offset) {
  return address("/api/search", { ...queryParams(query), offset, limit: PAGE });
}

/**
 * Return the address of the results as a file.
 * @param {SearchQuery} query
 * @param {number} threshold that is shown
 * @param {string} format
 * @returns {string}
 */
export function exportAddress(query, threshold, format) {
  const shown = { ...query, threshold: query.video ? null : threshold };
  return address("/api/search/export", { ...queryParams(shown), format });
}

/**
 * Return the address of a moment on its video's page.
 * @param {{video: string, start_s: number, class_name: string}} moment
 * @returns {string}
 */
export function momentAddress({ video, start_s, class_name }) {
  return address("/video", { id: video, at: rounded(start_s, 100), class: class_name });
}

/**
 * @param {number} value
 * @param {number} parts of 1 that it is rounded to
 * @returns {number}
 */
function rounded(value, parts) {
  return Math.round(value * parts) / parts;
}

/**
 * @template T
 * @param {string | null} words
 * @param {T} otherwise
 * @returns {number | T}
 */
function numberOr(words, otherwise) {
  if (words === null || words.trim() === "") return otherwise;
  const number = Number(words);
  return Number.isFinite(number) ? number : otherwise;
}
