/**
 * Ratings on their way to the server: none is lost, none is sent twice.
 *
 * A rating is written into the browser's storage first, then sent, and removed once the server has
 * said that it is stored. Where the server cannot be reached, it is sent again until it can, also
 * by a page that is opened later. One that the server refuses is kept, with the reason, until a
 * person discards it. Ratings are sent one after the other, in the order in which they were given,
 * each under a name of its own: where the answer was lost, the server stores it once all the same.
 *
 * Pages of one project share the storage. Each sends what was given on it, and takes over what a
 * page that is closed has left: a page holds a lock of its own as long as it is open, and all send
 * under one lock, reading the storage once they have it. Where the browser has no locks, a page
 * takes over all that it finds when it opens.
 *
 * @typedef {{video: string, start_s: number, end_s: number | null, class_name: string,
 *   answer: "yes" | "no" | "unsure", origin: "queue" | "search" | "timeline",
 *   chance?: number}} Rating
 * @typedef {{rating: Rating} | {undo: number}} Message what is sent: a rating, or the key of one
 *   that is taken back
 * @typedef {{id: string, page: string, message: Message, refused: string, is_taken_back?: boolean}} Item
 * @typedef {{key: number} & Record<string, unknown>} Stored
 * @typedef {import("./rate-outbox-store.js").Store} Store
 * @typedef {{request(name: string, run: () => Promise<unknown>): Promise<unknown>,
 *   query(): Promise<{held?: {name?: string}[], pending?: {name?: string}[]}>}} Locks as navigator.locks
 */
import { OutboxStore, newId } from "./rate-outbox-store.js";

const RETRY_MS = [1000, 2000, 5000, 10_000, 30_000];
/** What may go away by itself: sent again. All other errors of 400 to 499 are refusals. */
const PASSING = new Set([401, 403, 408, 425, 429]);
/** What the server says of a rating that does not count any more: there is nothing to take back. */
const GONE = new Set([404, 409]);

/**
 * Return whether a request that failed is worth sending again.
 * @param {unknown} error with `status`, where the server answered
 * @returns {boolean}
 */
export function isPassing(error) {
  const status = statusOf(error);
  return !(status >= 400 && status < 500) || PASSING.has(status);
}

export class Outbox {
  /** @type {Item[]} in order */
  #items = [];
  /** @type {Set<string>} items that the server may have stored: sent, and not answered */
  #unanswered = new Set();
  /** @type {Map<string, (stored: Stored | null) => void>} */
  #waiting = new Map();
  /** @type {Set<string>} items that were given on this page, and are not stored yet */
  #given = new Set();
  /** @type {Map<string, Stored>} what was given on this page and is stored */
  #stored = new Map();
  #is_flushing = false;
  #failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {object} how
   * @param {string} how.project that the ratings are of: pages of several share a storage
   * @param {Store} how.store
   * @param {(message: Message, id: string) => Promise<Stored | null>} how.send what is sent, and the
   *   name under which it is stored once; rejects with an error that has `status` where the server
   *   has answered
   * @param {() => void} [how.onChange] after each change of `waiting` or `refused`
   * @param {readonly number[]} [how.retryMs] pauses before it is sent again
   * @param {Locks} [how.locks] of all pages; none: this page is the only one
   */
  constructor({ project, store, send, onChange = () => {}, retryMs = RETRY_MS, locks }) {
    this.page = newId();
    this.store = new OutboxStore(store, `reeltag.outbox/${encodeURIComponent(project)}/`, this.page);
    this.send = send;
    this.onChange = onChange;
    this.retryMs = retryMs;
    this.locks = locks;
    if (locks) locks.request(this.store.lockOf(this.page), () => new Promise(() => {})).catch(() => {});
    else this.#items = this.store.takeOver();
  }

  /** @returns {number} how many are not stored yet */
  get waiting() {
    return this.#items.filter((item) => !item.refused).length;
  }

  /** @returns {Item[]} that the server will not store, with the reasons */
  get refused() {
    return this.#items.filter((item) => item.refused);
  }

  /** @returns {boolean} whether the last attempt failed */
  get isStuck() {
    return this.#failures > 0 && this.waiting > 0;
  }

  /**
   * Send, or keep until it can be sent.
   * @param {Message} message
   * @returns {{id: string, stored: Promise<Stored | null>}} its name here, and what the server
   *   says once it is stored; null where it was taken back or refused
   */
  add(message) {
    const item = { id: newId(), page: this.page, message, refused: "" };
    this.#items.push(item);
    this.#given.add(item.id);
    this.store.write(item);
    const stored = this.#settled(item.id);
    this.onChange();
    void this.flush();
    return { id: item.id, stored };
  }

  /**
   * Take back what was given on this page: before it is sent, or once it is stored.
   * @param {string} id
   * @returns {Promise<void>} until it counts no longer
   */
  async takeBack(id) {
    const item = this.#items.find((other) => other.id === id);
    const stored = this.#stored.get(id);
    if (item && this.#unanswered.has(id)) {
      item.is_taken_back = true; // once the server has said by which key it knows it
      this.store.write(item);
      await this.#settled(id);
    } else if (item) {
      this.#settle(item, null);
    } else if (stored) {
      this.#stored.delete(id);
      await this.add({ undo: stored.key }).stored;
    }
  }

  /** Forget those that the server refused. */
  discardRefused() {
    for (const item of this.refused) this.#settle(item, null);
  }

  /** Send nothing again by itself; what waits stays in the storage. */
  stop() {
    clearTimeout(this.#timer);
  }

  /** Send what waits; again later where that fails. */
  async flush() {
    if (this.#is_flushing) return;
    clearTimeout(this.#timer);
    this.#is_flushing = true;
    const { locks } = this;
    if (!locks) return this.#sendAll();
    const run = async () => {
      const { held = [], pending = [] } = await locks.query();
      const left = this.store.takeOver([...held, ...pending].map((of) => of.name ?? ""));
      this.#items = [...left, ...this.store.reread(this.#items, this.#given)];
      await this.#sendAll();
    };
    await locks.request(this.store.lockOf("send"), run).catch(() => (this.#is_flushing = false)); // the page ends
  }

  async #sendAll() {
    try {
      for (let item = this.#next(); item; item = this.#next()) await this.#sendOne(item);
      this.#failures = 0;
    } catch {
      const pause = this.retryMs[Math.min(this.#failures++, this.retryMs.length - 1)];
      this.#timer = setTimeout(() => void this.flush(), pause);
    } finally {
      this.#is_flushing = false;
      this.onChange();
    }
  }

  /** @param {Item} item */
  async #sendOne(item) {
    this.#unanswered.add(item.id);
    try {
      const stored = await this.send(item.message, item.id);
      if (item.is_taken_back && stored && "rating" in item.message) {
        item.message = { undo: stored.key };
        this.store.write(item);
      } else {
        if (stored && "rating" in item.message) this.#stored.set(item.id, stored);
        this.#settle(item, item.is_taken_back ? null : stored);
      }
    } catch (error) {
      const status = statusOf(error);
      if (status >= 400 && status < 500) this.#unanswered.delete(item.id);
      if (isPassing(error)) throw error;
      if (item.is_taken_back || ("undo" in item.message && GONE.has(status))) this.#settle(item, null);
      else this.#refuse(item, error);
    }
  }

  /**
   * @param {Item} item
   * @param {unknown} error
   */
  #refuse(item, error) {
    item.refused = error instanceof Error ? error.message : String(error);
    this.store.write(item);
    this.#tell(item.id, null);
  }

  /** @returns {Item | undefined} */
  #next() {
    return this.#items.find((item) => !item.refused);
  }

  /**
   * @param {Item} item
   * @param {Stored | null} stored
   */
  #settle(item, stored) {
    this.#items = this.#items.filter((other) => other !== item);
    this.#given.delete(item.id);
    this.#unanswered.delete(item.id);
    this.store.remove(item.id);
    this.#tell(item.id, stored);
    this.onChange();
  }

  /**
   * @param {string} id
   * @returns {Promise<Stored | null>} what the server says once it is stored
   */
  #settled(id) {
    return new Promise((resolve) => {
      const before = this.#waiting.get(id);
      this.#waiting.set(id, (stored) => {
        before?.(stored);
        resolve(stored);
      });
    });
  }

  /**
   * @param {string} id
   * @param {Stored | null} stored
   */
  #tell(id, stored) {
    this.#waiting.get(id)?.(stored);
    this.#waiting.delete(id);
  }
}

/**
 * @param {unknown} error
 * @returns {number} 0 = the server has not answered
 */
function statusOf(error) {
  return Number(/** @type {{status?: number}} */ (error)?.status ?? 0);
}
