/** The marked interval of a time line, with edges that are dragged, or nudged by the arrows. */
import { h } from "./dom.js";
import { clock } from "./format.js";
import { LEAST_INTERVAL_S as LEAST_S, withEdge } from "./timeline-scale.js";

/** @typedef {import("./timeline.js").TimeLine} TimeLine */
/** @typedef {import("./timeline.js").Selection} Selection */

const [STEP_S, LARGE_S] = [0.1, 1];

/**
 * Returns the element of the interval, and what puts it in its place.
 * @param {TimeLine} line
 */
export function selectionMark(line) {
  const [start, end] = [edgeOf(line, "start"), edgeOf(line, "end")];
  const element = h("div", { class: "tl-selection", hidden: true }, start, end);
  /** @param {Selection | null} selection @param {HTMLElement | null} lane */
  const place = (selection, lane) => {
    element.hidden = !selection || !lane;
    if (!selection || !lane) return;
    const [from, to] = [line.pixel(selection.start), line.pixel(selection.end)];
    element.style.transform = `translate(${from}px, ${lane.offsetTop + (lane.offsetParent === line.body ? 0 : (line.lanesBox?.offsetTop ?? 0))}px)`;
    element.style.inlineSize = `${Math.max(2, to - from)}px`;
    element.style.blockSize = `${lane.offsetHeight}px`;
    setSlider(start, selection.start, 0, Math.max(0, selection.end - LEAST_S));
    setSlider(end, selection.end, Math.min(selection.start + LEAST_S, line.data.duration), line.data.duration);
  };
  return { element, place };
}

/**
 * Sets what screen readers read of a slider of times: where it is, and how far it goes.
 * @param {Element} slider
 * @param {number} time seconds
 * @param {number} least seconds
 * @param {number} most seconds
 * @param {string} [more] words after the time
 */
export function setSlider(slider, time, least, most, more = "") {
  const [now, min, max] = [time, least, most].map((of) => of.toFixed(1));
  const values = { valuemin: min, valuemax: max, valuenow: now, valuetext: clock(time, 1) + more };
  for (const [name, value] of Object.entries(values)) {
    if (slider.getAttribute(`aria-${name}`) !== value) slider.setAttribute(`aria-${name}`, value);
  }
}

/** @param {TimeLine} line @param {"start" | "end"} edge @returns {HTMLElement} */
function edgeOf(line, edge) {
  const words = edge === "start" ? "Start of the interval" : "End of the interval";
  const handle = h("div", { class: `tl-edge ${edge}`, data: { edge }, role: "slider", tabindex: "0", "aria-label": words });
  handle.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way || !line.selection || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    moveEdge(line, edge, line.selection[edge] + way * (event.shiftKey ? LARGE_S : STEP_S));
  });
  return handle;
}

/**
 * Moves an edge of the interval to a time.
 * @param {TimeLine} line
 * @param {"start" | "end"} edge
 * @param {number} time seconds
 */
export function moveEdge(line, edge, time) {
  if (!line.selection) return;
  line.selection = { ...line.selection, ...withEdge(line.selection, edge, time, line.data.duration) };
  line.emit("edge", line.selection);
}
