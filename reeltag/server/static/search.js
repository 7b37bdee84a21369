/** The search page: moments of a class, of a text, or like a moment, in all videos, best first. */
import { address, embedded, errorWords, getJson, project } from "./api.js";
import { announce, byId, emptyState, h, refill, toast } from "./dom.js";
import { fitting, prob } from "./format.js";
import { addKeys } from "./keys.js";
import { precisionWords } from "./learn-words.js";
import { RatingSender } from "./rate-sender.js";
import { exportMenu } from "./search-export.js";
import { MomentGrid } from "./search-grid.js";
import { PAGE, isAsked, pageAddress, readQuery, resultsAddress } from "./search-query.js";
import { Verdicts, isSame } from "./search-verdicts.js";

/** @typedef {import("./views").SearchView} SearchView */
/** @typedef {import("./search-card.js").MomentCard} MomentCard */

const WAIT_MS = 120;

class SearchPage {
  query = readQuery(location.search);
  /** @type {SearchView | null} the first part, which says what is known of all */
  view = embedded("view");
  project = project();
  grid = new MomentGrid(byId("moments"));
  slider = /** @type {HTMLInputElement} */ (byId("threshold"));
  name = /** @type {HTMLInputElement} */ (byId("name"));
  rateAs = /** @type {HTMLInputElement} */ (byId("rate-as"));
  more = /** @type {HTMLButtonElement} */ (byId("more"));
  sender = new RatingSender(this.project?.name ?? "");
  verdicts = new Verdicts();
  /** @type {AbortController | null} */
  asking = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;

  start() {
    if (!this.view) return;
    const shown = () => ({ query: this.query, threshold: this.view?.threshold ?? 0 });
    if (this.isOfClass) byId("export").append(exportMenu(embedded("formats"), shown));
    this.#setUpForms();
    this.#setUpKeys();
    this.more.addEventListener("click", () => void this.loadMore());
    const sight = new IntersectionObserver((seen) => seen.some((of) => of.isIntersecting) && void this.loadMore(), { rootMargin: "600px" });
    sight.observe(this.more);
    byId("moments").addEventListener("rate", (event) => {
      const card = event.target;
      this.rate(/** @type {MomentCard} */ (card), /** @type {CustomEvent} */ (event).detail);
    });
    this.show(this.view);
  }

  /** @returns {boolean} whether a threshold and a precision have a meaning */
  get isOfClass() {
    return Boolean(this.view?.class_name);
  }

  #setUpForms() {
    this.name.value = this.query.search;
    this.name.addEventListener("input", () => this.change({ search: this.name.value.trim() }));
    this.slider.addEventListener("input", () => this.change({ threshold: Number(this.slider.value) }));
    byId("suggested").addEventListener("click", () => this.change({ threshold: null }));
    byId("threshold-row").hidden = !this.isOfClass;
    byId("rate-as-row").hidden = this.isOfClass || !this.view?.total;
    byId("search-form").addEventListener("submit", (event) => event.preventDefault());
  }

  #setUpKeys() {
    const current = (/** @type {(card: MomentCard) => void} */ run) => () => {
      const { current: card } = this.grid;
      if (card) run(card);
    };
    addKeys("Moments", [
      { keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], words: "go from moment to moment", run: () => this.grid.focus() },
      { keys: ["Enter"], words: "open the moment in its video", run: current((card) => card.link.click()) },
      { keys: [" "], words: "play or stop", run: current((card) => card.loop.toggle()) },
      { keys: ["s"], words: "sound on or off", run: current((card) => { card.loop.muted = !card.loop.muted; }) },
      { keys: ["y"], words: "yes, and on to the next", run: current((card) => this.rate(card, "yes", true)) },
      { keys: ["x"], words: "no, and on to the next", run: current((card) => this.rate(card, "no", true)) },
      { keys: ["z"], words: "take the last rating back", run: () => this.undo() },
      { keys: ["m"], words: "more like this moment", run: current((card) => card.alike.click()) },
    ]);
  }

  /**
   * Search again, with something else.
   * @param {Partial<import("./search-query.js").SearchQuery>} change
   */
  change(change) {
    this.query = { ...this.query, ...change };
    history.replaceState(null, "", pageAddress(this.query));
    if (this.query.threshold !== null) this.#showThreshold(this.query.threshold);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.reload(), WAIT_MS);
  }

  async reload() {
    const view = await this.#fetch(0);
    if (view) this.show(view);
  }

  async loadMore() {
    const { view } = this;
    const offset = this.grid.cards.length;
    if (!view || offset >= view.total || this.asking) return;
    this.more.disabled = true;
    const found = await this.#fetch(offset);
    this.more.disabled = false;
    if (!found) return;
    this.grid.add(this.verdicts.over(found.moments));
    this.#showMore(found.moments.length < PAGE ? this.grid.cards.length : found.total);
  }

  /**
   * @param {number} offset
   * @returns {Promise<SearchView | null>} null = failed, or searched again meanwhile
   */
  async #fetch(offset) {
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    byId("moments").setAttribute("aria-busy", "true");
    try {
      return await getJson(resultsAddress(this.query, offset), {}, asking.signal);
    } catch (error) {
      if (!asking.signal.aborted) toast(errorWords(error), { kind: "bad" });
      return null;
    } finally {
      if (this.asking === asking) {
        this.asking = null;
        byId("moments").setAttribute("aria-busy", "false");
      }
    }
  }

  /** @param {SearchView} view of the first moments */
  show(view) {
    this.view = view;
    byId("what").textContent = view.what;
    this.#showThreshold(view.threshold);
    byId("suggested").hidden = view.suggested === null || Math.abs(view.suggested - view.threshold) < 0.005;
    byId("suggested").textContent = view.suggested === null ? "" : `Suggested: ${prob(view.suggested)}`;
    const words = precisionWords(view.total, view.expected, this.isOfClass);
    byId("count").textContent = words;
    announce(words);
    this.grid.show(this.verdicts.over(view.moments));
    this.#showMore(view.total);
    refill(byId("suggestions"), ...suggested(view));
    refill(byId("nothing"), !view.total && this.#nothing(view));
  }

  /** @param {number} threshold */
  #showThreshold(threshold) {
    if (document.activeElement !== this.slider) this.slider.value = String(threshold);
    byId("threshold-value").textContent = prob(threshold);
  }

  /** @param {number} total */
  #showMore(total) {
    const missing = total - this.grid.cards.length;
    this.more.hidden = missing <= 0;
    this.more.textContent = `Show more (${missing.toLocaleString("en")} left)`;
  }

  /**
   * @param {SearchView} view
   * @returns {HTMLElement}
   */
  #nothing(view) {
    if (this.query.search) return emptyState("search", `No moment in videos named “${this.query.search}”`, "Look in all videos, or lower the threshold.");
    if (this.query.text && !view.class_name) return emptyState("search", `No class is like “${this.query.text}”`, "Try other words, or make a class of it on the Rate page.");
    if (view.basis === "nothing") {
      return emptyState("search", "Nothing finds this class yet", "Rate some moments of it, and learn from them.", h("a", { class: "button primary", href: address("/rate", { class: this.query.class_name }) }, "Rate"));
    }
    return emptyState("search", "No moment at this threshold", this.isOfClass ? "Lower the threshold to see weaker ones." : "Nothing else is like it.");
  }

  /**
   * Rate a moment.
   * @param {MomentCard} card
   * @param {"yes" | "no"} answer
   * @param {boolean} [and_next] whether to go on to the next moment
   */
  rate(card, answer, and_next = false) {
    const { moment } = card;
    const class_name = moment?.class_name || this.rateAs.value.trim();
    if (!moment) return;
    if (!class_name) {
      toast("Which class is it? Name it first.", { action: { words: "Name it", run: () => this.rateAs.focus() } });
      this.rateAs.focus();
      return;
    }
    const { video, start_s, end_s } = moment;
    const id = this.sender.give({ video, start_s, end_s, class_name, answer, origin: "search" });
    this.verdicts.give(moment, id, answer, card.verdict);
    card.setVerdict(answer);
    announce(`${answer}: ${class_name}`);
    if (and_next) this.grid.next();
  }

  /** Take the last rating back. */
  undo() {
    const last = this.verdicts.takeBack();
    if (!last) return toast("There is no rating to take back.");
    void this.sender.takeBack(last.id);
    const at = this.grid.cards.findIndex(({ moment }) => moment && isSame(moment, last.moment));
    if (at >= 0) {
      this.grid.cards[at].setVerdict(last.before);
      this.grid.goTo(at);
    }
    announce("taken back");
  }
}

/**
 * Return links to the classes that a text may mean.
 * @param {SearchView} view
 * @returns {(string | HTMLElement)[]}
 */
function suggested({ suggestions, total }) {
  if (!suggestions.length) return [];
  const links = suggestions.map((name) => h("a", { class: "button small", href: `/search?${new URLSearchParams({ class: name })}` }, name));
  return [total ? "A class like this:" : "Did you mean", ...links];
}

/** Shows what can be searched for where nothing is searched for yet. */
function showStart() {
  const names = project()?.classes ?? [];
  const field = /** @type {HTMLInputElement} */ (byId("class-filter"));
  const list = byId("class-list");
  const draw = () => {
    const links = fitting(names, field.value, 200).map((name) =>
      h("li", {}, h("a", { class: "button small", href: address("/search", { class: name }) }, name)));
    refill(list, ...links);
  };
  field.addEventListener("input", draw);
  field.closest("form")?.addEventListener("submit", (event) => {
    event.preventDefault();
    list.querySelector("a")?.click();
  });
  draw();
}

if (isAsked(readQuery(location.search))) new SearchPage().start();
else if (document.getElementById("class-list")) showStart();
