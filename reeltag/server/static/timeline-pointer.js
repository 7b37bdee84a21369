/** What the mouse, a pen or a finger does on a time line's lanes. */
import { h, refill } from "./dom.js";
import { clock, prob } from "./format.js";
import { moveThumbnail, thumbnail } from "./thumbnails.js";
import { followDrag } from "./timeline-drag.js";
import { momentAt, timeOf, valueAt } from "./timeline-scale.js";
import { moveEdge } from "./timeline-selection.js";

/** @typedef {import("./timeline.js").TimeLine} TimeLine */

const FAR = 4; // pixels that make a click a drag
const [THUMBNAIL, PANEL] = [160, 174]; // pixels, as in timeline.css
const LINES = 4; // classes that the hover names: the most probable ones

/**
 * Lets the pointer seek, mark, move edges, zoom and look.
 * @param {TimeLine} line
 * @param {HTMLElement} body what holds the lanes
 */
export function watchPointer(line, body) {
  const left = () => line.ruler?.getBoundingClientRect().left ?? 0;
  const timeAt = (/** @type {MouseEvent} */ event) => Math.min(line.data.duration, Math.max(0, timeOf(line.span, line.width, event.clientX - left())));
  const laneOf = (/** @type {Event} */ event) => (event.target instanceof Element ? event.target.closest(".tl-lane") : null);
  const isLabel = (/** @type {Event} */ event) => event.target instanceof Element && event.target.closest(".tl-label") !== null;
  const hover = hoverOf(line);
  let is_held = false;

  body.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || isLabel(event)) return;
    const handle = event.target instanceof HTMLElement ? event.target.closest(".tl-edge") : null;
    const edge = handle instanceof HTMLElement ? /** @type {"start" | "end"} */ (handle.dataset.edge) : null;
    const lane = laneOf(event);
    const name = lane instanceof HTMLElement ? (lane.dataset.name ?? "") : "";
    const first = timeAt(event);
    is_held = true;
    if (event.pointerType === "mouse") event.preventDefault(); // no selection of text
    if (lane?.lastElementChild instanceof HTMLElement) lane.lastElementChild.focus({ preventScroll: true });
    if (handle instanceof HTMLElement) handle.focus({ preventScroll: true });

    /** @param {PointerEvent} of */
    const move = (of) => {
      const time = timeAt(of);
      if (edge) moveEdge(line, edge, time);
      else if (name) {
        line.selection = { name, start: round(Math.min(first, time)), end: round(Math.max(first, time)) };
      } else line.seek(time);
    };
    const end = (/** @type {boolean} */ is_drag, /** @type {boolean} */ is_cancelled) => {
      is_held = false;
      if (is_drag && (edge || name)) line.emit("select", line.selection);
      else if (!is_cancelled && !edge && !is_drag) click(line, name, first, event.clientY, lane);
    };
    followDrag(body, event, { far: FAR, move, end });
  });

  body.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" || isLabel(event)) hover.hide();
    else hover.show(timeAt(event), is_held);
  });
  body.addEventListener("pointerleave", () => hover.hide());
  line.addEventListener(
    "wheel",
    (event) => {
      const by = (line.span.end - line.span.start) / line.width;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        line.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 150), timeAt(event));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        const shift = (event.deltaX || event.deltaY) * by;
        line.look({ start: line.span.start + shift, end: line.span.end + shift });
      }
    },
    { passive: false },
  );
}

/** @param {number} seconds @returns {number} to a tenth */
function round(seconds) {
  return Math.round(seconds * 10) / 10;
}

/**
 * Seeks; on a moment's bar, that moment is marked.
 * @param {TimeLine} line
 * @param {string} name
 * @param {number} time
 * @param {number} y
 * @param {Element | null} lane
 */
function click(line, name, time, y, lane) {
  line.seek(time);
  const box = lane?.getBoundingClientRect();
  const curve = line.data.curves.find((of) => of.name === name);
  const moment = curve && box && y > box.bottom - box.height / 3 ? momentAt(curve.moments, time) : null;
  line.selection = moment && { name, start: moment.start_s, end: moment.end_s };
  line.emit("select", line.selection);
}

/** @param {TimeLine} line */
function hoverOf(line) {
  const mark = h("div", { class: "tl-hover", hidden: true });
  const time_words = h("div", { class: "number" });
  const rows = Array.from({ length: LINES }, () => h("div", { class: "tl-value" }, h("span", { class: "grow" }), h("b")));
  const place = h("div");
  const panel = h("div", { class: "tl-popover popover", hidden: true, "aria-hidden": true }, place, time_words, ...rows);
  line.over?.append(mark, panel);
  /** @type {HTMLElement | null} */
  let picture = null;
  let of_video = "";
  /** @type {{ time: number, is_held: boolean } | null} */
  let wanted = null;

  const draw = () => {
    if (!wanted) return;
    const { time, is_held } = wanted;
    wanted = null;
    const { sprite, id, curves, hop_s } = line.data;
    if (of_video !== id) {
      picture = sprite && thumbnail(sprite, id, time, THUMBNAIL);
      of_video = id;
      refill(place, picture);
    }
    if (sprite && picture) moveThumbnail(picture, sprite, time);
    time_words.textContent = clock(time, 1);
    const best = curves
      .map(({ name, prob: values }) => ({ name, value: valueAt(values, hop_s, time) ?? 0 }))
      .sort((a, b) => b.value - a.value);
    rows.forEach((row, at) => {
      row.hidden = at >= best.length;
      if (row.hidden) return;
      [row.children[0].textContent, row.children[1].textContent] = [best[at].name, prob(best[at].value)];
    });
    const x = line.pixel(time);
    mark.style.transform = `translateX(${x}px)`;
    mark.hidden = false;
    panel.hidden = is_held && line.selection === null;
    const left = Math.min(Math.max(x - PANEL / 2, -8), Math.max(0, line.width - PANEL));
    panel.style.transform = `translate(${left}px, calc(-100% - 8px))`;
  };
  return {
    /** @param {number} time @param {boolean} is_held */
    show(time, is_held) {
      if (!wanted) requestAnimationFrame(draw);
      wanted = { time, is_held };
    },
    hide() {
      wanted = null;
      mark.hidden = true;
      panel.hidden = true;
    },
  };
}
