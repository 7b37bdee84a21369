/** What a time line draws on its canvases. Sizes are CSS pixels; the canvas has those of the screen. */
import { colour } from "./dom.js";
import { clock } from "./format.js";
import { columnMaxima, pixelOf, ticks } from "./timeline-scale.js";

/** @typedef {import("./timeline-scale.js").Span} Span */
/** @typedef {import("./views").CurveView} CurveView */
/** @typedef {import("./views").RatingView} RatingView */
/** @typedef {{ ctx: CanvasRenderingContext2D, width: number, height: number }} Surface */

/**
 * Returns a cleared canvas that fills its element; null = it has no size yet.
 * @param {HTMLCanvasElement} canvas
 * @returns {Surface | null}
 */
export function surfaceOf(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ctx = canvas.getContext("2d");
  if (!ctx || !width || !height) return null;
  const scale = devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  ctx.setTransform(scale, 0, 0, scale, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return { ctx, width, height };
}

/** @returns the colours of the time line, as the page has them now */
export function timelineColours() {
  const names = ["accent", "accent-soft", "ink", "muted", "line", "edge", "good", "bad", "warn", "panel"];
  return Object.fromEntries(names.map((name) => [name, colour(`--${name}`)]));
}

const BAR = 7; // height of moments
const MARK = 5; // height of ratings

/**
 * Draws a class: its curve, moments as bars below, ratings as marks above.
 * @param {Surface} surface
 * @param {{ curve: CurveView | null, hop_s: number, ratings: RatingView[], span: Span, colours: Record<string, string>, is_current: boolean }} what
 */
export function drawLane({ ctx, width, height }, { curve, hop_s, ratings, span, colours, is_current }) {
  const [top, bottom] = [MARK + 3, height - BAR - 3];
  ctx.fillStyle = colours[is_current ? "accent-soft" : "panel"];
  ctx.fillRect(0, 0, width, height);
  if (curve) {
    const columns = columnMaxima(curve.prob, hop_s, span, width);
    ctx.fillStyle = colours.accent;
    columns.forEach((value, x) => {
      if (!(value >= 0.005)) return;
      ctx.globalAlpha = 0.22 + 0.78 * value; // colour and height
      ctx.fillRect(x, bottom - value * (bottom - top), 1, value * (bottom - top));
    });
    ctx.globalAlpha = 1;
    if (curve.threshold !== null) {
      ctx.strokeStyle = colours.edge;
      ctx.setLineDash([3, 4]);
      line(ctx, 0, Math.round(bottom - curve.threshold * (bottom - top)) + 0.5, width);
      ctx.setLineDash([]);
    }
    for (const of of curve.moments) {
      const fill = of.rating === null ? colours.accent : colours[of.rating > 0.5 ? "good" : "bad"];
      bar(ctx, span, width, of.start_s, of.end_s, height - BAR - 1, BAR, fill, of.rating !== null && of.rating <= 0.5);
    }
  }
  for (const of of ratings) {
    const fill = colours[of.answer === "yes" ? "good" : of.answer === "no" ? "bad" : "warn"];
    bar(ctx, span, width, of.start_s, of.end_s ?? Infinity, 1, MARK, fill, of.answer === "no");
  }
}

/**
 * Draws an interval; a hollow one says "no" without its colour, too.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Span} span
 * @param {number} width
 * @param {number} start
 * @param {number} end
 * @param {number} y
 * @param {number} height
 * @param {string} fill
 * @param {boolean} is_hollow
 */
function bar(ctx, span, width, start, end, y, height, fill, is_hollow) {
  const [from, to] = [Math.max(-4, pixelOf(span, width, start)), Math.min(width + 4, pixelOf(span, width, end))];
  if (to < 0 || from > width) return;
  ctx.beginPath();
  ctx.roundRect(from + 0.75, y + 0.75, Math.max(2, to - from - 1.5), height - 1.5, 2);
  if (is_hollow) {
    ctx.lineWidth = 1.5;
    ctx.strokeStyle = fill;
    ctx.stroke();
    ctx.lineWidth = 1;
  } else {
    ctx.fillStyle = fill;
    ctx.fill();
  }
}

/** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} to */
function line(ctx, x, y, to) {
  ctx.beginPath();
  ctx.moveTo(x, y);
  ctx.lineTo(to, y);
  ctx.stroke();
}

/**
 * Draws times, and cuts as short lines below.
 * @param {Surface} surface
 * @param {{ span: Span, cuts: readonly number[], colours: Record<string, string>, font: string }} what
 */
export function drawRuler({ ctx, width, height }, { span, cuts, colours, font }) {
  const { step, times } = ticks(span, width);
  ctx.font = font;
  ctx.textBaseline = "top";
  for (const time of times) {
    const x = Math.round(pixelOf(span, width, time)) + 0.5;
    ctx.fillStyle = colours.line;
    ctx.fillRect(x - 0.5, 0, 1, height);
    ctx.fillStyle = colours.muted;
    const words = clock(time, step < 1 ? 1 : 0);
    if (x + ctx.measureText(words).width + 4 <= width) ctx.fillText(words, x + 4, 2);
  }
  ctx.fillStyle = colours.edge;
  for (const cut of cuts) {
    if (cut >= span.start && cut <= span.end) ctx.fillRect(Math.round(pixelOf(span, width, cut)), height - 6, 1, 6);
  }
}

const QUIET_DB = -60;

/**
 * Draws how loud it is, from -60 to 0 dB of full scale.
 * @param {Surface} surface
 * @param {{ span: Span, loudness: { hz: number, db: readonly number[] }, colours: Record<string, string> }} what
 */
export function drawLoudness({ ctx, width, height }, { span, loudness, colours }) {
  const columns = columnMaxima(loudness.db, 1 / loudness.hz, span, width);
  ctx.fillStyle = colours.edge;
  columns.forEach((db, x) => {
    const size = Math.max(0, 1 - db / QUIET_DB) * (height - 2);
    if (size > 0.5) ctx.fillRect(x, (height - size) / 2, 1, size);
  });
}

/**
 * Draws the whole video: the highest curve of those shown, and cuts.
 * @param {Surface} surface
 * @param {{ duration: number, curves: readonly CurveView[], hop_s: number, colours: Record<string, string> }} what
 */
export function drawOverview({ ctx, width, height }, { duration, curves, hop_s, colours }) {
  const span = { start: 0, end: duration };
  const each = Math.max(2, Math.floor((height - 4) / Math.max(1, curves.length)));
  ctx.fillStyle = colours.accent;
  curves.forEach((curve, row) => {
    columnMaxima(curve.prob, hop_s, span, width).forEach((value, x) => {
      if (!(value >= 0.05)) return;
      ctx.globalAlpha = value;
      ctx.fillRect(x, 2 + row * each, 1, Math.max(1, each - 1));
    });
  });
  ctx.globalAlpha = 1;
}
