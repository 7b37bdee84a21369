/** What a time line draws on its canvases. Sizes are CSS pixels; the canvas has those of the screen. */
import { colour } from "./dom.js";
import { answerOf, clock } from "./format.js";
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

const BAR = 5; // height of moments
const MARK = 4; // height of ratings
const SHADES = 8; // of a curve: what has one shade is filled at once

/**
 * Draws a class: its curve, moments as bars below, ratings as marks above.
 * @param {Surface} surface
 * @param {{ curve: CurveView | null, hop_s: number, ratings: RatingView[], span: Span, colours: Record<string, string>, is_current: boolean }} what
 */
export function drawLane(surface, { curve, hop_s, ratings, span, colours, is_current }) {
  const { ctx, width, height } = surface;
  const [top, bottom] = [MARK + 2, height - BAR - 2];
  ctx.fillStyle = colours[is_current ? "accent-soft" : "panel"];
  ctx.fillRect(0, 0, width, height);
  const fills = { yes: colours.good, no: colours.bad, unsure: colours.warn, none: colours.accent };
  if (curve) {
    drawCurve(surface, columnMaxima(curve.prob, hop_s, span, width), colours.accent, top, bottom);
    if (curve.threshold !== null) {
      ctx.strokeStyle = colours.edge;
      ctx.setLineDash([3, 4]);
      line(ctx, 0, Math.round(bottom - curve.threshold * (bottom - top)) + 0.5, width);
      ctx.setLineDash([]);
    }
    const moments = curve.moments.map((of) => ({ start: of.start_s, end: of.end_s, kind: answerOf(of.rating) ?? "none" }));
    drawBars(surface, span, moments, height - BAR - 1, BAR, fills);
  }
  const marks = ratings.map((of) => ({ start: of.start_s, end: of.end_s ?? Infinity, kind: of.answer }));
  drawBars(surface, span, marks, 1, MARK, fills);
}

/**
 * Draws a curve: what is more probable is higher, and has more colour.
 * @param {Surface} surface
 * @param {Float32Array} columns one per pixel, in [0, 1] or NaN
 * @param {string} fill
 * @param {number} top
 * @param {number} bottom
 */
function drawCurve({ ctx }, columns, fill, top, bottom) {
  const shades = Array.from({ length: SHADES }, () => new Path2D());
  for (let x = 0; x < columns.length; ) {
    const value = columns[x];
    let end = x + 1;
    while (end < columns.length && columns[end] === value) end += 1;
    const high = Math.round(value * (bottom - top) * 2) / 2;
    if (value >= 0.005) shades[Math.min(SHADES - 1, Math.floor(value * SHADES))].rect(x, bottom - high, end - x, high);
    x = end;
  }
  ctx.fillStyle = fill;
  shades.forEach((path, at) => {
    ctx.globalAlpha = 0.25 + (0.75 * (at + 1)) / SHADES;
    ctx.fill(path);
  });
  ctx.globalAlpha = 1;
}

/**
 * Draws intervals; a hollow one says "no" without its colour, too.
 * @param {Surface} surface
 * @param {Span} span
 * @param {{ start: number, end: number, kind: string }[]} bars
 * @param {number} y
 * @param {number} height
 * @param {Record<string, string>} fills of the kinds
 */
function drawBars({ ctx, width }, span, bars, y, height, fills) {
  for (const [kind, fill] of Object.entries(fills)) {
    const path = new Path2D();
    for (const of of bars) {
      if (of.kind !== kind || of.end < span.start || of.start > span.end) continue;
      const [from, to] = [Math.max(-4, pixelOf(span, width, of.start)), Math.min(width + 4, pixelOf(span, width, of.end))];
      const long = Math.max(1.5, to - from - 1);
      if (long < 6) path.rect(from + 0.5, y + 0.5, long, height - 1);
      else path.roundRect(from + 0.5, y + 0.5, long, height - 1, 2);
    }
    [ctx.fillStyle, ctx.strokeStyle] = [fill, fill];
    if (kind === "no") ctx.stroke(path);
    else ctx.fill(path);
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
  const path = new Path2D();
  columns.forEach((db, x) => {
    const size = Math.max(0, 1 - db / QUIET_DB) * (height - 2);
    if (size > 0.5) path.rect(x, (height - size) / 2, 1, size);
  });
  ctx.fillStyle = colours.edge;
  ctx.fill(path);
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
