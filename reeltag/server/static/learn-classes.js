/** The table of classes: what is known of each, and what more ratings would bring. */
import { address } from "./api.js";
import { h, refill } from "./dom.js";
import { estimateWords, fitting } from "./format.js";
import { intervalPicture } from "./learn-interval.js";
import { sortedBy } from "./learn-scale.js";
import { gainWords } from "./learn-words.js";
import { answersBar, answersWords } from "./rate-progress.js";
import { stackable } from "./stackable.js";

/** @typedef {import("./views").ClassProgress} ClassProgress */
/** @typedef {import("./views").WeightedEstimate} WeightedEstimate */
/**
 * @typedef {object} Column
 * @property {string} title
 * @property {(of: ClassProgress) => string | number | null} value by which it is sorted
 * @property {(of: ClassProgress) => HTMLElement} cell
 */

const MOST = 500;

/** @type {Column[]} */
const COLUMNS = [
  { title: "Class", value: (of) => of.name, cell: (of) => h("th", { scope: "row" }, h("a", { href: address("/search", { class: of.name }) }, of.name)) },
  { title: "Labels", value: (of) => of.num_labels, cell: (of) => h("td", { class: "number" }, of.num_labels.toLocaleString("en")) },
  { title: "Ratings", value: (of) => of.num_yes + of.num_no, cell: ratingsCell },
  { title: "Precision", value: (of) => of.precision?.value ?? null, cell: (of) => estimateCell(of.precision) },
  { title: "Recall", value: (of) => of.recall?.value ?? null, cell: (of) => estimateCell(of.recall) },
  { title: "Average precision", value: (of) => of.average_precision?.value ?? null, cell: (of) => estimateCell(of.average_precision) },
  { title: "50 more ratings", value: (of) => of.gain?.value ?? null, cell: gainCell },
];

export class ClassTable {
  /** @type {readonly ClassProgress[]} */
  #classes = [];
  #column = 2;
  #descending = true;

  /** @param {HTMLElement} place */
  constructor(place) {
    this.body = h("tbody");
    this.heads = COLUMNS.map(({ title }, at) =>
      h("th", { scope: "col" }, h("button", { type: "button", class: "quiet small sort", on: { click: () => this.#sort(at) } }, title)));
    this.filter = h("input", { type: "search", "aria-label": "Find a class in the table", placeholder: "Find a class …", maxlength: 200, autocomplete: "off" });
    this.filter.addEventListener("input", () => this.#draw());
    this.table = h("table", { class: "class-table" }, h("thead", {}, h("tr", {}, ...this.heads)), this.body);
    const scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Classes" }, this.table);
    this.filterRow = h("div", { class: "row", hidden: true }, this.filter);
    refill(place, this.filterRow, scroll);
  }

  /** @param {readonly ClassProgress[]} classes */
  show(classes) {
    this.#classes = classes;
    this.filterRow.hidden = classes.length <= 12;
    this.#draw();
  }

  /** @param {number} at */
  #sort(at) {
    this.#descending = at === this.#column ? !this.#descending : at > 0;
    this.#column = at;
    this.#draw();
  }

  #draw() {
    const names = new Set(fitting(this.#classes.map((of) => of.name), this.filter.value, MOST));
    const kept = this.#classes.filter((of) => names.has(of.name));
    const rows = sortedBy(kept, COLUMNS[this.#column].value, this.#descending).slice(0, MOST);
    this.heads.forEach((head, at) => {
      const order = this.#descending ? "descending" : "ascending";
      head.setAttribute("aria-sort", at === this.#column ? order : "none");
    });
    refill(this.body, ...rows.map((of) => h("tr", {}, ...COLUMNS.map(({ cell }) => cell(of)))));
    if (!rows.length) refill(this.body, h("tr", {}, h("td", { class: "muted", colspan: COLUMNS.length }, "No class is named so.")));
    stackable(this.table);
  }
}

/** @param {ClassProgress} of @returns {HTMLElement} */
function ratingsCell(of) {
  return h("td", { class: "ratings-cell" }, answersBar(of), h("span", { class: "small-text" }, answersWords(of)));
}

/** @param {WeightedEstimate | null} estimate @returns {HTMLElement} */
function estimateCell(estimate) {
  if (!estimate) return h("td", { class: "muted small-text" }, "not known yet");
  const picture = intervalPicture(estimate, { from: 0, to: 1 });
  return h("td", { class: "estimate-cell" }, picture, h("span", { class: "small-text" }, estimateWords(estimate)));
}

/** @param {ClassProgress} of @returns {HTMLElement} */
function gainCell({ gain, advice }) {
  return h("td", { class: "gain-cell" },
    h("span", { class: gain ? "small-text" : "small-text muted" }, gainWords(gain)),
    h("span", { class: "small-text muted" }, advice));
}
