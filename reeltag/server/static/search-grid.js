/** The grid of found moments: one of them is current, and arrow keys lead from one to the next. */
import { h } from "./dom.js";
import { gridStep } from "./grid-step.js";
import { MomentCard } from "./search-card.js";

/** @typedef {import("./views").MomentView} MomentView */

const STEPS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];

export class MomentGrid {
  /** @type {MomentCard[]} */
  cards = [];
  #current = 0;

  /** @param {HTMLElement} list an empty list */
  constructor(list) {
    this.list = list;
    list.addEventListener("keydown", (event) => this.#press(event));
    list.addEventListener("focusin", (event) => {
      const card = event.target instanceof Element && event.target.closest("moment-card");
      if (card instanceof MomentCard) this.#setCurrent(this.cards.indexOf(card));
    });
  }

  /** @returns {MomentCard | null} the one that keys are about */
  get current() {
    return this.cards[this.#current] ?? null;
  }

  /**
   * Show these moments alone; the same place stays current.
   * @param {readonly MomentView[]} moments
   */
  show(moments) {
    const had_focus = this.list.contains(document.activeElement);
    this.list.replaceChildren();
    this.cards = [];
    this.add(moments);
    this.#setCurrent(Math.max(0, Math.min(this.#current, this.cards.length - 1)));
    if (had_focus) this.current?.link.focus();
  }

  /**
   * Add moments at the end.
   * @param {readonly MomentView[]} moments
   */
  add(moments) {
    for (const moment of moments) {
      const card = new MomentCard();
      this.list.append(h("li", {}, card));
      card.show(moment);
      this.cards.push(card);
    }
    this.current?.setCurrent(true);
  }

  /** Move the focus to the current moment. */
  focus() {
    this.current?.link.focus();
  }

  /** @param {number} to */
  goTo(to) {
    this.#setCurrent(to);
    this.focus();
    this.current?.scrollIntoView({ block: "nearest" });
  }

  /** Go on to the next moment, if there is one. */
  next() {
    if (this.#current + 1 < this.cards.length) this.goTo(this.#current + 1);
  }

  /** @param {number} to */
  #setCurrent(to) {
    this.current?.setCurrent(false);
    this.#current = to;
    this.current?.setCurrent(true);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === " " && event.target === this.current?.link) {
      event.preventDefault();
      this.current?.loop.toggle();
    } else if (STEPS.includes(event.key)) {
      event.preventDefault();
      const to = gridStep(event.key, this.#current, this.cards.length, this.#columns());
      if (to !== null) this.goTo(to);
    }
  }

  /** @returns {number} cards in a row, as they are laid out now */
  #columns() {
    const items = [...this.list.children].map((of) => /** @type {HTMLElement} */ (of).offsetTop);
    const next = items.findIndex((top) => top !== items[0]);
    return next < 0 ? items.length : next;
  }
}
