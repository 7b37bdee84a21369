/** The bar below the player: the marked interval, and what can be said of it. */
import { address } from "./api.js";
import { h, icon, refill } from "./dom.js";
import { interval } from "./format.js";

/** @typedef {import("./timeline.js").Selection} Selection */

const ANSWERS = /** @type {const} */ ([
  ["yes", "check", "Yes", "Y"],
  ["no", "cross", "No", "X"],
  ["unsure", "question", "Unsure", "U"],
]);

/**
 * Shows the interval; without one, what to do.
 * @param {HTMLElement} bar
 * @param {Selection | null} selection
 * @param {object} how
 * @param {string} how.id of the video
 * @param {string} how.current class
 * @param {string | null} how.answer that counts for exactly this interval
 * @param {boolean} how.is_looping
 * @param {(answer: "yes" | "no" | "unsure") => void} how.rate
 * @param {() => void} how.loop
 * @param {() => void} how.mark
 * @param {() => void} how.clear
 */
export function showSelection(bar, selection, { id, current, answer, is_looping, rate, loop, mark, clear }) {
  bar.classList.toggle("on", selection !== null);
  if (!selection) {
    const words = current ? "Click a moment, or drag on the lane of a class to mark an interval." : "Choose or name a class below, then mark where it is on its lane.";
    refill(bar, h("span", { class: "muted grow" }, words), current && h("button", { type: "button", class: "small", data: { focus: "mark" }, on: { click: mark } }, icon("plus"), "Mark an interval", h("kbd", {}, "A")));
    return;
  }
  const { name, start, end } = selection;
  const answers = ANSWERS.map(([of, picture, words, key]) =>
    h("button", { type: "button", class: `small ${of}`, data: { focus: of }, "aria-pressed": answer === of, on: { click: () => rate(of) } }, icon(picture), words, h("kbd", {}, key)),
  );
  const similar = address("/search", { video: id, at: ((start + end) / 2).toFixed(1) });
  refill(
    bar,
    h("b", {}, name),
    h("span", { class: "number" }, interval(start, end)),
    h("span", { class: "muted grow" }, "Is it there?"),
    ...answers,
    h("button", { type: "button", class: "small", data: { focus: "loop" }, "aria-pressed": is_looping, title: "Loop (O)", on: { click: loop } }, icon("loop"), "Loop"),
    h("a", { class: "button small", data: { focus: "similar" }, href: similar }, icon("similar"), "Like this"),
    h("button", { type: "button", class: "quiet icon small", data: { focus: "clear" }, "aria-label": "No interval", title: "No interval (Esc)", on: { click: clear } }, icon("cross")),
  );
}
