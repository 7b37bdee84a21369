/** The learn page: what can be learned from, what was learned, and whether it was worth it. */
import { address, embedded, errorWords, getJson, onJob, send } from "./api.js";
import { announce, byId, h, icon, refill, toast } from "./dom.js";
import { count } from "./format.js";
import { isActive } from "./job-feed.js";
import { showJobs } from "./jobs.js";
import { addKeys } from "./keys.js";
import { showComparison } from "./learn-comparison.js";
import { ClassTable } from "./learn-classes.js";
import { dateWords, finderWords } from "./learn-words.js";
import { stackable } from "./stackable.js";

/** @typedef {import("./views").LearnView} LearnView */
/** @typedef {import("./views").FinderView} FinderView */
/** @typedef {import("./views").JobView} JobView */

class LearnPage {
  /** @type {LearnView} */
  view = embedded("view");
  table = new ClassTable(byId("classes"));
  button = /** @type {HTMLButtonElement} */ (byId("learn"));
  is_starting = false;

  start() {
    this.button.addEventListener("click", () => void this.learn());
    addKeys("Learning", [{ keys: ["l"], words: "learn from these", run: () => void this.learn() }]);
    this.show(this.view);
    onJob((job) => this.#take(job));
  }

  /** Starts to learn from all labels and ratings. */
  async learn() {
    if (this.button.disabled) return;
    this.is_starting = true;
    this.#showState();
    try {
      this.view = { ...this.view, job: await send("POST", "/api/learn", {}) };
      announce("Learning has begun.");
    } catch (error) {
      toast(errorWords(error), { kind: "bad" });
    }
    this.is_starting = false;
    this.#showState();
  }

  /** @param {LearnView} view */
  show(view) {
    this.view = view;
    this.table.show(view.classes);
    byId("classes-count").textContent = count(view.classes.length, "class", "classes");
    showComparison(byId("comparison"), view.comparison, view.finders);
    this.#showFinders(view.finders);
    this.#showState();
  }

  /** Reads all again. */
  async reload() {
    try {
      this.show(await getJson("/api/learn"));
    } catch (error) {
      toast(errorWords(error), { kind: "bad" });
    }
  }

  /** @param {JobView} job */
  #take(job) {
    if (job.kind !== "learn") return;
    const was_active = this.view.job?.key === job.key && isActive(this.view.job);
    if (!isActive(job) && !was_active) return;
    this.view = { ...this.view, job };
    this.#showState();
    if (!isActive(job)) void this.reload();
  }

  #showState() {
    const { job, can_learn, why_not } = this.view;
    const is_busy = this.is_starting || (job !== null && isActive(job));
    this.button.disabled = is_busy || !can_learn;
    byId("why-not").textContent = is_busy ? "" : why_not;
    const has_failed = job?.state === "failed" || job?.state === "cancelled";
    showJobs(byId("job"), job && (is_busy || has_failed) ? [job] : []);
  }

  /** @param {readonly FinderView[]} finders newest first */
  #showFinders(finders) {
    byId("finders-part").hidden = !finders.length;
    const current = finders.find((of) => of.is_current);
    refill(byId("finders"), ...finders.map((of) => this.#finderRow(of, current)));
    const table = byId("finders").closest("table");
    if (table) stackable(table);
  }

  /**
   * @param {FinderView} finder
   * @param {FinderView | undefined} current
   * @returns {HTMLTableRowElement}
   */
  #finderRow(finder, current) {
    const use = h("button", { type: "button", class: "small", on: { click: () => void this.#use(finder, use) } }, icon("undo"), "Use this");
    use.setAttribute("aria-label", `Use ${finderWords(finder)}`);
    const compare = h("a", { class: "button small quiet", href: address("/compare", { old: finder.key, new: current?.key }), "aria-label": `Compare ${finderWords(finder)} with the current one` }, "Compare");
    const actions = finder.is_current ? [h("span", { class: "chip accent" }, "in use")] : [use, current && compare];
    return h(
      "tr",
      { class: finder.is_current ? "current" : null },
      h("th", { scope: "row" }, finder.name),
      h("td", {}, dateWords(finder.made_at)),
      h("td", { class: "number" }, finder.num_ratings.toLocaleString("en")),
      h("td", { class: "number" }, finder.num_classes.toLocaleString("en")),
      h("td", { class: "muted small-text" }, finder.has_curves ? "" : "its curves are not computed yet"),
      h("td", {}, h("span", { class: "row" }, ...actions)),
    );
  }

  /** @param {FinderView} finder @param {HTMLButtonElement} button that asked for it */
  async #use(finder, button) {
    button.disabled = true;
    try {
      await send("POST", `/api/finders/${encodeURIComponent(finder.key)}/use`);
      toast(`In use now: ${finderWords(finder)}`);
      await this.reload();
    } catch (error) {
      button.disabled = false;
      toast(errorWords(error), { kind: "bad" });
    }
  }
}

new LearnPage().start();
