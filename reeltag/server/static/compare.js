/** The compare page: two finders on one video, whose time lines move together. */
import { address, embedded, getJson } from "./api.js";
import { watchVideoChoice } from "./compare-choice.js";
import { announce, byId } from "./dom.js";
import { addKeys } from "./keys.js";
import { finderWords } from "./learn-words.js";
import { stackable } from "./stackable.js";
import { timelineKeys } from "./timeline-keys.js";
import "./timeline.js";

/** @typedef {import("./views").CompareView} CompareView */
/** @typedef {import("./timeline.js").TimeLine} TimeLine */

const [STEP_S, LARGE_S] = [1, 5];

/**
 * Show the curves of both finders.
 * @param {CompareView} view
 * @param {import("./views").RatingView[]} ratings of the video
 */
function show({ video, old: one, new: other, old_curves, new_curves }, ratings) {
  const { card, cuts_s: cuts, loudness_hz: hz, loudness_db: db, sprite } = video;
  const lines = [/** @type {TimeLine} */ (byId("old-line")), /** @type {TimeLine} */ (byId("new-line"))];
  const duration = card.duration_s ?? Math.max(1, ...new_curves.curves.map((of) => of.prob.length * new_curves.hop_s));
  [old_curves, new_curves].forEach(({ curves, hop_s }, at) =>
    lines[at].show({ id: card.id, duration, hop_s, curves: [...curves], ratings, cuts, loudness: { hz, db }, sprite }));
  const [first, second] = lines;
  for (const [line, following] of [[first, second], [second, first]]) {
    line.addEventListener("seek", () => seek(line.time));
    line.addEventListener("span", () => (following.span = line.span));
    line.addEventListener("current", () => (following.current = line.current));
  }

  /** @param {number} time */
  function seek(time) {
    const inside = Math.min(Math.max(0, time), duration);
    for (const line of lines) line.time = inside;
    first.follow(inside);
    const link = /** @type {HTMLAnchorElement} */ (byId("open"));
    link.href = address("/video", { id: card.id, at: inside.toFixed(1) });
  }

  /** @param {string} name */
  function choose(name) {
    for (const line of lines) line.current = name;
    announce(name);
  }

  const by = (/** @type {number} */ seconds) => () => seek(first.time + seconds);
  addKeys("Move", [
    { keys: ["ArrowLeft"], words: "1 s back", run: by(-STEP_S), repeat: true },
    { keys: ["ArrowRight"], words: "1 s on", run: by(STEP_S), repeat: true },
    { keys: ["shift+ArrowLeft"], words: "5 s back", run: by(-LARGE_S), repeat: true },
    { keys: ["shift+ArrowRight"], words: "5 s on", run: by(LARGE_S), repeat: true },
    { keys: ["Home"], words: "to the beginning", run: () => seek(0) },
    { keys: ["End"], words: "to the end", run: () => seek(duration) },
  ]);
  const keys = timelineKeys(second.lanes.length > first.lanes.length ? second : first, choose);
  const read = () => announce(`${finderWords(one)}: ${first.words()}. ${finderWords(other)}: ${second.words()}`);
  addKeys("Time lines", keys.map((of) => (of.keys.includes("r") ? { ...of, run: read } : of)));
  const query = new URLSearchParams(location.search);
  seek(Number(query.get("at")) || 0);
  const name = query.get("class");
  if (name) for (const line of lines) line.current = name;
}

/** @type {CompareView | null} */
const view = embedded("view");
for (const of of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-made]"))) {
  of.textContent = finderWords({ name: of.textContent ?? "", made_at: of.dataset.made ?? "" });
}
for (const of of document.querySelectorAll("table")) stackable(of);
if (view) {
  const form = /** @type {HTMLFormElement} */ (byId("choose"));
  for (const of of form.querySelectorAll("select")) of.addEventListener("change", () => form.requestSubmit());
  watchVideoChoice(form);
  getJson("/api/ratings", { video: view.video.card.id })
    .catch(() => [])
    .then((ratings) => show(view, ratings));
}
