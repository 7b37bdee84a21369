/** The whole video in one row: where curves are high, and which part the lanes show. */
import { h } from "./dom.js";
import { followDrag } from "./timeline-drag.js";
import { drawOverview, surfaceOf } from "./timeline-draw.js";
import { clamped, timeOf } from "./timeline-scale.js";

/** @typedef {import("./timeline.js").TimeLine} TimeLine */

const FAR = 3; // pixels that make a click a drag
const NEAR = 8; // pixels from an edge that drag the edge

/**
 * Returns the row, and what draws it.
 * @param {TimeLine} line
 */
export function overviewOf(line) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const frame = h("div", { class: "tl-frame" });
  const head = h("div", { class: "tl-head" });
  const track = h("div", { class: "tl-all" }, canvas, frame, head);
  const element = h("div", { class: "tl-row tl-overview" }, h("span", { class: "tl-label muted" }, "Whole video"), track);
  let before = { drawn: "", data: /** @type {object} */ ({}) };
  const width = () => track.clientWidth || 1;
  const x_of = (/** @type {number} */ time) => (time / line.data.duration) * width();

  track.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    const { left } = track.getBoundingClientRect();
    const whole = { start: 0, end: line.data.duration };
    const time = (/** @type {PointerEvent} */ of) => timeOf(whole, width(), of.clientX - left);
    const begin = line.span;
    const x = event.clientX - left;
    const [from, to] = [Math.abs(x - x_of(begin.start)), Math.abs(x - x_of(begin.end))];
    const edge = Math.min(from, to) > NEAR ? null : from < to ? "start" : "end";
    const is_inside = x >= x_of(begin.start) && x <= x_of(begin.end);
    const length = begin.end - begin.start;
    const is_whole = length > line.data.duration * 0.999;
    const first = time(event);
    if (!is_inside && !edge) line.look({ start: first - length / 2, end: first + length / 2 });
    const held = line.span;
    /** @param {PointerEvent} of */
    const move = (of) => {
      const to_time = time(of);
      if (is_whole && !edge) line.look(clamped({ start: Math.min(first, to_time), end: Math.max(first, to_time) }, line.data.duration));
      else if (edge === "start") line.look({ start: Math.min(to_time, held.end - 1), end: held.end });
      else if (edge === "end") line.look({ start: held.start, end: Math.max(to_time, held.start + 1) });
      else line.look({ start: held.start + to_time - first, end: held.end + to_time - first });
    };
    followDrag(track, event, { far: FAR, move, end: (is_drag, is_cancelled) => is_drag || is_cancelled || line.seek(first) });
  });

  return {
    element,
    /** @param {Record<string, string>} colours */
    draw(colours) {
      const drawn = `${canvas.clientWidth} ${canvas.clientHeight} ${devicePixelRatio} ${colours.accent}`;
      if (drawn !== before.drawn || line.data !== before.data) {
        before = { drawn, data: line.data };
        const surface = surfaceOf(canvas);
        if (surface) drawOverview(surface, { ...line.data, colours });
      }
      frame.style.transform = `translateX(${x_of(line.span.start)}px)`;
      frame.style.inlineSize = `${Math.max(4, x_of(line.span.end) - x_of(line.span.start))}px`;
    },
    showTime() {
      head.style.transform = `translateX(${x_of(line.time)}px)`;
    },
  };
}
