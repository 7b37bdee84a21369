/** Numbers as people read them. Pure. */

/** @typedef {import("./views").WeightedEstimate} WeightedEstimate */

/**
 * Returns a time as a clock shows it: 3:07, 1:02:03, with digits 3:07.4.
 * @param {number} seconds
 * @param {number} [digits] of a second's fraction
 * @returns {string}
 */
export function clock(seconds, digits = 0) {
  if (!Number.isFinite(seconds)) return "–";
  const scale = 10 ** digits;
  const units = Math.round(Math.max(0, seconds) * scale);
  const whole = Math.floor(units / scale);
  const [hour, minute, second] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ of) => String(of).padStart(2, "0");
  const fraction = digits ? `.${String(units % scale).padStart(digits, "0")}` : "";
  return `${hour ? `${hour}:${two(minute)}` : minute}:${two(second)}${fraction}`;
}

/**
 * Returns an interval, with tenths only where they are not zero: "0:05 to 0:10", "0:12.0 to 0:17.5".
 * @param {number} start seconds
 * @param {number | null} end seconds; null = of the whole video
 * @returns {string}
 */
export function interval(start, end) {
  if (end === null) return "the whole video";
  const is_whole = [start, end].every((of) => Math.abs(of - Math.round(of)) < 0.05);
  const digits = is_whole ? 0 : 1;
  return `${clock(start, digits)} to ${clock(end, digits)}`;
}

/**
 * Returns the answer of a rating's value.
 * @param {number | null} value in [0, 1]; null = there is no rating
 * @returns {"yes" | "no" | null}
 */
export function answerOf(value) {
  if (value === null) return null;
  return value > 0.5 ? "yes" : "no";
}

/**
 * Returns how long something is, in words: "12 s", "3 min", "1 h 20 min".
 * @param {number} seconds
 * @returns {string}
 */
export function duration(seconds) {
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest ? ` ${rest} min` : ""}`;
}

/**
 * Returns a probability with two digits, never 0 or 1 where it is not: ".42", "<.01", ">.99".
 * @param {number} value in [0, 1]
 * @returns {string}
 */
export function prob(value) {
  if (value > 0 && value < 0.005) return "<.01";
  if (value < 1 && value >= 0.995) return ">.99";
  return value >= 1 ? "1.0" : value.toFixed(2).replace(/^0/, "");
}

/**
 * Returns a fraction as a percentage: "42 %".
 * @param {number} value in [0, 1]
 * @returns {string}
 */
export function percent(value) {
  return `${Math.round(100 * value)} %`;
}

/**
 * Returns a number with its thing: "1 video", "1,234 videos".
 * @param {number} number
 * @param {string} one
 * @param {string} [many] where it is not `one` with an s
 * @returns {string}
 */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/**
 * Returns an estimate with its interval and what is behind it: "0.85 (0.71 to 0.93) by 41 ratings".
 * @param {WeightedEstimate | null} estimate
 * @param {(value: number) => string} [words] of a value
 * @returns {string}
 */
export function estimateWords(estimate, words = (value) => value.toFixed(2)) {
  if (!estimate) return "not known yet";
  const { value, low, high, num_ratings: number } = estimate;
  const [mid, from, to] = [value, low, high].map((of) => words(of));
  return `${mid} (${from} to ${to}) by ${count(number, "rating")}`;
}

/**
 * Returns which of the names fit what was typed, best first: those that begin so, then those with a
 * word that begins so, then those that hold it, then those that hold its letters in order.
 * @param {readonly string[]} names
 * @param {string} typed
 * @param {number} [most]
 * @returns {string[]}
 */
export function fitting(names, typed, most = 12) {
  const wanted = typed.trim().toLowerCase();
  if (!wanted) return names.slice(0, most);
  /** @type {string[][]} */
  const ranks = [[], [], [], []];
  for (const name of names) {
    const at = rankOf(name.toLowerCase(), wanted);
    if (at >= 0) ranks[at].push(name);
  }
  const by_length = (/** @type {string} */ a, /** @type {string} */ b) => a.length - b.length;
  return ranks.flatMap((of) => of.sort(by_length)).slice(0, most);
}

/** @param {string} name @param {string} wanted @returns {number} */
function rankOf(name, wanted) {
  if (name.startsWith(wanted)) return 0;
  if (name.split(/[^\p{L}\p{N}]+/u).some((word) => word.startsWith(wanted))) return 1;
  if (name.includes(wanted)) return 2;
  let at = 0;
  for (const letter of name) if (letter === wanted[at]) at += 1;
  return wanted.length >= 3 && at === wanted.length ? 3 : -1;
}
