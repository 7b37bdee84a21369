/** Files that browsers do not play: why, and the copy that they do. */
import { address, errorWords, getJson, onJob, send } from "./api.js";
import { toast } from "./dom.js";
import { isActive } from "./job-feed.js";
import { showJobs } from "./jobs.js";

/** @typedef {import("./views").JobView} JobView */

/**
 * Returns why a file does not play: as the server says, where it has gone or changed.
 * @param {string} src
 * @returns {Promise<string>}
 */
export async function whyNot(src) {
  try {
    const response = await fetch(src, { headers: { range: "bytes=0-0", accept: "application/json" } });
    if (response.ok) return "This browser does not play this file.";
    const { error, hint } = await response.json();
    return [error, hint].filter(Boolean).join(". ");
  } catch {
    return "The server cannot be reached.";
  }
}

/**
 * Has a copy of a video made, or follows the job that makes it already.
 * @param {string} id of the video
 * @param {object} how
 * @param {HTMLButtonElement} how.button that asks for it
 * @param {HTMLElement} how.status list that the job is shown in
 * @param {AbortSignal} how.signal when something else is shown
 * @param {() => void} how.ready called once the copy is there
 */
export async function makeCopy(id, { button, status, signal, ready }) {
  button.disabled = true;
  try {
    const started = /** @type {JobView} */ (await send("POST", address("/api/proxy", { id })));
    showJobs(status, [started]);
    /** @param {JobView} job */
    const take = (job) => {
      if (job.key !== started.key || signal.aborted) return;
      showJobs(status, [job]);
      button.disabled = isActive(job);
      if (job.state === "done") ready();
    };
    const end = onJob(take); // which may take the end of the job at once
    if (signal.aborted) end();
    else signal.addEventListener("abort", end);
  } catch (error) {
    const fresh = await getJson("/api/video", { id }).catch(() => null);
    if (signal.aborted) return;
    button.disabled = false;
    if (fresh?.proxy === "ready") ready(); // another page had it made
    else toast(errorWords(error), { kind: "bad" });
  }
}
