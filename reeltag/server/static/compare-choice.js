/** The video of the compare page, chosen by a part of its name. */
import { errorWords, getJson } from "./api.js";
import { byId, h, refill, toast } from "./dom.js";

/** @typedef {import("./views").VideoCard} VideoCard */

const MOST_NAMES = 20;
const WAIT_MS = 150;

/**
 * Returns what is offered: videos by their names, those of one name by their ids. Pure.
 * @param {readonly Pick<VideoCard, "id" | "name">[]} videos
 * @returns {Map<string, string>} words -> id
 */
export function offersOf(videos) {
  const names = videos.map((of) => of.name);
  const is_unique = (/** @type {string} */ name) => names.indexOf(name) === names.lastIndexOf(name);
  return new Map(videos.map(({ id, name }) => [is_unique(name) ? name : id, id]));
}

/**
 * Returns the video that is meant by what was typed: of that very name, in any case, or the first
 * that is offered. Pure.
 * @param {ReadonlyMap<string, string>} offers words -> id
 * @param {string} typed
 * @returns {string | undefined} id; none where nothing is offered
 */
export function meant(offers, typed) {
  const same = [...offers.keys()].find((of) => of.toLowerCase() === typed.toLowerCase());
  return offers.get(typed) ?? offers.get(same ?? "") ?? offers.values().next().value;
}

/**
 * Lets another video be chosen: from the list, or by Enter. What is only typed is never taken, for
 * one name may begin with another.
 * @param {HTMLFormElement} form
 */
export function watchVideoChoice(form) {
  const field = /** @type {HTMLInputElement} */ (byId("video-name"));
  const chosen = /** @type {HTMLInputElement} */ (byId("video-id"));
  /** @type {Map<string, string>} */
  let offers = new Map();
  let asking = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /** @param {string} search @returns {Promise<boolean>} whether the answer came, and still counts */
  const look = async (search) => {
    clearTimeout(timer);
    asking.abort();
    const { signal } = (asking = new AbortController());
    try {
      const found = await getJson("/api/videos", { search, limit: MOST_NAMES }, signal);
      if (signal.aborted) return false;
      offers = offersOf(found.videos);
      refill(byId("video-names"), ...[...offers.keys()].map((value) => h("option", { value })));
      return true;
    } catch (error) {
      if (!signal.aborted) toast(errorWords(error), { kind: "bad" });
      return false;
    }
  };
  /** @param {string | undefined} id */
  const take = (id) => {
    if (id === undefined) return;
    clearTimeout(timer);
    asking.abort();
    chosen.value = id;
    form.submit();
  };

  field.addEventListener("focus", async () => {
    const before = field.value;
    await look("");
    if (field.value === before) field.select(); // what was typed meanwhile is not typed over
  });
  field.addEventListener("input", (event) => {
    clearTimeout(timer);
    const is_typed = event instanceof InputEvent && event.inputType !== "insertReplacementText";
    if (!is_typed && offers.has(field.value)) take(offers.get(field.value));
    else timer = setTimeout(() => void look(field.value.trim()), WAIT_MS);
  });
  form.addEventListener("submit", async (event) => {
    if (document.activeElement !== field) return; // a finder was chosen
    event.preventDefault();
    const typed = field.value.trim();
    if (!(await look(typed))) return;
    if (offers.size) take(meant(offers, typed));
    else toast(`No video is named “${typed}”.`, { kind: "bad" });
  });
}
