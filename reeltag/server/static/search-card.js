/**
 * `<moment-card>`: a found moment, as a short loop with its thumbnails, and yes or no to it.
 *
 * It plays while the pointer or the focus is on it. Events that bubble: `rate` with detail "yes" or
 * "no".
 */
import { address } from "./api.js";
import { h, icon, refill } from "./dom.js";
import { answerOf, interval, prob } from "./format.js";
import { MomentLoop } from "./loop.js";
import { momentAddress } from "./search-query.js";
import { MomentStrip } from "./strip.js";

/** @typedef {import("./views").MomentView} MomentView */
/** @typedef {import("./search-verdicts.js").Verdict} Verdict */

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class MomentCard extends HTMLElement {
  /** @type {MomentView | null} */
  moment = null;
  /** @type {Verdict} */
  verdict = null;
  loop = new MomentLoop();
  strip = new MomentStrip();
  link = h("a", { class: "moment-link", tabindex: "-1" });
  mark = h("span", { class: "moment-mark" });
  yes = verdictButton("yes", "check", "Yes");
  no = verdictButton("no", "cross", "No");
  alike = h("a", { class: "button quiet icon small", tabindex: "-1", title: "More like this (M)" }, icon("similar"));

  connectedCallback() {
    if (this.childElementCount) return;
    this.append(this.link, h("div", { class: "moment-tools" }, this.yes, this.no, this.alike));
    this.yes.addEventListener("click", () => this.rate("yes"));
    this.no.addEventListener("click", () => this.rate("no"));
    this.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.#play());
    this.addEventListener("pointerleave", () => this.matches(":focus-within") || this.loop.stop());
    this.addEventListener("focusin", () => this.#play());
    this.addEventListener("focusout", (event) => {
      const to = event.relatedTarget;
      if (!(to instanceof Node && this.contains(to))) this.loop.stop();
    });
  }

  /**
   * Show a moment.
   * @param {MomentView} moment
   */
  show(moment) {
    this.moment = moment;
    const span = interval(moment.start_s, moment.end_s);
    this.link.href = momentAddress(moment);
    this.loop.show(moment);
    this.strip.show(moment);
    const picture = h("span", { class: "moment-picture" }, this.loop, this.mark);
    if (!moment.sprite) picture.append(h("span", { class: "moment-none muted" }, "no picture"));
    const chip = h("span", { class: "chip accent" }, `${moment.class_name ? "" : "alike "}${prob(moment.prob)}`);
    refill(
      this.link,
      picture,
      this.strip,
      h("span", { class: "moment-words" }, h("span", { class: "moment-name" }, moment.name), chip),
      h("span", { class: "muted small-text" }, span),
    );
    this.alike.href = address("/search", { video: moment.video, at: moment.best_s });
    this.alike.setAttribute("aria-label", `More like ${span} of ${moment.name}`);
    this.setVerdict(answerOf(moment.rating));
  }

  /**
   * Show how it is rated.
   * @param {Verdict} verdict
   */
  setVerdict(verdict) {
    this.verdict = verdict;
    this.dataset.verdict = verdict ?? "";
    this.yes.setAttribute("aria-pressed", String(verdict === "yes"));
    this.no.setAttribute("aria-pressed", String(verdict === "no"));
    refill(this.mark, verdict && icon(verdict === "yes" ? "check" : "cross"), verdict && (verdict === "yes" ? "Yes" : "No"));
  }

  /**
   * Let the tab key stop here, or not.
   * @param {boolean} is_current
   */
  setCurrent(is_current) {
    for (const of of [this.link, this.yes, this.no, this.alike]) of.tabIndex = is_current ? 0 : -1;
  }

  /** @param {"yes" | "no"} verdict */
  rate(verdict) {
    this.dispatchEvent(new CustomEvent("rate", { detail: verdict, bubbles: true }));
  }

  #play() {
    if (!calm.matches) this.loop.play();
  }
}

/**
 * @param {"yes" | "no"} verdict
 * @param {string} picture
 * @param {string} words
 * @returns {HTMLButtonElement}
 */
function verdictButton(verdict, picture, words) {
  const key = verdict === "yes" ? "Y" : "X";
  const props = { type: "button", class: `small ${verdict}`, tabindex: "-1", "aria-pressed": "false", title: `${words} (${key})` };
  return h("button", props, icon(picture), words);
}

customElements.define("moment-card", MomentCard);
