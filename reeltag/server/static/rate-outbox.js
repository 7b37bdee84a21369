/**
 * Ratings on their way to the server: none is lost.
 *
 * A rating is written into the browser's storage first, then sent, and removed once the server has
 * said that it is stored. Where the server cannot be reached, it is sent again until it can, also
 * by a page that is opened later. One that the server refuses is kept, with the reason, until a
 * person discards it. Ratings are sent one after the other, in the order in which they were given.
 *
 * @typedef {{video: string, start_s: number, end_s: number | null, class_name: string,
 *   answer: "yes" | "no" | "unsure", origin: "queue" | "search" | "timeline",
 *   chance?: number}} Rating
 * @typedef {{rating: Rating} | {undo: number}} Message what is sent: a rating, or the key of one
 *   that is taken back
 * @typedef {{id: string, message: Message, refused: string}} Item
 * @typedef {{key: number} & Record<string, unknown>} Stored
 * @typedef {{getItem(key: string): string | null, setItem(key: string, value: string): void,
 *   removeItem(key: string): void, key(index: number): string | null, readonly length: number
 * }} Store as localStorage
 */

const RETRY_MS = [1000, 2000, 5000, 10_000, 30_000];
/** What may go away by itself: sent again. All other errors of 400 to 499 are refusals. */
const PASSING = new Set([401, 403, 408, 425, 429]);

/**
 * Return whether a request that failed is worth sending again.
 * @param {unknown} error with `status`, where the server answered
 * @returns {boolean}
 */
export function isPassing(error) {
  const status = Number(/** @type {{status?: number}} */ (error)?.status ?? 0);
  return !(status >= 400 && status < 500) || PASSING.has(status);
}

export class Outbox {
  /** @type {Item[]} in order */
  #items = [];
  /** @type {Map<string, (stored: Stored | null) => void>} */
  #waiting = new Map();
  #isSending = false;
  #failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {object} how
   * @param {string} how.project that the ratings are of: pages of several share a storage
   * @param {Store} how.store
   * @param {(message: Message) => Promise<Stored | null>} how.send rejects with an error that has
   *   `status` where the server has answered
   * @param {() => void} [how.onChange] after each change of `waiting` or `refused`
   * @param {readonly number[]} [how.retryMs] pauses before it is sent again
   */
  constructor({ project, store, send, onChange = () => {}, retryMs = RETRY_MS }) {
    this.prefix = `reeltag.outbox.${project}.`;
    this.store = store;
    this.send = send;
    this.onChange = onChange;
    this.retryMs = retryMs;
    this.#items = this.#read();
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
    const id = `${String(Date.now()).padStart(15, "0")}-${Math.random().toString(36).slice(2, 10)}`;
    const item = { id, message, refused: "" };
    this.#items.push(item);
    this.#write(item);
    const stored = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.onChange();
    void this.flush();
    return { id, stored };
  }

  /**
   * Take back what was not sent yet.
   * @param {string} id
   * @returns {boolean} whether it was still here, and is gone
   */
  drop(id) {
    const at = this.#items.findIndex((item) => item.id === id);
    if (at < 0 || (at === 0 && this.#isSending)) return false;
    this.#settle(this.#items[at], null);
    return true;
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
    if (this.#isSending) return;
    clearTimeout(this.#timer);
    this.#isSending = true;
    try {
      for (let item = this.#next(); item; item = this.#next()) await this.#sendOne(item);
      this.#failures = 0;
    } catch {
      const pause = this.retryMs[Math.min(this.#failures++, this.retryMs.length - 1)];
      this.#timer = setTimeout(() => void this.flush(), pause);
    } finally {
      this.#isSending = false;
      this.onChange();
    }
  }

  /** @param {Item} item */
  async #sendOne(item) {
    try {
      this.#settle(item, await this.send(item.message));
    } catch (error) {
      if (isPassing(error)) throw error;
      item.refused = error instanceof Error ? error.message : String(error);
      this.#write(item);
      this.#answer(item.id, null);
    }
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
    this.store.removeItem(this.prefix + item.id);
    this.#answer(item.id, stored);
    this.onChange();
  }

  /**
   * @param {string} id
   * @param {Stored | null} stored
   */
  #answer(id, stored) {
    this.#waiting.get(id)?.(stored);
    this.#waiting.delete(id);
  }

  /** @param {Item} item */
  #write(item) {
    try {
      this.store.setItem(this.prefix + item.id, JSON.stringify(item));
    } catch {
      // a full or forbidden storage: the page itself still keeps and sends it
    }
  }

  /** @returns {Item[]} of pages before this one, oldest first */
  #read() {
    const keys = Array.from({ length: this.store.length }, (_, n) => this.store.key(n) ?? "");
    const found = keys.filter((key) => key.startsWith(this.prefix)).sort();
    return found.flatMap((key) => {
      try {
        return [JSON.parse(this.store.getItem(key) ?? "")];
      } catch {
        return [];
      }
    });
  }
}
