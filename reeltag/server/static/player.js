/** `<video-player>`: plays a video, its sound alone, or (without a file) a moving cursor.
 *
 *     player.show(view);  player.time = 12;  player.toggle();  player.shuttle(1);  player.loop = { start, end };
 *
 * Events: "time" (detail: seconds, at most once a picture), "state" (it plays or not).
 */
import { address } from "./api.js";
import { h, icon, refill, toast } from "./dom.js";
import { clock } from "./format.js";
import { FreeClock } from "./free-clock.js";
import { makeCopy, whyNot } from "./playable-copy.js";
import { soundPicture } from "./sound-picture.js";
import { moveThumbnail, thumbnail } from "./thumbnails.js";

/** @typedef {import("./views").VideoView} VideoView */

const RATES = [0.25, 0.5, 1, 1.5, 2, 4];
const BACK_MS = 120; // between pictures where it plays backwards

export class VideoPlayer extends HTMLElement {
  /** @type {HTMLVideoElement | FreeClock} */
  media = new FreeClock(1);
  /** @type {VideoView | null} */
  view = null;
  /** @type {{ start: number, end: number } | null} */
  loop = null;
  /** @type {number | null} */
  #wanted = null;
  #speed = 0;
  #time_shown = -1;
  /** @type {number | undefined} */
  #backwards;
  /** @type {number | null} the next picture that it waits for */
  #frame = null;
  #shown = new AbortController(); // ends what listens for the medium that is shown

  connectedCallback() {
    this.classList.add("player");
    this.screen = h("div", { class: "screen" });
    this.playButton = h("button", { type: "button", class: "quiet icon", on: { click: () => this.toggle() } });
    this.clock = h("span", { class: "number" });
    this.speed = h("select", { class: "small", "aria-label": "Speed", on: { change: () => this.#setRate(Number(this.speed?.value)) } }, ...RATES.map((of) => h("option", { value: of, selected: of === 1 }, `${of} ×`)));
    this.muteButton = h("button", { type: "button", class: "quiet icon", on: { click: () => this.mute() } });
    this.fullButton = h("button", { type: "button", class: "quiet icon", "aria-label": "Full screen", title: "Full screen (F)", on: { click: () => this.full() } }, icon("full"));
    this.append(this.screen, h("div", { class: "row controls" }, this.playButton, this.clock, h("span", { class: "grow" }), this.speed, this.muteButton, this.fullButton));
  }

  /** @param {VideoView} view */
  show(view) {
    this.view = view;
    const { card, proxy } = view;
    if (proxy === "not needed") this.#play(address("/media/video", { id: card.id }));
    else if (proxy === "ready") this.#play(address("/media/proxy", { id: card.id }));
    else this.#playNothing(proxy === "impossible" ? "" : "Browsers do not play this file.", proxy === "making");
    this.#showTime();
    this.#state();
  }

  /** @param {string} src */
  #play(src) {
    const { card } = /** @type {VideoView} */ (this.view);
    const poster = card.has_poster ? address("/media/poster", { id: card.id }) : null;
    const video = h("video", { src, poster, preload: "metadata", playsinline: true, tabindex: "-1", "aria-label": card.name });
    const signal = this.#use(video);
    video.addEventListener("click", () => this.toggle(), { signal });
    video.addEventListener("error", async () => {
      const why = await whyNot(src);
      if (!signal.aborted) this.#playNothing(why);
    }, { signal });
    video.addEventListener("loadedmetadata", () => {
      this.classList.toggle("sound-only", video.videoWidth === 0);
      if (video.videoWidth === 0 && this.view) this.screen?.append(soundPicture(this, this.view, signal));
    }, { signal });
    refill(/** @type {Element} */ (this.screen), video);
  }

  /** @param {string} why "" = there is no file @param {boolean} [is_making] whether a copy is made already */
  #playNothing(why, is_making = false) {
    const view = /** @type {VideoView} */ (this.view);
    const time = this.#wanted ?? this.media.currentTime;
    const signal = this.#use(new FreeClock(view.card.duration_s ?? 1));
    this.classList.remove("sound-only");
    const high = (this.screen?.clientHeight || 200) - 16;
    const picture = view.sprite && thumbnail(view.sprite, view.card.id, time, Math.min((high / view.sprite.height) * view.sprite.width, 0.5 * (this.clientWidth || 400)));
    const status = h("ul", { class: "copy" });
    const copy = () => makeCopy(view.card.id, { button: make, status, signal, ready: () => this.show({ ...view, proxy: "ready" }) });
    const make = h("button", { type: "button", class: "primary", on: { click: () => void copy() } }, "Make a playable copy");
    const words = why || "There is no file to play: the time line shows what its features hold.";
    refill(/** @type {Element} */ (this.screen), h("div", { class: "no-player" }, picture, h("div", { class: "stack tight" }, h("p", {}, words), why && view.proxy !== "impossible" && make, status)));
    if (picture && view.sprite) {
      const { sprite } = view;
      this.addEventListener("time", () => moveThumbnail(picture, sprite, this.time), { signal });
    }
    this.time = time;
    if (is_making) void copy(); // the server knows that job
  }

  /** @param {HTMLVideoElement | FreeClock} media @returns {AbortSignal} when something else is shown */
  #use(media) {
    const time = this.#wanted ?? this.media.currentTime;
    this.#shown.abort();
    this.media.pause();
    this.#shown = new AbortController();
    this.media = media;
    const { signal } = this.#shown;
    const events = ["play", "pause", "volumechange", "loadedmetadata", "ended"];
    for (const name of events) media.addEventListener(name, () => this.#state(), { signal });
    for (const name of ["seeked", "loadedmetadata"]) media.addEventListener(name, () => this.#goOn(), { signal });
    if (time) this.time = time;
    this.#state();
    return signal;
  }

  /** Seeks to where it should be by now; a seek that is under way is waited for. */
  #goOn() {
    if (this.#wanted !== null && Math.abs(this.#wanted - this.media.currentTime) > 0.02) {
      const wanted = this.#wanted;
      if (!(this.media instanceof HTMLVideoElement) || this.media.readyState > 0) {
        this.#wanted = null;
        this.media.currentTime = wanted;
      }
    } else this.#wanted = null;
    this.#showTime();
  }

  get time() {
    return this.#wanted ?? this.media.currentTime;
  }

  set time(seconds) {
    this.#wanted = Math.min(Math.max(0, seconds), this.view?.card.duration_s ?? Infinity);
    if (!this.media.seeking) this.#goOn();
    this.#showTime();
  }

  get playing() {
    return !this.media.paused || this.#speed < 0;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    this.shuttle(0);
    this.media.play().catch(() => this.#state());
  }

  pause() {
    this.shuttle(0);
    this.media.pause();
  }

  /** Plays faster (1), backwards (-1) by steps, or stops that (0). @param {1 | 0 | -1} way */
  shuttle(way) {
    clearInterval(this.#backwards);
    const before = this.#speed || (this.media.paused ? 0 : this.media.playbackRate);
    const steps = [-8, -4, -2, -1, 1, 2, 4, 8];
    const at = way > 0 ? steps.findIndex((of) => of > before && of > 0) : steps.findLastIndex((of) => of < before && of < 0);
    this.#speed = way === 0 ? 0 : (steps[at] ?? before);
    if (this.#speed < 0) {
      this.media.pause();
      this.#backwards = setInterval(() => {
        this.time += (this.#speed * BACK_MS) / 1000;
        if (this.time <= 0) this.shuttle(0);
      }, BACK_MS);
    } else if (way > 0) {
      this.#setRate(this.#speed);
      this.media.play().catch(() => this.#state());
      this.#speed = 0;
    } else if (this.media.playbackRate > 2 || way === 0) this.#setRate(Number(this.speed?.value) || 1);
    this.#state();
  }

  /** @param {number} rate */
  #setRate(rate) {
    this.media.playbackRate = rate;
  }

  mute() {
    this.media.muted = !this.media.muted;
    this.#state();
  }

  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.screen?.requestFullscreen().catch(() => toast("Full screen is not possible here."));
  }

  #state() {
    const { playing, media } = this;
    if (!this.playButton || !this.muteButton) return;
    refill(this.playButton, icon(playing ? "pause" : "play"));
    this.playButton.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.playButton.title = `${playing ? "Pause" : "Play"} (space)`;
    refill(this.muteButton, icon(media.muted ? "muted" : "sound"));
    this.muteButton.setAttribute("aria-label", media.muted ? "Sound on" : "Sound off");
    this.muteButton.hidden = media instanceof FreeClock;
    this.dispatchEvent(new CustomEvent("state"));
    this.#watch();
  }

  /** Follows the time while it plays, picture by picture, in one chain. */
  #watch() {
    if (!this.media.paused) this.#frame ??= requestAnimationFrame(() => this.#tick());
  }

  #tick() {
    this.#frame = null;
    if (this.media.paused) return;
    if (this.loop && (this.time >= this.loop.end || this.time < this.loop.start - 0.5)) this.time = this.loop.start;
    this.#showTime();
    this.#watch();
  }

  #showTime() {
    const { time } = this;
    if (time === this.#time_shown || !this.clock) return;
    this.#time_shown = time;
    const words = `${clock(time, 1)} / ${clock(this.view?.card.duration_s ?? this.media.duration)}`;
    if (this.clock.textContent !== words) this.clock.textContent = words;
    this.dispatchEvent(new CustomEvent("time", { detail: time }));
  }
}
customElements.define("video-player", VideoPlayer);
