/**
 * The browser's storage of ratings that are on their way, which all pages of a project share.
 *
 * @typedef {import("./rate-outbox.js").Item} Item
 * @typedef {{getItem(key: string): string | null, setItem(key: string, value: string): void,
 *   removeItem(key: string): void, key(index: number): string | null, readonly length: number
 * }} Store as localStorage
 */

export class OutboxStore {
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
    } catch {
      // a full or forbidden storage: the page itself still keeps and sends it
    }
  }

  /** @param {string} id */
  remove(id) {
    this.store.removeItem(this.prefix + id);
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

/** @returns {string} a name that no other has; those made later are greater */
export function newId() {
  return `${String(Date.now()).padStart(15, "0")}-${Math.random().toString(36).slice(2, 10)}`;
}
