/** Thousands of cards of which only those that are seen exist; their pages are loaded while one
 * scrolls. `<video-grid>`: set `posters` and `tags`, then `show(params, first)`.
 * Events: "total" (detail: number), "failed" (detail: the error; null = it works again).
 */
import { getJson } from "./api.js";
import { refill } from "./dom.js";
import { gridStep } from "./grid-step.js";
import { cardOf } from "./library-card.js";
import { layoutOf, pagesOf, placeOf, seen } from "./library-window.js";

/** @typedef {import("./views").VideoCard} VideoCard */
/** @typedef {import("./views").VideoList} VideoList */

export const PAGE = 60;
const [LEAST, GAP, MOST_COLUMNS] = [220, 16, 10]; // pixels; columns of a very wide page
const [ABOUT_EM, TAGS_EM, PAD_EM] = [4.25, 1.85, 0.75]; // heights under a poster, in rem
const TOGETHER_MS = 80; // of scrolling, before a page is fetched
const AGAIN_MS = 5000; // until videos that are new, or that are to come, are fetched again

export class VideoGrid extends HTMLElement {
  /** @type {Map<number, VideoCard[]>} */
  #pages = new Map();
  /** @type {Map<number, HTMLElement>} */
  #cards = new Map();
  /** @type {Record<string, any>} */
  #params = {};
  #total = 0;
  #is_drawing = false;
  #width = 0;
  /** @type {number | undefined} */
  #asking;
  #abort = new AbortController();
  /** @type {number | null} card that gets the focus when it is known */
  #wanted = null;
  posters = true;
  tags = true;

  connectedCallback() {
    this.setAttribute("role", "list");
    this.setAttribute("aria-label", "Videos");
    addEventListener("scroll", () => this.#later(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(this);
    this.addEventListener("keydown", (event) => this.#press(event));
    this.addEventListener("focusin", () => (this.#wanted = null));
    setInterval(() => this.#refresh(), AGAIN_MS);
  }

  /**
   * Shows the videos that fit; what was shown goes.
   * @param {Record<string, any>} params of /api/videos, but offset and limit
   * @param {VideoList | null} first what is known of them already
   */
  async show(params, first = null) {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#params = params;
    try {
      const list = first ?? (await this.#fetch(0));
      this.#pages = new Map([[0, list.videos]]);
      this.#take(list);
      this.#clear();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Fetches what is seen again, as after an extraction; the rest when it is seen. */
  reload() {
    const pages = this.#seenPages();
    for (const page of this.#pages.keys()) if (!pages.includes(page)) this.#pages.delete(page);
    for (const page of pages) this.#load(page);
  }

  /** @param {number} page @returns {Promise<VideoList>} */
  #fetch(page) {
    const params = { ...this.#params, offset: page * PAGE, limit: PAGE };
    return getJson("/api/videos", params, this.#abort.signal);
  }

  /** @param {number} page */
  async #load(page) {
    try {
      const list = await this.#fetch(page);
      this.#pages.set(page, list.videos);
      this.#take(list);
      for (const [index, card] of this.#cards) {
        if (Math.floor(index / PAGE) === page && !card.contains(document.activeElement)) this.#drop(index);
      }
      this.#later();
    } catch (error) {
      if (!this.#pages.get(page)?.length) this.#pages.delete(page);
      this.#fail(error);
    }
  }

  /** @param {VideoList} list */
  #take({ total }) {
    this.dispatchEvent(new CustomEvent("failed", { detail: null }));
    this.#total = total;
    this.dispatchEvent(new CustomEvent("total", { detail: total }));
  }

  /** @param {unknown} error */
  #fail(error) {
    if (error instanceof DOMException && error.name === "AbortError") return;
    this.dispatchEvent(new CustomEvent("failed", { detail: error }));
  }

  #layout() {
    const em = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const heightOf = (/** @type {number} */ width) => Math.round((this.posters ? (width * 9) / 16 : PAD_EM * em) + (this.tags ? ABOUT_EM + TAGS_EM : ABOUT_EM) * em);
    return layoutOf({ width: this.#width, count: this.#total, least: Math.max(LEAST, this.#width / MOST_COLUMNS), gap: GAP, heightOf });
  }

  #view() {
    const top = -this.getBoundingClientRect().top;
    return seen(this.#layout(), { from: top, to: top + innerHeight, count: this.#total });
  }

  /** @returns {number[]} the first where nothing is seen: it is where videos would come */
  #seenPages() {
    const { first, end } = this.#view();
    return end > first ? pagesOf(first, end, PAGE) : [0];
  }

  #resized() {
    if (this.clientWidth === this.#width) return;
    this.#width = this.clientWidth;
    this.#clear();
  }

  #clear() {
    const focused = this.#focused();
    const { first, end } = this.#view();
    refill(this);
    this.#cards.clear();
    this.#wanted = focused !== undefined && end > first ? Math.max(first, Math.min(focused, end - 1)) : null;
    this.#draw();
  }

  #later() {
    if (this.#is_drawing) return;
    this.#is_drawing = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#is_drawing = false;
    if (!this.#width) return;
    const layout = this.#layout();
    const { first, end } = this.#view();
    this.style.blockSize = `${layout.total}px`;
    for (const [index, card] of this.#cards) {
      const is_near = index >= first && index < end;
      if (!is_near && !card.contains(document.activeElement)) this.#drop(index);
    }
    for (let index = first; index < end; index += 1) {
      if (!this.#cards.has(index)) this.#put(index, placeOf(layout, index), layout);
    }
    this.#asking ??= setTimeout(() => this.#askForSeen(), TOGETHER_MS);
    if (this.#wanted !== null) this.#focus(this.#wanted);
  }

  #askForSeen() {
    this.#asking = undefined;
    for (const page of this.#seenPages()) {
      if (this.#pages.has(page)) continue;
      this.#pages.set(page, []);
      this.#load(page);
    }
  }

  /** @param {number} index */
  #drop(index) {
    this.#cards.get(index)?.remove();
    this.#cards.delete(index);
  }

  /** @param {number} index @param {{ x: number, y: number }} at @param {{ width: number, height: number }} size */
  #put(index, at, size) {
    const known = this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
    const card = cardOf(known, { posters: this.posters, tags: this.tags, class_name: this.#params.class ?? "" });
    const item = document.createElement("div");
    item.className = "cell";
    Object.assign(item.style, { inlineSize: `${size.width}px`, blockSize: `${size.height}px`, transform: `translate(${at.x}px, ${at.y}px)` });
    for (const [name, value] of Object.entries({ role: "listitem", "aria-setsize": this.#total, "aria-posinset": index + 1 })) item.setAttribute(name, String(value));
    item.append(card);
    const after = [...this.#cards.keys()].filter((of) => of > index);
    const next = after.length ? this.#cards.get(Math.min(...after)) : null;
    this.insertBefore(item, next ?? null); // the order of Tab
    this.#cards.set(index, item);
  }

  #refresh() {
    if (document.hidden || !this.isConnected) return;
    for (const page of this.#seenPages()) {
      if (!this.#total || this.#pages.get(page)?.some((card) => card.state === "new")) this.#load(page);
    }
  }

  /** @returns {number | undefined} place of the video that has the focus */
  #focused() {
    return [...this.#cards].find(([, card]) => card.contains(document.activeElement))?.[0];
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const from = this.#focused();
    if (from === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    const layout = this.#layout();
    const to = gridStep(event.key, from, this.#total, layout.columns);
    if (to === null) return;
    event.preventDefault();
    if (!this.#cards.has(to)) {
      scrollTo({ top: scrollY + this.getBoundingClientRect().top + placeOf(layout, to).y - innerHeight / 2 });
      this.#draw();
    }
    this.#cards.get(to)?.scrollIntoView({ block: "nearest" });
    this.#focus(to);
  }

  /** @param {number} index */
  #focus(index) {
    const link = this.#cards.get(index)?.querySelector("a");
    this.#wanted = link ? null : index;
    link?.focus({ preventScroll: true });
  }
}
customElements.define("video-grid", VideoGrid);
