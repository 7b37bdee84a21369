/** The work that runs: how many jobs and how far, in the header of every page. */
import { errorWords, onJob, send } from "./api.js";
import { h, icon, refill, toast } from "./dom.js";
import { duration, percent } from "./format.js";
import { isActive } from "./job-feed.js";

/** @typedef {import("./views").JobView} JobView */

export { isActive };

const ENDED = { done: "done", failed: "failed", cancelled: "cancelled" };

/**
 * Shows jobs in a list, each how it stands, with a bar where it runs. A job that was shown before
 * keeps its row, so that what has the focus in it keeps it. Used by pages that start one, too.
 * @param {HTMLElement} list <ul> or <ol>
 * @param {readonly JobView[]} jobs
 * @param {string} [nothing] words where there is none
 */
export function showJobs(list, jobs, nothing = "") {
  const before = new Map([...list.children].map((row) => [row instanceof HTMLElement ? row.dataset.job : "", row]));
  const rows = jobs.map((job) => {
    const row = before.get(job.key);
    if (row) fillRow(row, job);
    return row ?? jobRow(job);
  });
  if (!rows.length && nothing) rows.push(h("li", { class: "muted" }, nothing));
  const is_same = rows.length === list.children.length && rows.every((row, at) => row === list.children[at]);
  if (!is_same) refill(list, ...rows);
}

/**
 * Returns a new row of a job.
 * @param {JobView} job
 * @returns {HTMLElement}
 */
function jobRow(job) {
  const row = h("li", { data: { job: job.key } });
  fillRow(row, job);
  return row;
}

/**
 * Changes what is another in a row; what is the same stays as it is.
 * @param {Element} row
 * @param {JobView} job
 */
function fillRow(row, job) {
  const is_active = isActive(job);
  const shape = `${is_active} ${job.state === "done" && job.result}`;
  if (!(row instanceof HTMLElement)) return;
  if (row.dataset.shape !== shape) {
    row.dataset.shape = shape;
    refill(row, ...partsOf(job));
  }
  const far = job.fraction === null ? "" : percent(job.fraction);
  const state = row.querySelector("[data-part=state]");
  if (state) {
    state.className = `small-text ${job.state === "failed" ? "bad" : "muted"}`;
    state.textContent = is_active ? (job.state === "waiting" ? "waits" : far) : job.state;
  }
  const bar = row.querySelector("progress");
  const value = job.fraction ?? (job.state === "waiting" ? 0 : null);
  if (bar && value === null) bar.removeAttribute("value");
  else if (bar) bar.value = value ?? 0;
  const words = row.querySelector("[data-part=words]");
  if (words) words.textContent = [job.message, is_active && job.seconds >= 5 ? duration(job.seconds) : ""].filter(Boolean).join(" · ");
}

/**
 * Returns the parts of a row that its changes fill.
 * @param {JobView} job
 * @returns {HTMLElement[]}
 */
function partsOf(job) {
  const cancel = () => send("DELETE", `/api/jobs/${encodeURIComponent(job.key)}`).catch((error) => toast(errorWords(error), { kind: "bad" }));
  const is_active = isActive(job);
  const title = job.result && job.state === "done" ? h("a", { class: "grow", href: job.result }, job.title) : h("b", { class: "grow" }, job.title);
  const stop = h("button", { type: "button", class: "quiet icon small", "aria-label": `Stop: ${job.title}`, on: { click: cancel } }, icon("cross"));
  return [
    h("div", { class: "row" }, title, h("span", { data: { part: "state" } }), is_active && stop),
    ...(is_active ? [h("progress", { max: 1, "aria-label": job.title })] : []),
    h("p", { class: "small-text muted", data: { part: "words" } }),
  ];
}

class JobsMenu extends HTMLElement {
  connectedCallback() {
    /** @type {Map<string, JobView>} */
    this.jobs = new Map();
    this.list = h("ol");
    this.panel = h("div", { class: "popover", hidden: true, id: "jobs-panel" }, this.list);
    this.button = h("button", { type: "button", class: "quiet", "aria-expanded": "false", "aria-controls": "jobs-panel" });
    this.append(this.button, this.panel);
    this.button.addEventListener("click", () => this.show(Boolean(this.panel?.hidden)));
    this.addEventListener("keydown", (event) => event.key === "Escape" && this.show(false));
    document.addEventListener("pointerdown", (event) => {
      if (event.target instanceof Node && !this.contains(event.target)) this.show(false);
    });
    this.draw();
    onJob((job) => this.take(job));
  }

  /** @param {boolean} is_open */
  show(is_open) {
    if (!this.panel || !this.button) return;
    this.panel.hidden = !is_open;
    this.button.setAttribute("aria-expanded", String(is_open));
  }

  /** @param {JobView} job */
  take(job) {
    const before = this.jobs?.get(job.key);
    this.jobs?.set(job.key, job);
    if (before && isActive(before) && !isActive(job)) {
      const end = ENDED[/** @type {keyof typeof ENDED} */ (job.state)];
      const action = job.result && job.state === "done" ? { words: "Look", run: () => location.assign(job.result) } : undefined;
      toast(`${job.title}: ${end}${job.state === "failed" ? `. ${job.message}` : ""}`, { kind: job.state === "failed" ? "bad" : "", action });
    }
    this.draw();
  }

  draw() {
    if (!this.list || !this.button) return;
    const jobs = [...(this.jobs?.values() ?? [])].reverse();
    const active = jobs.filter(isActive);
    const known = active.find((of) => of.fraction !== null)?.fraction ?? null;
    const far = known === null ? (active.length ? "…" : "") : percent(known);
    refill(this.button, icon("work"), h("span", { "aria-hidden": "true" }, far));
    const words = active.length ? `Jobs: ${active.length} at work ${far}` : "Jobs: none at work";
    this.button.setAttribute("aria-label", words);
    this.button.title = words;
    showJobs(this.list, jobs, "Nothing is at work.");
  }
}
customElements.define("jobs-menu", JobsMenu);
