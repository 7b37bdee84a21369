/**
 * Which thumbnails of a sprite show an interval, and where they are in its picture.
 *
 * @typedef {{width: number, height: number, columns: number, count: number, step_s: number}} Sprite
 * @typedef {{index: number, x: number, y: number}} Cell x and y: percent, as background-position
 */

/**
 * Return the columns and rows of a sprite's picture; few thumbnails have fewer columns.
 * @param {Sprite} sprite
 * @returns {{columns: number, rows: number}}
 */
export function sheetOf({ columns, count }) {
  const wide = Math.max(1, Math.min(columns, count));
  return { columns: wide, rows: Math.max(1, Math.ceil(count / wide)) };
}

/**
 * Return where a thumbnail is in its sprite.
 * @param {Sprite} sprite
 * @param {number} index
 * @returns {Cell}
 */
function cellOf(sprite, index) {
  const at = Math.max(0, Math.min(index, sprite.count - 1));
  const { columns, rows } = sheetOf(sprite);
  return { index: at, x: percent(at % columns, columns), y: percent(Math.floor(at / columns), rows) };
}

/**
 * Return the thumbnail of a second: what is on display from `index * step_s` on, until the next.
 * @param {Sprite} sprite
 * @param {number} second
 * @returns {Cell}
 */
export function cellAt(sprite, second) {
  return cellOf(sprite, Math.floor(second / sprite.step_s + 1e-9));
}

/**
 * Return different thumbnails that show an interval, in order: of the middles of its equal parts.
 * @param {Sprite} sprite
 * @param {number} start_s
 * @param {number} end_s
 * @param {number} most how many
 * @returns {Cell[]} at least one
 */
export function cellsOf(sprite, start_s, end_s, most) {
  const part = (end_s - start_s) / most;
  const indices = Array.from({ length: most }, (_, n) =>
    cellAt(sprite, start_s + (n + 0.5) * part).index);
  return [...new Set(indices)].map((index) => cellOf(sprite, index));
}

/**
 * Return the interval to play for a moment: no shorter than can be seen.
 * @param {number} start_s
 * @param {number} end_s
 * @param {number} least seconds
 * @returns {[number, number]}
 */
export function loopSpan(start_s, end_s, least) {
  const missing = Math.max(0, least - (end_s - start_s));
  const from = Math.max(0, start_s - missing / 2);
  return [from, Math.max(end_s, from + least)];
}

/**
 * @param {number} place
 * @param {number} places
 * @returns {number}
 */
function percent(place, places) {
  return places > 1 ? (100 * place) / (places - 1) : 0;
}
