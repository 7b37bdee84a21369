/**
 * Ratings that were given on the page of a video: shown at once, until the server's answer has them.
 *
 * @typedef {import("./views").RatingView} RatingView
 * @typedef {import("./views").Answer} Answer
 * @typedef {{video: string, start_s: number, end_s: number, class_name: string, answer: Answer}} Given
 * @typedef {{give(rating: Given & {origin: "timeline"}): string, stored(id: string): Promise<unknown>,
 *   takeBack(id: string): Promise<void>, undo(key: number): Promise<void>}} Sender
 * @typedef {{id: string, rating: RatingView | null, hides: (of: RatingView) => boolean,
 *   is_settled: boolean}} Change a rating that is shown, where there is one, and which are not
 */

const VALUES = { yes: 1, no: 0, unsure: null };

export class GivenRatings {
  /** @type {Change[]} that the server's answers may not know of yet, in order */
  #changes = [];
  /** @type {{id: string, rating: RatingView, key: number}[]} that may be taken back, in order */
  #given = [];

  /** @param {Sender} sender */
  constructor(sender) {
    this.sender = sender;
  }

  /** @returns {string | undefined} name of the last rating that can be taken back */
  get last() {
    return this.#given.at(-1)?.id;
  }

  /**
   * Give a rating.
   * @param {Given} given
   * @returns {{id: string, settled: Promise<void>}} its name here; until the server has answered
   */
  give(given) {
    const id = this.sender.give({ ...given, origin: "timeline" });
    /** @type {RatingView} */
    const rating = { ...given, key: 0, value: VALUES[given.answer], who: "", rated_at: "", origin: "timeline" };
    const entry = { id, rating, key: 0 };
    this.#given.push(entry);
    const settled = this.sender.stored(id).then((stored) => {
      if (stored) entry.key = /** @type {{key: number}} */ (stored).key;
      else this.#given = this.#given.filter((of) => of !== entry);
    });
    const hides = (/** @type {RatingView} */ of) => of.who === "" && isSameWindow(of, rating);
    return { id, settled: this.#change({ id, rating, hides, is_settled: false }, settled) };
  }

  /**
   * Take back what was given here.
   * @param {string} id
   * @returns {{rating: RatingView, settled: Promise<void>} | null} null = it is not known here
   */
  takeBack(id) {
    const entry = this.#given.find((of) => of.id === id);
    if (!entry) return null;
    this.#given = this.#given.filter((of) => of !== entry);
    this.#changes = this.#changes.filter((of) => of.id !== id);
    const hides = (/** @type {RatingView} */ of) => of.key !== 0 && of.key === entry.key;
    const settled = this.sender.takeBack(id);
    return { rating: entry.rating, settled: this.#change({ id: "", rating: null, hides, is_settled: false }, settled) };
  }

  /**
   * Take back any rating.
   * @param {RatingView} rating
   * @returns {Promise<void>} until the server has answered
   */
  remove(rating) {
    const entry = this.#given.find((of) => of.rating === rating || (of.key !== 0 && of.key === rating.key));
    const undone = entry && this.takeBack(entry.id);
    if (undone) return undone.settled;
    const hides = (/** @type {RatingView} */ of) => of.key === rating.key;
    return this.#change({ id: "", rating: null, hides, is_settled: false }, this.sender.undo(rating.key));
  }

  /**
   * Return the ratings that count once all changes are stored. Those on their way have the key 0.
   * @param {readonly RatingView[]} stored that the server has
   * @returns {RatingView[]}
   */
  over(stored) {
    let shown = [...stored];
    for (const { rating, hides } of this.#changes) {
      shown = shown.filter((of) => !hides(of));
      if (rating) shown.push(rating);
    }
    return shown;
  }

  /**
   * Return what forgets the changes that the server has answered by now: to be called once it was
   * asked again.
   * @returns {() => void}
   */
  settled() {
    const known = new Set(this.#changes.filter((of) => of.is_settled));
    return () => {
      this.#changes = this.#changes.filter((of) => !known.has(of));
    };
  }

  /**
   * @param {Change} change
   * @param {Promise<void>} settled
   * @returns {Promise<void>}
   */
  async #change(change, settled) {
    this.#changes.push(change);
    await settled;
    change.is_settled = true;
  }
}

/**
 * Compare ratings: the one that was given last is the last one, those on their way after all others.
 * @param {RatingView} one
 * @param {RatingView} other
 * @returns {number}
 */
export function newestLast(one, other) {
  return Number(one.key === 0) - Number(other.key === 0) || one.rated_at.localeCompare(other.rated_at);
}

/**
 * @param {RatingView} one
 * @param {RatingView} other
 * @returns {boolean} times are equal to a millisecond
 */
function isSameWindow(one, other) {
  const ms = (/** @type {number | null} */ time) => (time === null ? null : Math.round(1000 * time));
  return one.class_name === other.class_name && ms(one.start_s) === ms(other.start_s) && ms(one.end_s) === ms(other.end_s);
}
