/** The moments of a video as a table, and its ratings as another. */
import { address } from "./api.js";
import { emptyState, h, icon, refill } from "./dom.js";
import { answerOf, clock, count, interval, prob } from "./format.js";
import { stackable } from "./stackable.js";
import { newestLast } from "./video-given.js";

/** @typedef {import("./views").MomentView} MomentView */
/** @typedef {import("./views").RatingView} RatingView */

const MOST = 200; // rows

/**
 * Returns why there are no moments of a class.
 * @param {string} name of the class; "" = none is chosen
 * @param {import("./views").CurveView | undefined} curve
 * @returns {string}
 */
export function emptyWords(name, curve) {
  if (!name) return "Choose or name a class below to begin.";
  if (!curve?.prob.length) return `There is no curve of ${name} yet. Mark an interval where it is.`;
  return `None where ${name} is probable enough. Mark an interval where it is.`;
}

/**
 * Shows moments.
 * @param {HTMLElement} box
 * @param {MomentView[]} moments
 * @param {object} how
 * @param {string} how.empty words where there are none
 * @param {MomentView | null} how.current
 * @param {boolean} how.with_class whether they are of several classes
 * @param {(moment: MomentView) => void} how.choose
 * @param {(moment: MomentView, answer: "yes" | "no") => void} how.rate
 */
export function showMoments(box, moments, { empty, current, with_class, choose, rate }) {
  if (!moments.length) {
    refill(box, emptyState("film", "No moments", empty));
    return;
  }
  const rows = [...moments].sort((a, b) => a.start_s - b.start_s).slice(0, MOST).map((moment) => {
    const is_current = current !== null && moment.start_s === current.start_s && moment.class_name === current.class_name;
    const answers = /** @type {const} */ (["yes", "no"]).map((answer) => {
      const is_given = answerOf(moment.rating) === answer;
      const words = `${answer === "yes" ? "Yes" : "No"}: ${moment.class_name} ${interval(moment.start_s, moment.end_s)}`;
      const click = (/** @type {Event} */ event) => {
        event.stopPropagation();
        rate(moment, answer);
      };
      return h("button", { type: "button", class: `quiet icon small ${answer}`, data: { focus: words }, "aria-label": words, title: words, "aria-pressed": is_given, on: { click } }, icon(answer === "yes" ? "check" : "cross"));
    });
    const to = (/** @type {Event} */ event) => {
      event.stopPropagation();
      choose(moment);
    };
    const time = h("button", { type: "button", class: "quiet small", data: { focus: `${moment.class_name} ${moment.start_s}` }, "aria-label": `Go to ${clock(moment.start_s, 1)}`, on: { click: to } }, clock(moment.start_s, 1));
    return h(
      "tr",
      { class: is_current ? "current" : null, on: { click: to } },
      h("td", { class: "number" }, time),
      h("td", { class: "number muted" }, clock(moment.end_s, 1)),
      with_class && h("td", {}, moment.class_name),
      h("td", { class: "number" }, prob(moment.prob)),
      h("td", {}, h("div", { class: "answers" }, ...answers)),
    );
  });
  const more = moments.length > MOST && h("p", { class: "muted small-text" }, `and ${count(moments.length - MOST, "moment")} more`);
  const heads = ["From", "To", with_class && "Class", "Prob.", "Rating"].filter(Boolean);
  const head = h("thead", {}, h("tr", {}, ...heads.map((of) => h("th", { scope: "col", class: of === "Class" ? null : "number" }, of))));
  const { scrollTop } = box;
  refill(box, h("table", {}, head, h("tbody", {}, ...rows)), more);
  box.scrollTop = scrollTop;
  const at = box.querySelector("tr.current");
  if (at instanceof HTMLElement && (at.offsetTop < box.scrollTop + 32 || at.offsetTop + at.offsetHeight > box.scrollTop + box.clientHeight)) box.scrollTop = at.offsetTop - box.clientHeight / 2;
}

/**
 * Shows ratings.
 * @param {HTMLElement} box
 * @param {readonly RatingView[]} ratings
 * @param {{ choose: (rating: RatingView) => void, undo: (rating: RatingView) => void }} how
 */
export function showRatings(box, ratings, { choose, undo }) {
  if (!ratings.length) {
    refill(box, h("p", { class: "muted" }, "None yet. Choose a moment, or mark an interval, and press Y or X."));
    return;
  }
  const rows = [...ratings].sort((a, b) => newestLast(b, a)).map((rating) => {
    const what = `${rating.class_name} ${interval(rating.start_s, rating.end_s)}`;
    const kind = { yes: "good", no: "bad", unsure: "warn" }[rating.answer];
    return h(
      "tr",
      {},
      h("td", {}, h("button", { type: "button", class: "quiet small", data: { focus: `go ${rating.key}` }, on: { click: () => choose(rating) } }, interval(rating.start_s, rating.end_s))),
      h("td", {}, h("a", { href: address("/search", { class: rating.class_name }) }, rating.class_name)),
      h("td", {}, h("span", { class: `chip ${kind}` }, rating.answer)),
      h("td", {}, rating.who || "–"),
      h("td", { class: "muted" }, rating.key === 0 ? "not stored yet" : [rating.origin, rating.rated_at.slice(0, 16).replace("T", " ")].filter(Boolean).join(", ")),
      h("td", { class: "number" }, h("button", { type: "button", class: "quiet icon small", "aria-label": `Take back: ${what}`, data: { focus: `undo ${rating.key}` }, title: "Take back", on: { click: () => undo(rating) } }, icon("undo"))),
    );
  });
  const heads = ["Interval", "Class", "Answer", "Who", "Where and when (UTC)", ""].map((of) => h(of ? "th" : "td", of ? { scope: "col" } : {}, of));
  refill(box, stackable(h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows))));
}
