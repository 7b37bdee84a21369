/**
 * The browser's storage of ratings that are on their way, which all pages of a project share.
 *
 * @typedef {import("./rate-outbox.js").Item} Item
 * @typedef {{getItem(key: string): string | null, setItem(key: string, value: string): void,
 *   removeItem(key: string): void, key(index: number): string | null, readonly length: number
 * }} Store as localStorage
 */

export class OutboxStore {
  /** @type {Set<string>} items that this page has written */
  #written = new Set();

  /**
   * @param {Store} store
   * @param {string} prefix of the keys in it
   * @param {string} page that it is used by
   */
  constructor(store, prefix, page) {
    this.store = store;
    this.prefix = prefix;
    this.page = page;
  }

  /**
   * Return the name of a lock.
   * @param {string} of page, or what is done
   * @returns {string}
   */
  lockOf(of) {
    return this.prefix + of;
  }

  /** @param {Item} item */
  write(item) {
    try {
      this.store.setItem(this.prefix + item.id, JSON.stringify(item));
      this.#written.add(item.id);
    } catch {
      // a full or forbidden storage: the page itself still keeps and sends it
    }
  }

  /** @param {string} id */
  remove(id) {
    this.store.removeItem(this.prefix + id);
    this.#written.delete(id);
  }

  /**
   * Take what closed pages have left: from now on it is this page's.
   * @param {readonly string[]} [held] names of locks, those of open pages among them
   * @returns {Item[]} oldest first
   */
  takeOver(held = []) {
    const keys = Array.from({ length: this.store.length }, (_, n) => this.store.key(n) ?? "");
    const items = keys.filter((key) => key.startsWith(this.prefix)).sort().flatMap((key) => this.#read(key));
    const left = items.filter(({ page }) => page !== this.page && !held.includes(this.lockOf(page)));
    for (const item of left) {
      item.page = this.page;
      this.write(item);
    }
    return left;
  }

  /**
   * Read again what this page holds, for another one may have held this page for closed, and taken
   * it over. What was given here is taken back by this page. What another page has sent is sent
   * again: the server answers with what it has stored. All else is the other page's by now.
   * @param {readonly Item[]} items
   * @param {ReadonlySet<string>} given ids of those that were given on this page
   * @returns {Item[]} those that this page sends
   */
  reread(items, given) {
    return items.filter((item) => {
      if (!this.#written.has(item.id)) return true; // the storage is full: it is known here alone
      const [now] = this.#read(this.prefix + item.id);
      if (now?.page === this.page) return true;
      if (given.has(item.id)) this.write(item);
      return given.has(item.id);
    });
  }

  /**
   * @param {string} key
   * @returns {Item[]} none: it cannot be read
   */
  #read(key) {
    try {
      return [JSON.parse(this.store.getItem(key) ?? "")];
    } catch {
      return [];
    }
  }
}

/** @returns {string} a name that no other has, by 128 random bits; those made later are greater */
export function newId() {
  const random = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0"));
  return `${String(Date.now()).padStart(15, "0")}-${random.join("")}`;
}
