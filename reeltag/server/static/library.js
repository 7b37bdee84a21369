/** The library: videos as cards, searched by name, filtered, sorted; the choice is in the address. */
import { address, embedded, errorWords, onJob, project, upload } from "./api.js";
import { complete } from "./completion.js";
import { byId, emptyState, h, refill, toast } from "./dom.js";
import { count, duration } from "./format.js";
import { isActive } from "./job-feed.js";
import { showJobs } from "./jobs.js";
import { addKeys } from "./keys.js";
import "./library-grid.js";
import { throttled } from "./throttle.js";

const TYPING_MS = 200;
const RELOAD_MS = 2000; // at least, between two looks at the videos while jobs run
const form = /** @type {HTMLFormElement} */ (byId("choice"));
const grid = /** @type {import("./library-grid.js").VideoGrid} */ (byId("videos"));
const known = project();
let num_videos = known?.num_videos ?? 0; // with those that came since
const reloadGrid = throttled(() => grid.reload(), RELOAD_MS);

/** @returns {Record<string, string>} what is chosen; "" = all */
function chosen() {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
}

/** @returns {boolean} whether something is left out */
function isFiltered() {
  return Object.entries(chosen()).some(([name, value]) => name !== "sort" && value !== "");
}

function show() {
  const params = chosen();
  history.replaceState(null, "", address("/", { ...params, sort: params.sort === "name" ? "" : params.sort }));
  byId("clear").hidden = !isFiltered();
  grid.show(params);
}

function clear() {
  form.querySelectorAll("input, select").forEach((field) => {
    if ((field instanceof HTMLInputElement || field instanceof HTMLSelectElement) && field.name !== "sort") field.value = "";
  });
  show();
  byId("search").focus(); // what was pressed is gone
}

/** @param {number} total */
function showTotal(total) {
  const hours = known && known.hours > 0 ? `, ${duration(known.hours * 3600)}` : "";
  num_videos = isFiltered() ? Math.max(num_videos, total) : total;
  byId("total").textContent = isFiltered() ? `${count(total, "video")} of ${num_videos.toLocaleString("en")}` : count(total, "video") + hours;
  byId("none").hidden = total > 0;
  if (total > 0) return;
  const empty = isFiltered()
    ? emptyState("search", "No video is like that", h("button", { type: "button", on: { click: clear } }, "Show all videos"))
    : emptyState("film", "There are no videos yet", h("p", {}, "In a terminal: ", h("code", {}, `reeltag extract VIDEOS --out ${known?.name ?? "DATA"}`), ". They appear here while it works."));
  refill(byId("none"), empty);
}

/** @param {unknown} error null = it works again */
function showError(error) {
  byId("failed").hidden = !error;
  if (!error) return;
  const again = () => grid.show(chosen());
  refill(byId("failed"), h("span", { class: "grow" }, errorWords(error)), h("button", { type: "button", class: "small", on: { click: again } }, "Try again"));
}

/** @type {Map<string, import("./views").JobView>} */
const jobs = new Map((known?.jobs ?? []).map((job) => [job.key, job]));

function showWork() {
  const active = [...jobs.values()].filter((job) => isActive(job) && job.kind !== "proxy");
  showJobs(byId("work"), active);
  byId("work").hidden = !active.length;
}

/** @param {import("./views").JobView} job */
function takeJob(job) {
  const was_active = isActive(jobs.get(job.key) ?? job);
  jobs.set(job.key, job);
  showWork();
  if (known?.basis === "nothing" && job.kind === "curves" && was_active && job.state === "done") location.reload();
  if (job.kind !== "proxy" && (job.kind === "extract" || (was_active && !isActive(job)))) reloadGrid();
}

/** Takes files where the server does: by the button, or dropped on the page. */
function watchUploads() {
  const field = /** @type {HTMLInputElement | null} */ (document.getElementById("files"));
  if (!field) return;
  const button = /** @type {HTMLButtonElement} */ (byId("upload"));
  /** @param {FileList | null} files */
  const take = async (files) => {
    if (!files?.length) return;
    button.disabled = true;
    toast(`Sending ${count(files.length, "file")} …`, { seconds: 20 });
    try {
      takeJob(await upload(files));
    } catch (error) {
      toast(errorWords(error), { kind: "bad" });
    }
    button.disabled = false;
    field.value = "";
  };
  button.addEventListener("click", () => field.click());
  field.addEventListener("change", () => take(field.files));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer?.files ?? null);
  });
}

function start() {
  const first = embedded("view");
  grid.posters = known?.has_library ?? true;
  grid.tags = known?.basis !== "nothing";
  grid.classList.toggle("compact", !grid.posters);
  const field = /** @type {HTMLInputElement} */ (byId("class-filter"));
  complete(field, { names: () => known?.classes ?? [], choose: show });
  /** @type {number | undefined} */
  let typing;
  form.addEventListener("input", (event) => {
    clearTimeout(typing);
    const at = event.target;
    if (at === field && field.value && !known?.classes.includes(field.value)) return; // not a class yet
    typing = setTimeout(show, at instanceof HTMLSelectElement ? 0 : TYPING_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });
  byId("clear").addEventListener("click", clear);
  byId("clear").hidden = !isFiltered();
  grid.addEventListener("total", (event) => showTotal(/** @type {CustomEvent<number>} */ (event).detail));
  grid.addEventListener("failed", (event) => showError(/** @type {CustomEvent<unknown>} */ (event).detail));
  grid.show(chosen(), first);
  showWork();
  watchUploads();
  onJob(takeJob);
  const focus = (/** @type {string} */ selector) => () => document.querySelector(selector) instanceof HTMLElement && /** @type {HTMLElement} */ (document.querySelector(selector)).focus();
  addKeys("Library", [
    { keys: ["f"], words: "search by name", run: focus("#choice [name=search]") },
    { keys: ["c"], words: "filter by class", run: focus("#class-filter") },
    { keys: ["v", "ArrowDown"], words: "to the videos; then the arrows", run: focus("video-grid a") },
  ]);
}

start();
