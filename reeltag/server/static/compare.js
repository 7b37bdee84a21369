/** The compare page: two finders on one video, whose time lines move together. */
import { address, embedded, errorWords, getJson } from "./api.js";
import { byId, h, refill, toast } from "./dom.js";
import { addKeys } from "./keys.js";
import "./timeline.js";

/** @typedef {import("./views").CompareView} CompareView */
/** @typedef {import("./timeline.js").TimeLine} TimeLine */

const STEP_S = 1;
const MOST_NAMES = 20;
const WAIT_MS = 150;

/**
 * Show the curves of both finders.
 * @param {CompareView} view
 * @param {import("./views").RatingView[]} ratings of the video
 */
function show({ video, old_curves, new_curves }, ratings) {
  const { card, cuts_s: cuts, loudness_hz: hz, loudness_db: db, sprite } = video;
  const lines = [/** @type {TimeLine} */ (byId("old-line")), /** @type {TimeLine} */ (byId("new-line"))];
  const duration = card.duration_s ?? Math.max(1, ...new_curves.curves.map((of) => of.prob.length * new_curves.hop_s));
  [old_curves, new_curves].forEach(({ curves, hop_s }, at) =>
    lines[at].show({ id: card.id, duration, hop_s, curves: [...curves], ratings, cuts, loudness: { hz, db }, sprite }));
  const [first, second] = lines;
  for (const [line, other] of [[first, second], [second, first]]) {
    line.addEventListener("seek", () => seek(line.time));
    line.addEventListener("span", () => (other.span = line.span));
    line.addEventListener("current", () => (other.current = line.current));
  }

  /** @param {number} time */
  function seek(time) {
    const inside = Math.min(Math.max(0, time), duration);
    for (const line of lines) line.time = inside;
    const link = /** @type {HTMLAnchorElement} */ (byId("open"));
    link.href = address("/video", { id: card.id, at: inside.toFixed(1) });
  }

  addKeys("Comparing", [
    { keys: ["ArrowLeft"], words: "a second back", run: () => seek(first.time - STEP_S) },
    { keys: ["ArrowRight"], words: "a second on", run: () => seek(first.time + STEP_S) },
  ]);
  const asked = new URLSearchParams(location.search);
  seek(Number(asked.get("at")) || 0);
  const name = asked.get("class");
  if (name) for (const line of lines) line.current = name;
}

/**
 * Let another video be chosen by a part of its name.
 * @param {HTMLFormElement} form
 */
function chooseVideo(form) {
  const field = /** @type {HTMLInputElement} */ (byId("video-name"));
  const chosen = /** @type {HTMLInputElement} */ (byId("video-id"));
  /** @type {Map<string, string>} what is offered -> id */
  let offered = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const look = async (/** @type {string} */ search) => {
    const { videos } = /** @type {import("./views").VideoList} */ (await getJson("/api/videos", { search, limit: MOST_NAMES }));
    const names = videos.map((of) => of.name);
    offered = new Map(videos.map(({ id, name }) => [names.indexOf(name) === names.lastIndexOf(name) ? name : id, id]));
    refill(byId("video-names"), ...[...offered.keys()].map((value) => h("option", { value })));
  };
  const take = (/** @type {string | undefined} */ id) => {
    if (id === undefined) return;
    chosen.value = id;
    form.submit();
  };
  field.addEventListener("focus", () => void look("").then(() => field.select()).catch(() => {}));
  field.addEventListener("input", () => {
    clearTimeout(timer);
    if (offered.has(field.value)) take(offered.get(field.value));
    else timer = setTimeout(() => void look(field.value.trim()).catch(() => {}), WAIT_MS);
  });
  form.addEventListener("submit", (event) => {
    if (document.activeElement !== field) return;
    event.preventDefault();
    const typed = field.value.trim();
    look(typed).then(() => {
      take(offered.get(typed) ?? offered.values().next().value);
      if (!offered.size) toast(`No video is named “${typed}”.`, { kind: "bad" });
    }, (error) => toast(errorWords(error), { kind: "bad" }));
  });
}

/** @type {CompareView | null} */
const view = embedded("view");
if (view) {
  const form = /** @type {HTMLFormElement} */ (byId("choose"));
  for (const of of form.querySelectorAll("select")) of.addEventListener("change", () => form.requestSubmit());
  chooseVideo(form);
  getJson("/api/ratings", { video: view.video.card.id })
    .catch(() => [])
    .then((ratings) => show(view, ratings));
}
