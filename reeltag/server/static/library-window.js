/** Which cards of a long list are seen, and where they are. Pure: numbers in, numbers out. */

/**
 * @typedef {object} Layout
 * @property {number} columns
 * @property {number} width of a card, in pixels
 * @property {number} height of a card
 * @property {number} gap between cards
 * @property {number} total of the list, in pixels
 */

/**
 * Returns how cards fill a width: as many columns as are at least `least` wide.
 * @param {{ width: number, count: number, least: number, gap: number, heightOf: (width: number) => number }} given
 * @returns {Layout}
 */
export function layoutOf({ width, count, least, gap, heightOf }) {
  const columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
  const each = Math.max(1, Math.floor((width - gap * (columns - 1)) / columns));
  const height = heightOf(each);
  const rows = Math.ceil(count / columns);
  return { columns, width: each, height, gap, total: Math.max(0, rows * (height + gap) - gap) };
}

/**
 * Returns where a card is.
 * @param {Layout} layout
 * @param {number} index
 * @returns {{ x: number, y: number }} pixels
 */
export function placeOf({ columns, width, height, gap }, index) {
  return { x: (index % columns) * (width + gap), y: Math.floor(index / columns) * (height + gap) };
}

/**
 * Returns the cards [first, end) that a view shows, and as many rows more on both sides.
 * @param {Layout} layout
 * @param {{ from: number, to: number, count: number, more?: number }} view pixels of the list
 * @returns {{ first: number, end: number }}
 */
export function seen({ columns, height, gap }, { from, to, count, more = 2 }) {
  const row = height + gap;
  const first = Math.max(0, Math.floor(from / row) - more) * columns;
  const end = Math.max(0, Math.floor(to / row) + 1 + more) * columns;
  return { first: Math.min(first, count), end: Math.min(end, count) };
}

/**
 * Returns the numbers of the pages that hold the items [first, end).
 * @param {number} first
 * @param {number} end
 * @param {number} size of a page
 * @returns {number[]}
 */
export function pagesOf(first, end, size) {
  if (end <= first) return [];
  const from = Math.floor(first / size);
  return Array.from({ length: Math.ceil(end / size) - from }, (_, at) => from + at);
}
