/**
 * Ratings of moments that were given on the search page: shown until the server's answers have
 * them, and on the moments that another threshold makes of these. Pure.
 *
 * @typedef {import("./views").MomentView} MomentView
 * @typedef {"yes" | "no" | null} Verdict null = not rated
 */

export class Verdicts {
  /** @type {{moment: MomentView, id: string, before: Verdict}[]} that may be taken back, in order */
  #given = [];
  /** @type {{moment: MomentView, verdict: Verdict}[]} in order */
  #verdicts = [];

  /**
   * Keep a rating.
   * @param {MomentView} moment
   * @param {string} id of the rating
   * @param {"yes" | "no"} answer
   * @param {Verdict} before what was shown of the moment
   */
  give(moment, id, answer, before) {
    this.#given.push({ moment, id, before });
    this.#verdicts.push({ moment, verdict: answer });
  }

  /**
   * Take the last rating back.
   * @returns {{moment: MomentView, id: string, before: Verdict} | null} null = there is none
   */
  takeBack() {
    const last = this.#given.pop() ?? null;
    if (last) this.#verdicts.push({ moment: last.moment, verdict: last.before });
    return last;
  }

  /**
   * Return moments as they are rated here.
   * @param {readonly MomentView[]} moments
   * @returns {MomentView[]}
   */
  over(moments) {
    return moments.map((moment) => {
      const last = this.#verdicts.findLast((of) => isSame(of.moment, moment));
      if (!last) return moment;
      return { ...moment, rating: last.verdict && Number(last.verdict === "yes") };
    });
  }
}

/**
 * Return whether moments of a class overlap by half of either, as ratings count on the server.
 * @param {MomentView} one
 * @param {MomentView} other
 * @returns {boolean}
 */
export function isSame(one, other) {
  if (one.video !== other.video || one.class_name !== other.class_name) return false;
  const common = Math.min(one.end_s, other.end_s) - Math.max(one.start_s, other.start_s);
  return common > 0 && common >= Math.min(one.end_s - one.start_s, other.end_s - other.start_s) / 2;
}
