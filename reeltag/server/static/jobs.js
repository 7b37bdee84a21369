/** The work that runs: how many jobs and how far, in the header of every page. */
import { errorWords, onJob, send } from "./api.js";
import { h, icon, refill, toast } from "./dom.js";
import { duration, percent } from "./format.js";

/** @typedef {import("./views").JobView} JobView */

const ENDED = { done: "done", failed: "failed", cancelled: "cancelled" };

/** @param {JobView} job @returns {boolean} */
export function isActive(job) {
  return job.state === "running" || job.state === "waiting";
}

/**
 * Returns how a job stands, with a bar where it runs. Used by pages that start one, too.
 * @param {JobView} job
 * @returns {HTMLElement}
 */
export function jobRow(job) {
  const cancel = () => send("DELETE", `/api/jobs/${encodeURIComponent(job.key)}`).catch((error) => toast(errorWords(error), { kind: "bad" }));
  const is_active = isActive(job);
  const far = job.fraction === null ? "" : percent(job.fraction);
  const state = is_active ? (job.state === "waiting" ? "waits" : far) : job.state;
  const bar = h("progress", { max: 1, value: job.fraction ?? (job.state === "waiting" ? 0 : null), "aria-label": job.title });
  return h(
    "li",
    {},
    h(
      "div",
      { class: "row" },
      job.result && job.state === "done" ? h("a", { class: "grow", href: job.result }, job.title) : h("b", { class: "grow" }, job.title),
      h("span", { class: `small-text ${job.state === "failed" ? "bad" : "muted"}` }, state),
      is_active && h("button", { type: "button", class: "quiet icon small", "aria-label": `Stop: ${job.title}`, on: { click: cancel } }, icon("cross")),
    ),
    is_active && bar,
    h("p", { class: "small-text muted" }, [job.message, is_active && job.seconds >= 5 ? duration(job.seconds) : ""].filter(Boolean).join(" · ")),
  );
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
    refill(this.list, ...(jobs.length ? jobs.map(jobRow) : [h("li", { class: "muted" }, "Nothing is at work.")]));
  }
}
customElements.define("jobs-menu", JobsMenu);
