/** The page of a video: player, time line, moments and ratings, and what connects them. */
import { embedded, errorWords, onJob, project } from "./api.js";
import { announce, byId, toast } from "./dom.js";
import { count, interval } from "./format.js";
import "./player.js";
import { RatingSender } from "./rate-sender.js";
import "./timeline.js";
import { moveEdge } from "./timeline-selection.js";
import { nextMoment } from "./timeline-scale.js";
import { watchClasses } from "./video-classes.js";
import { addVideoKeys } from "./video-keys.js";
import { VideoModel } from "./video-model.js";
import { emptyWords, showMoments, showRatings } from "./video-moments.js";
import { showSelection } from "./video-selection.js";

/** @typedef {import("./timeline.js").Selection} Selection */
/** @typedef {import("./views").MomentView} MomentView */
/** @typedef {import("./views").Answer} Answer */

const MARK_S = 5; // length of a new interval
const USUAL_FPS = 25; // where the pictures per second are not known
const BASIS = { finder: "Curves of the current finder.", encoder: "Curves of the encoder’s own classes: nothing was learned here yet.", nothing: "No curves yet: rate some moments, then learn." };

export class VideoPage {
  constructor() {
    this.view = /** @type {import("./views").VideoView} */ (embedded("view"));
    /** @type {VideoModel} */
    this.model = new VideoModel(this.view, new RatingSender(project()?.name ?? "", () => this.model?.refreshSoon()));
    this.player = /** @type {import("./player.js").VideoPlayer} */ (document.querySelector("video-player"));
    this.line = /** @type {import("./timeline.js").TimeLine} */ (document.querySelector("time-line"));
    this.duration = this.view.card.duration_s ?? 1;
  }

  async start() {
    const { player, line, model } = this;
    const query = new URLSearchParams(location.search);
    player.show(this.view);
    this.draw();
    addVideoKeys(this);
    player.addEventListener("time", () => {
      line.time = player.time;
      if (player.playing) line.follow(player.time);
    });
    line.addEventListener("seek", () => (player.time = line.time));
    line.addEventListener("current", () => this.chooseClass(line.current));
    line.addEventListener("select", () => this.select(line.selection));
    line.addEventListener("edge", () => this.drawSelection());
    model.addEventListener("change", () => this.draw());
    byId("only-current").addEventListener("change", () => this.drawMoments());
    byId("zoom-in").addEventListener("click", () => line.zoom(0.5));
    byId("zoom-out").addEventListener("click", () => line.zoom(2));
    byId("zoom-fit").addEventListener("click", () => this.fit());
    watchClasses(this);
    onJob((job) => (job.kind === "curves" || job.kind === "learn") && job.state === "done" && job.seconds > 0 && this.attempt(() => model.reload()));
    const wanted = query.get("class") ?? "";
    await this.attempt(() => model.load(wanted));
    if (wanted) line.current = wanted;
    const at = Number(query.get("at"));
    if (query.has("at") && Number.isFinite(at)) this.go(at);
    const moment = model.momentsOf(line.current).find((of) => at >= of.start_s && at < of.end_s);
    if (query.has("at") && moment) this.choose(moment, false);
    else this.draw();
  }

  /** Does something that may fail; then says why. @template T @param {() => Promise<T>} work @returns {Promise<T | null>} */
  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      toast(errorWords(error), { kind: "bad" });
      return null;
    }
  }

  draw() {
    const { model, line, view } = this;
    const loudness = { hz: view.loudness_hz || 1, db: view.loudness_db };
    const { curves, ratings, hop_s } = model;
    line.show({ id: model.id, duration: this.duration, hop_s, curves, ratings, cuts: view.cuts_s, loudness, sprite: view.sprite });
    if (model.is_loaded) line.dataset.lanes = String(Math.min(curves.length, 8));
    byId("basis").textContent = model.is_loaded ? BASIS[model.basis] : "";
    byId("ratings-count").textContent = model.ratings.length ? `(${model.ratings.length})` : "";
    this.drawMoments();
    this.drawSelection();
    showRatings(byId("ratings"), ratings, {
      choose: (of) => this.attempt(() => this.showRating(of)),
      undo: (of) => model.remove(of),
    });
  }

  drawMoments() {
    const { model, line } = this;
    const only = /** @type {HTMLInputElement} */ (byId("only-current")).checked;
    const moments = only ? model.momentsOf(line.current) : model.curves.flatMap((of) => of.moments);
    const title = only && line.current ? `Moments of ${line.current}` : "Moments";
    byId("moments-title").textContent = moments.length ? `${title} (${moments.length})` : title;
    const empty = emptyWords(line.current, model.curves.find((of) => of.name === line.current));
    showMoments(byId("moments"), moments, { empty, current: this.momentOf(line.selection), with_class: !only, choose: (of) => this.choose(of), rate: (of, answer) => this.rate(answer, this.selectionOf(of)) });
  }

  drawSelection() {
    const { model, line, player } = this;
    const { selection } = line;
    const same = selection && model.ratings.find((of) => of.class_name === selection.name && of.start_s === selection.start && of.end_s === selection.end);
    player.loop = player.loop && selection && { start: selection.start, end: selection.end };
    showSelection(byId("selection"), selection, {
      id: model.id,
      current: line.current,
      answer: same ? same.answer : null,
      is_looping: player.loop !== null,
      rate: (answer) => this.rate(answer),
      loop: () => this.toggleLoop(),
      mark: () => this.mark(),
      clear: () => this.select(null),
    });
  }

  /** @param {Selection | null} selection @returns {MomentView | null} */
  momentOf(selection) {
    if (!selection) return null;
    return this.model.momentsOf(selection.name).find((of) => of.start_s === selection.start) ?? null;
  }

  /** A step of a curve may end after the video. @param {MomentView} moment @returns {Selection} */
  selectionOf({ class_name: name, start_s: start, end_s: end }) {
    return { name, start, end: Math.min(end, this.duration) };
  }

  /** @param {number} time */
  go(time) {
    this.player.time = Math.min(time, this.duration);
    this.line.time = this.player.time;
    this.line.follow(this.line.time);
    this.line.read();
  }

  /** @param {1 | -1} way */
  frame(way) {
    this.player.pause();
    this.go(this.player.time + way / (this.view.fps ?? USUAL_FPS));
  }

  /** @param {Selection | null} selection */
  select(selection) {
    this.line.selection = selection;
    if (selection) this.line.current = selection.name;
    if (!selection) this.player.loop = null;
    this.drawSelection();
    this.drawMoments();
  }

  /** @param {MomentView} moment @param {boolean} [seeks] */
  choose(moment, seeks = true) {
    this.select(this.selectionOf(moment));
    if (seeks) this.go(moment.start_s);
    announce(`${moment.class_name}, ${interval(moment.start_s, moment.end_s)}`);
  }

  /** @param {1 | -1} way */
  next(way) {
    const { line, model } = this;
    const moment = nextMoment(model.momentsOf(line.current), line.selection?.start ?? line.time - way * 0.02, way);
    if (moment) this.choose(moment);
    else toast(`No moment of ${line.current || "a class"} ${way > 0 ? "after" : "before"} this.`);
  }

  /** @param {Answer} answer @param {Selection | null} [selection] */
  rate(answer, selection = this.line.selection) {
    if (!selection) {
      toast("Choose a moment first (N), or mark an interval (A).");
      return;
    }
    const id = this.model.rate(selection, answer);
    const words = `${answer === "yes" ? "Yes" : answer === "no" ? "No" : "Unsure"}: ${selection.name}, ${interval(selection.start, selection.end)}`;
    toast(words, { name: "rating", action: { words: "Undo (Z)", run: () => this.undo(id) } });
  }

  /** @param {string} [id] of what was given here; none: the last one */
  undo(id) {
    const rating = this.model.undo(id);
    toast(rating ? `Taken back: ${rating.answer}, ${rating.class_name}` : "There is nothing to take back.", { name: "rating" });
  }

  mark() {
    const { line, player } = this;
    if (!line.current) this.askClass();
    else {
      const start = Math.round(Math.min(player.time, Math.max(0, this.duration - MARK_S)) * 10) / 10;
      this.select({ name: line.current, start, end: Math.min(this.duration, start + MARK_S) });
    }
  }

  pull() {
    const { line, player } = this;
    if (!line.selection) return this.mark();
    const { start, end } = line.selection;
    return moveEdge(line, Math.abs(player.time - start) < Math.abs(player.time - end) ? "start" : "end", player.time);
  }

  toggleLoop() {
    const { line, player } = this;
    player.loop = player.loop || !line.selection ? null : { start: line.selection.start, end: line.selection.end };
    if (player.loop) {
      this.go(player.loop.start);
      player.play();
    }
    this.drawSelection();
  }

  /** A marked interval becomes one of the class. @param {string} name */
  chooseClass(name) {
    const { line } = this;
    line.current = name;
    if (line.selection) line.selection = { ...line.selection, name };
    this.draw();
  }

  /** @param {string} name */
  chooseLane(name) {
    this.chooseClass(name);
    announce(`${name}, ${count(this.model.momentsOf(name).length, "moment")}`);
  }

  fit() {
    this.line.look({ start: 0, end: this.duration });
  }

  /** @param {import("./views").RatingView} rating */
  async showRating({ class_name: name, start_s: start, end_s: end }) {
    await this.model.add(name);
    this.select({ name, start, end: end ?? this.duration });
    this.go(start);
  }

  askClass() {
    byId("class-name").focus();
  }
}

new VideoPage().start();
