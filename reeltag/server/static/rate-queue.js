/**
 * Windows to rate, in order: which one is shown, what was answered, and how to go back.
 *
 * @typedef {"yes" | "no" | "unsure" | "skip"} Answer
 * @typedef {{video: string, name: string, start_s: number, end_s: number, class_name: string,
 *   prob: number | null, why: string, chance: number,
 *   sprite: import("./strip-cells.js").Sprite | null}} Window
 * @typedef {{window: Window, answer: Answer, id: string}} Done id: of what was sent; "" = nothing
 */

/** When fewer wait, more are fetched. */
export const FEW = 5;

/**
 * Return what makes a window the same as another.
 * @param {Window} window
 * @returns {string}
 */
export function windowKey({ video, start_s, end_s, class_name }) {
  return JSON.stringify([video, start_s, end_s, class_name]);
}

export class RateQueue {
  /** @type {Window[]} also of classes that are not asked about now */
  #next = [];
  /** @type {Done[]} last one last */
  #done = [];
  /** @type {Set<string>} all that were ever shown or wait here */
  #known = new Set();
  /** @type {readonly string[]} that are asked about; none = all */
  #classes = [];

  /** @returns {Window[]} to be rated, in order */
  get windows() {
    return this.#next.filter((window) => this.#isAsked(window));
  }

  /** @returns {Window | null} to be rated now */
  get current() {
    return this.windows[0] ?? null;
  }

  /** @returns {readonly Done[]} the last one last */
  get done() {
    return this.#done;
  }

  /** @returns {boolean} whether more should be fetched */
  get isShort() {
    return this.windows.length < FEW;
  }

  /** @param {readonly string[]} classes that are asked about; none = all */
  choose(classes) {
    this.#classes = classes;
  }

  /**
   * Add windows that are not known yet.
   * @param {readonly Window[]} windows
   * @returns {number} how many were new
   */
  add(windows) {
    const fresh = windows.filter((window) => !this.#known.has(windowKey(window)));
    for (const window of fresh) this.#known.add(windowKey(window));
    this.#next.push(...fresh);
    return fresh.length;
  }

  /**
   * Answer the current window and go on.
   * @param {Answer} answer
   * @returns {Done} whose `id` may be set
   */
  answer(answer) {
    const window = this.current;
    if (!window) throw new Error("there is no window to rate");
    this.#next.splice(this.#next.indexOf(window), 1);
    const done = { window, answer, id: "" };
    this.#done.push(done);
    return done;
  }

  /**
   * Go back to the window before.
   * @returns {Done | null} what was answered; null where nothing was
   */
  undo() {
    const done = this.#done.pop() ?? null;
    if (!done) return null;
    this.#next.unshift(done.window);
    if (!this.#isAsked(done.window)) this.#classes = [...this.#classes, done.window.class_name];
    return done;
  }

  /** @param {Window} window @returns {boolean} */
  #isAsked({ class_name }) {
    return !this.#classes.length || this.#classes.includes(class_name);
  }
}
