/** Seconds and pixels of a time line, and what is where in it. Pure. */

/** @typedef {{ start: number, end: number }} Span in seconds */
/** @typedef {import("./views").MomentView} MomentView */

export const LEAST_S = 1; // that a time line shows

/**
 * Returns a span moved and cut so that it lies in [0, duration].
 * @param {Span} span
 * @param {number} duration
 * @returns {Span}
 */
export function clamped({ start, end }, duration) {
  const length = Math.min(Math.max(end - start, Math.min(LEAST_S, duration)), duration);
  const from = Math.min(Math.max(0, start), duration - length);
  return { start: from, end: from + length };
}

/**
 * Returns a span that is `factor` times as long, with `around` at the same place of it.
 * @param {Span} span
 * @param {number} factor
 * @param {number} around seconds
 * @param {number} duration
 * @returns {Span}
 */
export function zoomed({ start, end }, factor, around, duration) {
  const at = Math.min(Math.max(around, start), end);
  const length = Math.min(Math.max((end - start) * factor, LEAST_S), duration);
  const from = at - ((at - start) / (end - start || 1)) * length;
  return clamped({ start: from, end: from + length }, duration);
}

/**
 * Returns the pixel of a time.
 * @param {Span} span
 * @param {number} width
 * @param {number} time
 */
export function pixelOf({ start, end }, width, time) {
  return ((time - start) / (end - start)) * width;
}

/**
 * Returns the time of a pixel.
 * @param {Span} span
 * @param {number} width
 * @param {number} x
 */
export function timeOf({ start, end }, width, x) {
  return start + (x / width) * (end - start);
}

const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000];

/**
 * Returns round times, at least `least` pixels from each other.
 * @param {Span} span
 * @param {number} width
 * @param {number} [least]
 * @returns {{ step: number, times: number[] }}
 */
export function ticks({ start, end }, width, least = 80) {
  const wanted = ((end - start) * least) / Math.max(width, 1);
  const step = STEPS_S.find((of) => of >= wanted) ?? STEPS_S[STEPS_S.length - 1] * Math.ceil(wanted / 36000);
  const first = Math.ceil(start / step - 1e-9);
  const number = Math.floor(end / step + 1e-9) - first + 1;
  return { step, times: Array.from({ length: Math.max(0, number) }, (_, at) => (first + at) * step) };
}

/**
 * Returns the highest value in each pixel; steps that are wider than a pixel fill all of theirs.
 * @param {readonly number[]} values one per step
 * @param {number} step_s seconds from one to the next; value n covers [n, n + 1) steps
 * @param {Span} span
 * @param {number} width pixels
 * @returns {Float32Array} (width,); NaN where there is no value
 */
export function columnMaxima(values, step_s, { start, end }, width) {
  const columns = new Float32Array(width).fill(NaN);
  const per_pixel = (end - start) / width / step_s;
  for (let x = 0; x < width; x += 1) {
    const from = start / step_s + x * per_pixel;
    const first = Math.max(0, Math.floor(from));
    const last = Math.min(values.length - 1, Math.max(first, Math.ceil(from + per_pixel) - 1));
    if (from >= values.length) break;
    let most = values[first];
    for (let at = first + 1; at <= last; at += 1) if (values[at] > most) most = values[at];
    columns[x] = most;
  }
  return columns;
}

/**
 * Returns the value at a time; null = there is none.
 * @param {readonly number[]} values
 * @param {number} step_s
 * @param {number} time
 * @returns {number | null}
 */
export function valueAt(values, step_s, time) {
  return values[Math.min(values.length - 1, Math.max(0, Math.floor(time / step_s + 1e-9)))] ?? null;
}

/**
 * Returns the shortest moment that covers a time.
 * @param {readonly MomentView[]} moments
 * @param {number} time
 * @returns {MomentView | null}
 */
export function momentAt(moments, time) {
  const here = moments.filter((of) => of.start_s <= time && time < of.end_s);
  return here.sort((a, b) => a.end_s - a.start_s - (b.end_s - b.start_s))[0] ?? null;
}

/**
 * Returns the next moment without a rating before or after a time; where all have one, the next.
 * @param {readonly MomentView[]} moments
 * @param {number} time
 * @param {1 | -1} way
 * @returns {MomentView | null}
 */
export function nextMoment(moments, time, way) {
  const ordered = [...moments].sort((a, b) => way * (a.start_s - b.start_s));
  const ahead = ordered.filter((of) => way * (of.start_s - time) > 0.01);
  return ahead.find((of) => of.rating === null) ?? ahead[0] ?? null;
}

export const LEAST_INTERVAL_S = 0.2; // that can be marked

/**
 * Returns an interval with one of its edges at another time, at least `least` s long.
 * @param {Span} span
 * @param {"start" | "end"} edge
 * @param {number} time
 * @param {number} duration
 * @param {number} [least]
 * @returns {Span} to a tenth of a second
 */
export function withEdge({ start, end }, edge, time, duration, least = LEAST_INTERVAL_S) {
  const to = Math.round(time * 10) / 10;
  if (edge === "start") return { start: Math.max(0, Math.min(to, end - least)), end };
  return { start, end: Math.min(duration, Math.max(to, start + least)) };
}
