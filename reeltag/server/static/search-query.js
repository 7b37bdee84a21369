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
 * Return the parameters of a query.
 * @param {SearchQuery} query
 * @returns {URLSearchParams}
 */
export function queryParams(query) {
  const params = new URLSearchParams();
  if (query.class_name) params.set("class", query.class_name);
  else if (query.text) params.set("text", query.text);
  else if (query.video) {
    params.set("video", query.video);
    params.set("at", String(query.at));
  }
  if (query.threshold !== null) params.set("threshold", thresholdWords(query.threshold));
  if (query.search) params.set("search", query.search);
  return params;
}

/**
 * Return the address of a part of the results.
 * @param {SearchQuery} query
 * @param {number} offset
 * @returns {string}
 */
export function resultsAddress(query, offset) {
  const params = queryParams(query);
  params.set("offset", String(offset));
  params.set("limit", String(PAGE));
  return `/api/search?${params}`;
}

/**
 * Return the address of the results as a file.
 * @param {SearchQuery} query
 * @param {number} threshold that is shown
 * @param {string} format
 * @returns {string}
 */
export function exportAddress(query, threshold, format) {
  const params = queryParams({ ...query, threshold: query.video ? null : threshold });
  params.set("format", format);
  return `/api/search/export?${params}`;
}

/**
 * Return the address of a moment on its video's page.
 * @param {{video: string, start_s: number, class_name: string}} moment
 * @returns {string}
 */
export function momentAddress({ video, start_s, class_name }) {
  const params = new URLSearchParams({ id: video, at: String(Math.round(start_s * 100) / 100) });
  if (class_name) params.set("class", class_name);
  return `/video?${params}`;
}

/**
 * Return a threshold as the address says it.
 * @param {number} threshold
 * @returns {string}
 */
export function thresholdWords(threshold) {
  return String(Math.round(threshold * 1000) / 1000);
}

/**
 * Return the item of a grid that a key leads to.
 * @param {string} key as of a keyboard event
 * @param {number} at item now
 * @param {number} count of items
 * @param {number} columns
 * @returns {number | null} null = the key leads nowhere
 */
export function gridStep(key, at, count, columns) {
  const to = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    Home: 0,
    End: count - 1,
  }[key];
  if (to === undefined || to < 0) return null;
  if (to < count) return to === at ? null : to;
  const lastRow = Math.floor((count - 1) / columns);
  return key === "ArrowDown" && Math.floor(at / columns) < lastRow ? count - 1 : null;
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
