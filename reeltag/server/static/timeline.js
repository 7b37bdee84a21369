/** `<time-line>`: the whole video above, then times and cuts, loudness, and a lane for each class.
 *
 *     line.show({ id, duration, hop_s, curves, ratings, cuts, loudness, sprite });
 *     line.time = 12.5;  line.span = { start: 10, end: 40 };  line.current = "Dog";  line.selection = null;
 *
 * What people do is an event, and `time`, `span`, `current`, `selection` are already so:
 * "seek" (detail: seconds), "span" (Span), "current" (class), "select" (Selection or null),
 * "edge" (an edge of the selection was moved: Selection). Two of them are synchronised by setting
 * `span` and `time` of the one in the events of the other.
 */
import { announce, h, refill } from "./dom.js";
import { clock, prob } from "./format.js";
import { overviewOf } from "./timeline-overview.js";
import { drawLane, drawLoudness, drawRuler, surfaceOf, timelineColours } from "./timeline-draw.js";
import { watchPointer } from "./timeline-pointer.js";
import { clamped, pixelOf, valueAt, zoomed } from "./timeline-scale.js";
import { selectionMark, setSlider } from "./timeline-selection.js";

/** @typedef {import("./timeline-scale.js").Span} Span */
/** @typedef {{ name: string, start: number, end: number }} Selection an interval of a class, in seconds */
/**
 * @typedef {object} TimelineData
 * @property {string} id of the video
 * @property {number} duration seconds
 * @property {number} hop_s of the curves
 * @property {import("./views").CurveView[]} curves a lane each; without values: not known yet
 * @property {import("./views").RatingView[]} ratings
 * @property {readonly number[]} cuts seconds
 * @property {{ hz: number, db: readonly number[] }} loudness
 * @property {import("./views").SpriteView | null} sprite
 */

/** @type {TimelineData} */
const NOTHING = { id: "", duration: 1, hop_s: 1, curves: [], ratings: [], cuts: [], loudness: { hz: 1, db: [] }, sprite: null };

export class TimeLine extends HTMLElement {
  /** @type {TimelineData} */
  data = NOTHING;
  /** @type {Span} */
  #span = { start: 0, end: 1 };
  #time = 0;
  #current = "";
  /** @type {Selection | null} */
  #selection = null;
  #is_drawing = false;
  /** @type {{ name: string, lane: HTMLElement, canvas: HTMLCanvasElement, value: HTMLElement }[]} */
  lanes = [];

  connectedCallback() {
    this.overview = overviewOf(this);
    this.ruler = h("canvas", { class: "tl-ruler", "aria-hidden": "true" });
    this.sound = h("canvas", { class: "tl-sound", "aria-hidden": "true" });
    this.soundRow = h("div", { class: "tl-row" }, h("span", { class: "tl-label muted" }, "Loudness"), this.sound);
    this.lanesBox = h("div", { class: "tl-lanes", role: "group", "aria-label": "Classes" });
    this.head = h("div", { class: "tl-head" });
    this.mark = selectionMark(this);
    this.over = h("div", { class: "tl-over" }, this.mark.element, this.head);
    const zoom = h("span", { class: "tl-label muted" }, "Time");
    this.body = h("div", { class: "tl-body" }, h("div", { class: "tl-row" }, zoom, this.ruler), this.soundRow, this.lanesBox, this.over);
    this.append(this.overview.element, this.body);
    watchPointer(this, this.body);
    new ResizeObserver(() => this.redraw()).observe(this);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  /** @param {TimelineData} data */
  show(data) {
    const is_other = data.id !== this.data.id || data.duration !== this.data.duration;
    this.data = data;
    if (is_other) this.#span = { start: 0, end: data.duration };
    if (data.curves.length) this.dataset.lanes = String(Math.min(data.curves.length, 8)); // their place
    if (this.soundRow) this.soundRow.hidden = !data.loudness.db.length;
    const names = data.curves.map((of) => of.name);
    if (names.join("\n") !== this.lanes.map((of) => of.name).join("\n")) this.#makeLanes(names);
    this.redraw();
    this.#showTime();
  }

  /** @param {string[]} names */
  #makeLanes(names) {
    this.lanes = names.map((name, at) => {
      const value = h("span", { class: "number muted" });
      const key = at < 9 && h("kbd", { "aria-hidden": "true" }, at + 1);
      const label = h("button", { type: "button", class: "tl-label quiet", tabindex: "-1", on: { click: () => this.#choose(name) } }, key, h("span", { class: "grow", title: name }, name), value);
      const canvas = h("canvas", { "aria-hidden": "true" });
      const slider = { role: "slider", tabindex: "0", "aria-label": `${name}: time`, "data-focus": `lane ${name}` };
      const lane = h("div", { class: "tl-row tl-lane", data: { name } }, label, h("div", { class: "tl-track", ...slider }, canvas));
      lane.addEventListener("focusin", () => this.#choose(name));
      return { name, lane, canvas, value };
    });
    if (this.lanesBox) refill(this.lanesBox, ...this.lanes.map((of) => of.lane));
    if (!names.includes(this.#current)) this.#current = names[0] ?? "";
  }

  get time() {
    return this.#time;
  }

  set time(seconds) {
    this.#time = Math.min(Math.max(0, seconds), this.data.duration);
    this.#showTime();
  }

  get span() {
    return this.#span;
  }

  set span(span) {
    this.#span = clamped(span, this.data.duration);
    this.redraw();
  }

  get current() {
    return this.#current;
  }

  set current(name) {
    this.#current = name;
    this.redraw();
  }

  get selection() {
    return this.#selection;
  }

  set selection(selection) {
    this.#selection = selection;
    this.#place();
  }

  /** @param {string} name */
  #choose(name) {
    if (name === this.#current) return;
    this.current = name;
    this.emit("current", name);
  }

  /** @param {string} name of an event @param {unknown} detail */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** @param {number} seconds where a person wants to be */
  seek(seconds) {
    this.time = seconds;
    this.emit("seek", this.#time);
  }

  /** @param {Span} span that a person wants to see */
  look(span) {
    this.span = span;
    this.emit("span", this.#span);
  }

  /** @param {number} factor below 1: nearer @param {number} [around] seconds */
  zoom(factor, around = this.#time) {
    this.look(zoomed(this.#span, factor, around, this.data.duration));
  }

  /** Moves to where a time is seen, as while it plays. @param {number} time */
  follow(time) {
    const { start, end } = this.#span;
    if (time >= start && time < end) return;
    const from = time < start || time - end > (end - start) / 2 ? time - (end - start) * 0.1 : end;
    this.look({ start: from, end: from + end - start });
  }

  /** Reads time and probabilities to a screen reader. */
  read() {
    announce(this.words());
  }

  /** @returns {string} the time, and the probabilities of the first classes there */
  words() {
    const words = this.lanes.slice(0, 5).map(({ name }) => `${name} ${this.valueWords(name)}`);
    return `${clock(this.#time, 1)}. ${words.join(", ")}`;
  }

  /** @param {string} name @param {number} [time] @returns {string} its probability there */
  valueWords(name, time = this.#time) {
    const curve = this.data.curves.find((of) => of.name === name);
    const value = curve ? valueAt(curve.prob, this.data.hop_s, time) : null;
    return value === null ? "–" : prob(value);
  }

  /** @returns {number} pixels of the tracks */
  get width() {
    return this.ruler?.clientWidth || 1;
  }

  /** @param {number} time @returns {number} pixels */
  pixel(time) {
    return pixelOf(this.#span, this.width, time);
  }

  #showTime() {
    if (!this.head) return;
    const x = this.pixel(this.#time);
    this.head.style.transform = `translateX(${x}px)`;
    this.head.hidden = x < -1 || x > this.width + 1;
    this.overview?.showTime();
    for (const { name, lane, value } of this.lanes) {
      const words = this.valueWords(name);
      if (value.textContent !== words) value.textContent = words;
      if (lane.lastElementChild) setSlider(lane.lastElementChild, this.#time, 0, this.data.duration, `, probability ${words}`);
    }
  }

  /** Draws again before the next picture, once. */
  redraw() {
    if (this.#is_drawing) return;
    this.#is_drawing = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#is_drawing = false;
    if (!this.isConnected || !this.ruler || !this.sound) return;
    const [colours, span, { data }] = [timelineColours(), this.#span, this];
    const font = `${getComputedStyle(this).fontSize} ${getComputedStyle(this).fontFamily}`;
    const [ruler, sound] = [surfaceOf(this.ruler), surfaceOf(this.sound)];
    if (ruler) drawRuler(ruler, { span, cuts: data.cuts, colours, font });
    if (sound && data.loudness.db.length) drawLoudness(sound, { span, loudness: data.loudness, colours });
    for (const { name, lane, canvas } of this.lanes) {
      const is_current = name === this.#current;
      lane.classList.toggle("current", is_current);
      const curve = data.curves.find((of) => of.name === name) ?? null;
      const ratings = data.ratings.filter((of) => of.class_name === name);
      const surface = surfaceOf(canvas);
      if (surface) drawLane(surface, { curve, hop_s: data.hop_s, ratings, span, colours, is_current });
    }
    this.overview?.draw(colours);
    this.#place();
    this.#showTime();
  }

  #place() {
    const lane = this.lanes.find((of) => of.name === this.#selection?.name)?.lane;
    this.mark?.place(this.#selection, lane ?? null);
  }
}
customElements.define("time-line", TimeLine);
