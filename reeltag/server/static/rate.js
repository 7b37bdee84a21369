/** The rate page: one window after another, looped; yes, no, unsure or skip by key. */
import { address, embedded, errorWords, getJson, project } from "./api.js";
import { announce, byId, emptyState, h, refill, toast } from "./dom.js";
import { count, interval, prob } from "./format.js";
import { addKeys } from "./keys.js";
import { MomentLoop } from "./loop.js";
import { ClassChoice } from "./rate-classes.js";
import { showDisagreements } from "./rate-disagreements.js";
import { askNewClass } from "./rate-new-class.js";
import { showProgress } from "./rate-progress.js";
import { RateQueue, windowKey } from "./rate-queue.js";
import { RatingSender } from "./rate-sender.js";
import { momentAddress } from "./search-query.js";

/** @typedef {import("./views").RateView} RateView */
/** @typedef {import("./views").WindowView} WindowView */
/** @typedef {import("./rate-queue.js").Answer} Answer */

const COUNT = 10;
const CONTEXT_S = 5;
const SHOWN_DONE = 6;
const MORE = "Choosing what to ask next …";
const SOUND = "reeltag.sound";

class RatePage {
  project = project();
  queue = new RateQueue();
  stage = byId("stage");
  loop = /** @type {MomentLoop} */ (byId("loop"));
  choice = new ClassChoice(byId("classes"), (classes) => this.choose(classes));
  sender = new RatingSender(this.project?.name ?? "", () => this.#fetchSoon());
  has_context = false;
  is_asking = false;
  is_stale = false;
  /** @type {string} window that the loop plays */
  shown = "";
  /** @type {string} why no windows came; "" = they did */
  problem = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;

  start() {
    const names = this.project?.classes ?? [];
    /** @type {RateView} */
    const view = embedded("view");
    const chosen = new URLSearchParams(location.search).getAll("class");
    this.choice.start(names, chosen, view.classes.map((of) => of.name));
    this.queue.choose(chosen);
    byId("new-class").addEventListener("click", () => askNewClass());
    if (!names.length) return this.#showNoClasses();
    this.loop.muted = localStorage.getItem(SOUND) !== "on";
    this.#setUpKeys();
    this.#take(view);
    this.#draw();
    void this.#fetchDisagreements();
  }

  #setUpKeys() {
    /** @type {[string, string[], string, Answer][]} */
    const answers = [
      ["yes", ["y", "Enter"], "yes, it is there", "yes"],
      ["no", ["x"], "no, it is not", "no"],
      ["unsure", ["u"], "unsure: not asked again, not learned from", "unsure"],
      ["skip", ["s"], "skip: asked another time", "skip"],
    ];
    const more = [
      { id: "undo", keys: ["z"], words: "back to the one before", run: () => this.undo() },
      { id: "sound", keys: ["m"], words: "sound on or off", run: () => this.toggleSound() },
      { id: "context", keys: ["c"], words: `${CONTEXT_S} s before and after it, too`, run: () => this.toggleContext() },
      { id: "play", keys: [" "], words: "play or pause", run: () => this.loop.toggle() },
    ];
    const keys = [
      ...answers.map(([id, of, words, answer]) => ({ id, keys: of, words, run: () => this.answer(answer) })),
      ...more,
    ];
    for (const { id, run } of keys) byId(id).addEventListener("click", run);
    addKeys("Rating", keys);
    addKeys("Classes", [
      { keys: Array.from({ length: 9 }, (_, n) => String(n + 1)), words: "ask about this class, or not", run: (event) => this.choice.toggleAt(Number(event.key) - 1) },
      { keys: ["n"], words: "new class", run: () => askNewClass() },
    ]);
  }

  /** @param {string[]} classes that are asked about from now on; none = all */
  choose(classes) {
    history.replaceState(null, "", address("/rate", { class: classes }));
    this.queue.choose(classes);
    void this.fetch();
  }

  /** @param {Answer} answer */
  answer(answer) {
    const { current } = this.queue;
    if (!current) return;
    const done = this.queue.answer(answer);
    if (answer !== "skip") {
      const { video, start_s, end_s, class_name, chance } = current;
      done.id = this.sender.give({ video, start_s, end_s, class_name, answer, origin: "queue", chance });
    }
    if (this.queue.isShort) void this.fetch();
    else this.#draw();
    announce(`${answer}. ${this.#question()}`);
  }

  undo() {
    const done = this.queue.undo();
    if (!done) return toast("There is nothing to take back.");
    if (done.id) void this.sender.takeBack(done.id);
    this.#draw();
    announce(`Taken back. ${this.#question()}`);
  }

  toggleSound() {
    this.loop.muted = !this.loop.muted;
    localStorage.setItem(SOUND, this.loop.muted ? "off" : "on");
    byId("sound").setAttribute("aria-pressed", String(!this.loop.muted));
  }

  toggleContext() {
    this.has_context = !this.has_context;
    byId("context").setAttribute("aria-pressed", String(this.has_context));
    this.#showWindow();
  }

  /** Draws, then fetches progress, and windows where few are left; once more where something was chosen meanwhile. */
  async fetch() {
    this.problem = "";
    this.is_stale = this.is_asking;
    const is_short = this.queue.isShort;
    const is_first = !this.is_asking;
    this.is_asking = true;
    this.#draw();
    if (!is_first) return;
    const known = is_short ? [] : new Set(this.queue.windows.map((of) => of.class_name));
    const classes = this.choice.chosen.length ? this.choice.chosen : [...known];
    try {
      this.#take(await getJson("/api/rate", { class: classes, count: is_short ? COUNT : 0 }));
    } catch (error) {
      this.problem = errorWords(error);
    }
    this.is_asking = false;
    if (this.is_stale) void this.fetch();
    else this.#draw();
  }

  async #fetchDisagreements() {
    try {
      showDisagreements(byId("disagreements"), await getJson("/api/ratings/disagreements"));
    } catch {
      // those that are shown stay
    }
  }

  /** Fetches progress a moment after the last rating is stored. */
  #fetchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      void this.fetch();
      void this.#fetchDisagreements();
    }, 1500);
  }

  /** @param {RateView} view */
  #take(view) {
    this.queue.add(view.windows);
    if (view.classes.length) showProgress(byId("progress"), view.classes);
    byId("today").textContent = `${count(view.num_today, "rating")} today, ${view.since_learned.toLocaleString("en")} since the last learning`;
    byId("learn").hidden = view.since_learned === 0;
  }

  /** @returns {string} */
  #question() {
    const { current } = this.queue;
    if (current) return `Is this ${current.class_name}?`;
    return this.is_asking ? MORE : "Nothing is left to rate.";
  }

  /** Draws all that the queue says. */
  #draw() {
    const { current } = this.queue;
    const is_waiting = !current && this.is_asking;
    this.stage.hidden = !current && !is_waiting;
    refill(byId("nothing"), !current && !is_waiting && this.#nothing());
    this.stage.classList.toggle("waiting", is_waiting);
    for (const id of ["yes", "no", "unsure", "skip"]) /** @type {HTMLButtonElement} */ (byId(id)).disabled = !current;
    this.#showWindow();
    this.#showDone();
    byId("sound").setAttribute("aria-pressed", String(!this.loop.muted));
    /** @type {HTMLButtonElement} */ (byId("undo")).disabled = !this.queue.done.length;
  }

  #showWindow() {
    const [current, following] = this.queue.windows;
    const key = current ? windowKey(current) + this.has_context : "";
    if (key === this.shown) return;
    this.shown = key;
    if (!current) {
      this.loop.stop();
      refill(byId("question"), MORE);
      return refill(byId("place"));
    }
    const { class_name, name, start_s, end_s, why } = current;
    refill(byId("question"), "Is this ", h("em", {}, class_name), "?");
    const place = h("a", { href: momentAddress(current) }, `${name}, ${interval(start_s, end_s)}`);
    refill(byId("place"), place, why && h("span", { class: "chip" }, why));
    const extra = this.has_context ? CONTEXT_S : 0;
    this.loop.show({ ...current, best_s: (start_s + end_s) / 2, start_s: Math.max(0, start_s - extra), end_s: end_s + extra });
    this.loop.play();
    if (following) this.loop.prepare(following);
  }

  /** Shows the last answers, and only now what the finder had said: it should not sway anyone. */
  #showDone() {
    const rows = this.queue.done.slice(-SHOWN_DONE).reverse().map(({ window: of, answer }) =>
      h("li", {},
        h("span", { class: `chip ${answer === "yes" ? "good" : answer === "no" ? "bad" : ""}` }, answer),
        h("a", { class: "grow", href: momentAddress(of) }, `${of.class_name}, ${of.name}, ${interval(of.start_s, of.end_s)}`),
        of.prob !== null && h("span", { class: "muted small-text" }, `predicted ${prob(of.prob)}`)));
    refill(byId("done"), ...rows);
    byId("done-title").hidden = !rows.length;
  }

  /** @returns {HTMLElement} */
  #nothing() {
    if (this.problem) {
      const again = h("button", { type: "button", on: { click: () => void this.fetch() } }, "Try again");
      return emptyState("warning", "No windows came", this.problem, again);
    }
    const learn = h("a", { class: "button primary", href: "/learn" }, "Learn from these");
    return emptyState("check", "Nothing is left to rate", this.choice.chosen.length ? "Choose other classes, or learn from what is rated." : "Every window is rated.", learn);
  }

  #showNoClasses() {
    this.stage.hidden = true;
    byId("aside").hidden = true;
    const make = h("button", { type: "button", class: "primary", on: { click: () => askNewClass() } }, "Make a class");
    refill(byId("nothing"), emptyState("star", "No classes yet", "Type the name of what you look for, and mark two moments of it.", make));
    addKeys("Classes", [{ keys: ["n"], words: "new class", run: () => askNewClass() }]);
  }
}

new RatePage().start();
