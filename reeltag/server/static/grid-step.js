/** Where the arrow keys lead in a grid whose last row may be short. Pure. */

/**
 * Returns the item of a grid that a key leads to.
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
  const last_row = Math.floor((count - 1) / columns);
  return key === "ArrowDown" && Math.floor(at / columns) < last_row ? count - 1 : null;
}
