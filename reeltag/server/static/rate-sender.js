/** Gives ratings to the server through the outbox, takes them back, and says what waits. */
import { ApiError, errorWords, send } from "./api.js";
import { h, refill } from "./dom.js";
import { count } from "./format.js";
import { Outbox } from "./rate-outbox.js";

/** @typedef {import("./rate-outbox.js").Rating} Rating */
/** @typedef {import("./rate-outbox.js").Stored} Stored */

export class RatingSender {
  /** @type {Map<string, Promise<Stored | null>>} */
  #stored = new Map();

  /**
   * @param {string} project name of it
   * @param {() => void} [onStored] after each change that the server has stored
   */
  constructor(project, onStored = () => {}) {
    this.banner = h("div", { class: "outbox notice warn", role: "status", hidden: true });
    document.body.append(this.banner);
    this.outbox = new Outbox({
      project,
      store: localStorageOr(),
      send: async (message, id) => {
        const stored = await deliver(message, id);
        onStored();
        return stored;
      },
      onChange: () => this.#draw(),
      locks: navigator.locks, // none where the page is not from this machine and without TLS
    });
    addEventListener("online", () => void this.outbox.flush());
    addEventListener("pageshow", () => void this.outbox.flush());
    this.#draw();
    void this.outbox.flush();
  }

  /**
   * Give a rating; it is kept until the server has stored it.
   * @param {Rating} rating
   * @returns {string} its name here
   */
  give(rating) {
    const { id, stored } = this.outbox.add({ rating });
    this.#stored.set(id, stored);
    return id;
  }

  /**
   * Return what the server says of a rating that was given here, once it is stored.
   * @param {string} id its name here
   * @returns {Promise<Stored | null>} null = it was taken back or refused
   */
  async stored(id) {
    return (await this.#stored.get(id)) ?? null;
  }

  /**
   * Take a rating that was given here back, sent or not.
   * @param {string} id its name here
   * @returns {Promise<void>} until it counts no longer
   */
  takeBack(id) {
    return this.outbox.takeBack(id);
  }

  /**
   * Take a rating back that the server has.
   * @param {number} key
   * @returns {Promise<void>} until it counts no longer
   */
  async undo(key) {
    await this.outbox.add({ undo: key }).stored;
  }

  /** Say what is not stored yet, and what never will be. */
  #draw() {
    if (!this.outbox) return;
    const { waiting, refused, isStuck } = this.outbox;
    const reason = refused[0]?.refused;
    const retry = () => void this.outbox.flush();
    const discard = () => this.outbox.discardRefused();
    this.banner.dataset.waiting = String(waiting);
    this.banner.hidden = !isStuck && !refused.length;
    refill(
      this.banner,
      isStuck && h("span", {}, `${count(waiting, "rating")} not stored yet: the server cannot be reached. Kept in this browser, and sent again.`),
      isStuck && h("button", { type: "button", class: "small", data: { focus: "retry" }, on: { click: retry } }, "Try now"),
      reason && h("span", {}, `${count(refused.length, "rating")} refused: ${reason}.`),
      reason && h("button", { type: "button", class: "small", data: { focus: "discard" }, on: { click: discard } }, "Discard"),
    );
  }
}

/**
 * @param {import("./rate-outbox.js").Message} message
 * @param {string} id under which the server stores it once, however often it is sent
 * @returns {Promise<Stored | null>}
 */
async function deliver(message, id) {
  try {
    if ("rating" in message) return await send("POST", "/api/ratings", { ...message.rating, client_id: id });
    return await send("DELETE", `/api/ratings/${message.undo}`);
  } catch (error) {
    throw new ApiError(errorWords(error), "", error instanceof ApiError ? error.status : 0);
  }
}

/** @returns {Storage} where the browser allows none, one that lasts as long as the page */
function localStorageOr() {
  try {
    localStorage.setItem("reeltag.try", "");
    localStorage.removeItem("reeltag.try");
    return localStorage;
  } catch {
    const items = new Map();
    const store = {
      get length() {
        return items.size;
      },
      key: (/** @type {number} */ index) => [...items.keys()][index] ?? null,
      getItem: (/** @type {string} */ key) => items.get(key) ?? null,
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => void items.set(key, value),
      removeItem: (/** @type {string} */ key) => void items.delete(key),
      clear: () => items.clear(),
    };
    return store;
  }
}
