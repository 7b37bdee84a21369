/**
 * `<moment-loop>`: an interval of a video, played again and again.
 *
 * Still, it shows the thumbnail of its best second. `play()` loads the file, or its playable copy,
 * and loops the interval; where neither plays, the thumbnails of the interval turn over like the
 * pages of a book. `stop()` drops the video, so that a grid of hundreds keeps none in memory.
 *
 * Attribute `data-state`: "still", "loading", "playing", "paused", "turning" (thumbnails) or "none"
 * (no pictures at all). Event `loopstate` when it changes.
 */

import { cellsOf, loopSpan } from "./strip-cells.js";
import { showCell, thumbnail } from "./thumbnails.js";

/** @typedef {import("./strip-cells.js").Sprite} Sprite */
/**
 * @typedef {{video: string, start_s: number, end_s: number, best_s?: number,
 *   sprite: Sprite | null}} LoopedMoment
 */

const SOURCES = ["/media/video", "/media/proxy"];
const LEAST_S = 1.5;
const TURN_MS = 500;
const PAGES = 12;

export class MomentLoop extends HTMLElement {
  /** @type {LoopedMoment | null} */
  #moment = null;
  /** @type {HTMLVideoElement | null} */
  #player = null;
  /** @type {{key: string, player: HTMLVideoElement} | null} what comes next, loaded before */
  #prepared = null;
  /** @type {HTMLElement | null} */
  #still = null;
  #timer = 0;
  #muted = true;

  /**
   * Show a moment, still.
   * @param {LoopedMoment} moment
   */
  show(moment) {
    this.stop();
    this.#moment = moment;
    this.#still?.remove();
    this.#still = moment.sprite
      ? thumbnail(moment.sprite, moment.video, moment.best_s ?? middle(moment))
      : null;
    if (this.#still) this.append(this.#still);
    this.#setState(this.#still ? "still" : "none");
  }

  /** Play the interval again and again. */
  play() {
    if (this.#moment === null || this.#player || this.#timer) return;
    this.#load(this.#moment, 0);
  }

  /** Stop, and show the still again. */
  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#drop();
    if (this.#moment) this.#setState(this.#still ? "still" : "none");
  }

  /** Play or pause. */
  toggle() {
    const player = this.#player;
    if (player && !player.paused) player.pause();
    else if (player) this.#run(player);
    else if (this.#timer) this.stop();
    else this.play();
  }

  /** @returns {boolean} whether it makes no sound */
  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    this.#muted = muted;
    if (this.#player) this.#player.muted = muted;
  }

  disconnectedCallback() {
    this.stop();
    this.#forget();
  }

  /**
   * Load what will be shown next.
   * @param {LoopedMoment} moment
   */
  prepare(moment) {
    const key = keyOf(moment);
    if (this.#prepared?.key === key) return;
    this.#forget();
    this.#prepared = { key, player: this.#make(moment, 0) };
  }

  /**
   * Load one source after the other until one plays.
   * @param {LoopedMoment} moment
   * @param {number} source
   * @returns {void}
   */
  #load(moment, source) {
    if (source === SOURCES.length) return this.#turn(moment);
    const is_ready = source === 0 && this.#prepared?.key === keyOf(moment);
    const player = is_ready && this.#prepared ? this.#prepared.player : this.#make(moment, source);
    if (is_ready) this.#prepared = null;
    if (player.error) return this.#load(moment, source + 1);
    player.muted = this.#muted;
    this.#player = player;
    this.append(player);
    this.#setState("loading");
    this.#run(player);
  }

  /**
   * Returns a player that loops the interval once it is started.
   * @param {LoopedMoment} moment
   * @param {number} source
   * @returns {HTMLVideoElement}
   */
  #make(moment, source) {
    const [start, end] = loopSpan(moment.start_s, moment.end_s, LEAST_S);
    const player = document.createElement("video");
    player.playsInline = true;
    player.preload = "auto";
    player.disablePictureInPicture = true;
    player.tabIndex = -1;
    player.setAttribute("aria-hidden", "true");
    player.src = `${SOURCES[source]}?id=${encodeURIComponent(moment.video)}`;
    const again = () => {
      player.currentTime = start;
      if (this.#player === player && (!player.paused || player.ended)) this.#run(player);
    };
    player.addEventListener("loadedmetadata", () => (player.currentTime = start), { once: true });
    player.addEventListener("timeupdate", () => player.currentTime >= end && again());
    player.addEventListener("ended", again);
    player.addEventListener("playing", () => this.#player === player && this.#setState("playing"));
    player.addEventListener("pause", () => this.#player === player && this.#setState("paused"));
    player.addEventListener("error", () => {
      if (this.#player !== player) return;
      this.#drop();
      this.#load(moment, source + 1);
    });
    this.#watch(player, end, again);
    return player;
  }

  /**
   * Go back to the start at the frame that ends the interval: timeupdate comes only 4 times a second.
   * @param {HTMLVideoElement} player
   * @param {number} end
   * @param {() => void} again
   */
  #watch(player, end, again) {
    if (!("requestVideoFrameCallback" in player)) return;
    const look = (/** @type {number} */ _, /** @type {{mediaTime: number}} */ { mediaTime }) => {
      if (mediaTime >= end - 0.02) again();
      player.requestVideoFrameCallback(look);
    };
    player.requestVideoFrameCallback(look);
  }

  /**
   * Start a player; a browser that forbids sound before a key was pressed plays without it.
   * @param {HTMLVideoElement} player
   */
  #run(player) {
    player.play().catch((error) => {
      if (error.name !== "NotAllowedError" || player.muted) return;
      player.muted = true;
      player.play().catch(() => {});
    });
  }

  /**
   * Turn the thumbnails over.
   * @param {LoopedMoment} moment
   */
  #turn(moment) {
    const { sprite, start_s, end_s } = moment;
    const still = this.#still;
    if (sprite === null || still === null) return this.#setState("none");
    const cells = cellsOf(sprite, start_s, end_s, PAGES);
    let page = 0;
    this.#timer = window.setInterval(() => showCell(still, cells[page++ % cells.length]), TURN_MS);
    showCell(still, cells[page++]);
    this.#setState("turning");
  }

  #drop() {
    const player = this.#player;
    this.#player = null;
    if (player) unload(player);
  }

  #forget() {
    const player = this.#prepared?.player;
    this.#prepared = null;
    if (player) unload(player);
  }

  /** @param {string} state */
  #setState(state) {
    if (this.dataset.state === state) return;
    this.dataset.state = state;
    this.dispatchEvent(new CustomEvent("loopstate", { detail: state, bubbles: true }));
  }
}

/**
 * @param {LoopedMoment} moment
 * @returns {number}
 */
function middle(moment) {
  return (moment.start_s + moment.end_s) / 2;
}

/**
 * @param {LoopedMoment} moment
 * @returns {string}
 */
function keyOf({ video, start_s, end_s }) {
  return JSON.stringify([video, start_s, end_s]);
}

/**
 * Let go of a player and its connection.
 * @param {HTMLVideoElement} player
 */
function unload(player) {
  player.pause();
  player.removeAttribute("src");
  player.load();
  player.remove();
}

customElements.define("moment-loop", MomentLoop);
