/** What the page of a video knows: its curves, moments and ratings. Changes are the event "change". */
import { getJson, send } from "./api.js";
import { GivenRatings, newestLast } from "./video-given.js";

/** @typedef {import("./views").VideoView} VideoView */
/** @typedef {import("./views").CurvesView} CurvesView */
/** @typedef {import("./views").CurveView} CurveView */
/** @typedef {import("./views").MomentView} MomentView */
/** @typedef {import("./views").RatingView} RatingView */
/** @typedef {import("./timeline.js").Selection} Selection */

const TOP = 8; // classes that are shown at first
const MOST = 24; // classes that are shown

export class VideoModel extends EventTarget {
  /** @type {CurveView[]} */
  curves = [];
  hop_s = 1;
  /** @type {import("./views").Basis} */
  basis = "nothing";
  is_loaded = false;
  /** @type {RatingView[]} that the server has */
  #stored = [];
  #turn = 0; // of the last question for them
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {VideoView} view
   * @param {import("./rate-sender.js").RatingSender} sender
   */
  constructor(view, sender) {
    super();
    this.view = view;
    this.id = view.card.id;
    this.given = new GivenRatings(sender);
  }

  /** @returns {RatingView[]} that count, those on their way included */
  get ratings() {
    return this.given.over(this.#stored);
  }

  /** @param {string} wanted class that is shown, too; "" = none */
  async load(wanted) {
    const [curves, ratings] = await Promise.all([this.#ask({ top: TOP }), getJson("/api/ratings", { video: this.id })]);
    this.#stored = ratings;
    this.#take(curves);
    const rated = new Set(ratings.map((/** @type {RatingView} */ of) => of.class_name));
    if (!this.curves.length) for (const name of [...rated].slice(0, TOP)) this.curves.push({ name, threshold: null, prob: [], moments: [] });
    if (wanted) await this.add(wanted);
    this.is_loaded = true;
    this.#changed();
  }

  /** @param {Record<string, any>} params @returns {Promise<CurvesView>} */
  #ask(params) {
    return getJson("/api/curves", { id: this.id, ...params });
  }

  /** @param {CurvesView} view */
  #take(view) {
    this.hop_s = view.hop_s || this.hop_s;
    this.basis = view.basis;
    const fresh = new Map(view.curves.map((of) => [of.name, of]));
    const kept = this.curves.map((of) => fresh.get(of.name) ?? of);
    const known = new Set(kept.map((of) => of.name));
    this.curves = [...kept, ...view.curves.filter((of) => !known.has(of.name))].slice(-MOST);
  }

  /** Shows a class, too; one without a curve has a lane of ratings alone. @param {string} name */
  async add(name) {
    if (this.curves.some((of) => of.name === name)) return;
    const view = this.view.classes.includes(name) ? await this.#ask({ class: name }) : null;
    if (view?.curves.length) this.#take(view);
    else this.curves = [...this.curves, { name, threshold: null, prob: [], moments: [] }];
    this.#changed();
  }

  /** Shows the curves again, as after learning. */
  async reload() {
    this.#take(await this.#ask({ class: this.curves.map((of) => of.name) }));
    this.#changed();
  }

  /** @param {string} name of a new class */
  async make(name) {
    const made = await send("POST", "/api/classes", { name });
    this.view.classes.push(made.name);
    await this.add(made.name);
    return made.name;
  }

  /** @param {string} name @returns {MomentView[]} in time, with what was said of them */
  momentsOf(name) {
    return this.curves.find((of) => of.name === name)?.moments ?? [];
  }

  /**
   * Gives a rating: it is shown at once, and kept until the server has stored it.
   * @param {Selection} selection
   * @param {import("./views").Answer} answer
   * @returns {string} its name here
   */
  rate({ name, start, end }, answer) {
    const rating = { video: this.id, start_s: start, end_s: end, class_name: name, answer };
    const { id, settled } = this.given.give(rating);
    this.#show();
    void settled.then(() => this.refreshSoon());
    return id;
  }

  /**
   * Takes a rating back that was given here.
   * @param {string} [id] its name here; none: the last one
   * @returns {RatingView | null} it; null where there is none
   */
  undo(id = this.given.last) {
    const undone = id === undefined ? null : this.given.takeBack(id);
    if (!undone) return null;
    this.#show();
    void undone.settled.then(() => this.refreshSoon());
    return undone.rating;
  }

  /** Takes any rating of this video back. @param {RatingView} rating */
  remove(rating) {
    const settled = this.given.remove(rating);
    this.#show();
    void settled.then(() => this.refreshSoon());
  }

  /** Asks for the ratings again once all that has just been stored is known to be. */
  refreshSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#refresh(), 0);
  }

  /** Asks for the ratings again; what is on its way is shown until an answer knows of it. */
  async #refresh() {
    const turn = (this.#turn += 1);
    const forget = this.given.settled();
    try {
      const ratings = await getJson("/api/ratings", { video: this.id });
      if (turn !== this.#turn) return; // a later question is on its way
      this.#stored = ratings;
    } catch {
      return; // the next one that is stored asks again
    }
    forget();
    this.#show();
  }

  #show() {
    const { ratings } = this;
    for (const curve of this.curves) {
      for (const moment of curve.moments) moment.rating = ratingOf(moment, ratings);
    }
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * Returns the value of the last rating that overlaps a moment by half of either, as the server does.
 * Pure.
 * @param {MomentView} moment
 * @param {readonly RatingView[]} ratings
 * @returns {number | null}
 */
export function ratingOf(moment, ratings) {
  const fits = ratings.filter((of) => {
    if (of.class_name !== moment.class_name || of.value === null || of.end_s === null) return false;
    const common = Math.min(of.end_s, moment.end_s) - Math.max(of.start_s, moment.start_s);
    return common > 0 && common >= Math.min(of.end_s - of.start_s, moment.end_s - moment.start_s) / 2;
  });
  return fits.sort(newestLast).at(-1)?.value ?? null;
}
