/**
 * Where values are on a drawn axis: for intervals of differences, and of fractions.
 */

/**
 * Return an axis around zero that holds all intervals, as wide on both sides.
 * @param {readonly {low: number, high: number}[]} intervals
 * @returns {{from: number, to: number, ticks: number[]}}
 */
export function differenceAxis(intervals) {
  const widest = Math.max(0, ...intervals.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]));
  const step = [0.02, 0.05, 0.1, 0.2, 0.5].find((of) => of * 2 >= widest) ?? 0.5;
  const end = Math.max(step, Math.ceil(widest / step - 1e-9) * step);
  const ticks = [-end, -end / 2, 0, end / 2, end].map((tick) => Number(tick.toFixed(3)) + 0);
  return { from: -end, to: end, ticks };
}

/**
 * Return where a value is on an axis, in percent of its length; what is beyond is at its end.
 * @param {number} value
 * @param {number} from
 * @param {number} to
 * @returns {number}
 */
export function place(value, from, to) {
  return Math.max(0, Math.min(100, (100 * (value - from)) / (to - from)));
}

/**
 * Return rows in the order of a column; those without a value last, equal ones by name.
 * @template {{name: string}} T
 * @param {readonly T[]} rows
 * @param {(row: T) => string | number | null} value
 * @param {boolean} descending
 * @returns {T[]}
 */
export function sortedBy(rows, value, descending) {
  const sign = descending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === null || b === null) return Number(a === null) - Number(b === null) || byName(one, other);
    if (typeof a === "string" || typeof b === "string") {
      return sign * String(a).localeCompare(String(b)) || byName(one, other);
    }
    return sign * (a - b) || byName(one, other);
  });
}

/**
 * @param {{name: string}} one
 * @param {{name: string}} other
 * @returns {number}
 */
function byName(one, other) {
  return one.name.localeCompare(other.name);
}
